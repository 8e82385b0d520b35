//! One operation, one metric: how much it changed and what that means.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{LEVEL, Sample};
use crate::stats::{self, Difference, Estimate, difference, holm};

/// What of an operation is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Mean response time, in nanoseconds.
    Mean,
    /// Median response time, in nanoseconds.
    P50,
    /// 99th percentile of the response time, in nanoseconds.
    P99,
    /// Completed operations per second.
    Rate,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Mean, Self::P50, Self::P99, Self::Rate];

    /// For people.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::P50 => "p50",
            Self::P99 => "p99",
            Self::Rate => "completed/s",
        }
    }

    fn more_is_worse(self) -> bool {
        self != Self::Rate
    }
}

/// What a change means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Worse by more than the noise threshold, and not by chance.
    Regression,
    /// Better by more than the noise threshold, and not by chance.
    Improvement,
    /// The whole 95 % interval lies within the noise threshold.
    Equivalent,
    /// Worse by more than the noise threshold and the errors within two runs. How much such runs differ from each other
    /// is unknown, so that only more of them can tell.
    WorseOnce,
    /// Better, likewise.
    BetterOnce,
    /// Neither a change beyond the threshold nor its absence could be shown.
    Unclear,
    /// Too few operations or intervals in a run to say anything.
    TooFew,
}

impl Change {
    /// For people.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Regression => "REGRESSION",
            Self::Improvement => "improvement",
            Self::WorseOnce => "worse once",
            Self::BetterOnce => "better once",
            Self::Equivalent => "equivalent",
            Self::Unclear => "unclear",
            Self::TooFew => "too few",
        }
    }
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Operation.
    pub operation: String,
    /// What of it.
    pub metric: Metric,
    /// Geometric mean of the base's runs (nanoseconds, or per second).
    pub base: Option<f64>,
    /// Likewise of the candidate's.
    pub candidate: Option<f64>,
    /// Candidate ÷ base − 1.
    pub relative: Option<f64>,
    /// 95 % confidence interval of `relative`, of this comparison alone.
    pub ci95: Option<(f64, f64)>,
    /// p-value of "no difference", of this comparison alone.
    pub p_value: Option<f64>,
    /// The same, corrected for all comparisons that were made together.
    pub p_adjusted: Option<f64>,
    /// What it means.
    pub change: Change,
}

/// How the runs of two sides give a difference.
type Compare = fn(&[Estimate], &[Estimate]) -> Option<Difference>;

/// A row per operation that both sides have, and metric, not yet judged. `paired` says that the runs of both sides are
/// in the order of their pairs.
pub(super) fn measure(base: &[&Sample], candidate: &[&Sample], paired: bool) -> Vec<Row> {
    let names = |samples: &[&Sample]| -> BTreeSet<String> {
        samples.iter().flat_map(|s| &s.record.operations).map(|o| o.name.clone()).collect()
    };
    let both: Vec<String> = names(base).intersection(&names(candidate)).cloned().collect();
    let compare: Compare = if paired { stats::paired } else { difference };
    both.iter()
        .flat_map(|operation| {
            Metric::ALL.map(|metric| row(operation, metric, base, candidate, compare))
        })
        .collect()
}

/// Corrects the p-values of all `rows` together and judges each. Returns how many comparisons that were.
pub(super) fn judge_all<'a>(rows: impl Iterator<Item = (&'a mut Row, Judging)>) -> usize {
    let mut rows: Vec<(&mut Row, Judging)> = rows.collect();
    let p_values: Vec<f64> = rows.iter().map(|(r, _)| r.p_value.unwrap_or(f64::NAN)).collect();
    for ((row, judging), adjusted) in rows.iter_mut().zip(holm(&p_values)) {
        row.p_adjusted = (!adjusted.is_nan()).then_some(adjusted);
        row.change = judge(row, *judging);
    }
    p_values.iter().filter(|p| !p.is_nan()).count()
}

/// How strictly a row is judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judging {
    /// Relative change up to which nothing is called one.
    pub(super) noise: f64,
    /// Whether each side is one run, and that is not to be enough.
    pub(super) once: bool,
}

fn row(
    operation: &str,
    metric: Metric,
    base: &[&Sample],
    candidate: &[&Sample],
    compare: Compare,
) -> Row {
    // All runs of a side, or none: leaving out those that could not tell would choose among them.
    let estimates = |samples: &[&Sample]| -> Option<Vec<Estimate>> {
        let key = (operation.to_owned(), metric);
        samples.iter().map(|s| s.estimates.get(&key).copied()).collect()
    };
    let value = |estimates: &Option<Vec<Estimate>>| {
        let estimates = estimates.as_ref()?;
        Some((estimates.iter().map(|e| e.value).sum::<f64>() / estimates.len() as f64).exp())
    };
    let (a, b) = (estimates(base), estimates(candidate));
    let d = a.as_ref().zip(b.as_ref()).and_then(|(a, b)| compare(a, b));
    Row {
        operation: operation.to_owned(),
        metric,
        base: value(&a),
        candidate: value(&b),
        relative: d.map(|d| d.difference.exp_m1()),
        ci95: d.map(|d| {
            ((d.difference - d.half_width95).exp_m1(), (d.difference + d.half_width95).exp_m1())
        }),
        p_value: d.map(|d| d.p_value),
        p_adjusted: None,
        change: Change::TooFew,
    }
}

fn judge(row: &Row, Judging { noise, once }: Judging) -> Change {
    let (Some(relative), Some((low, high)), Some(p)) = (row.relative, row.ci95, row.p_adjusted)
    else {
        return Change::TooFew;
    };
    let (less, more) = (-noise, noise);
    if p < LEVEL && (relative > more || relative < less) {
        let worse = (relative > 0.0) == row.metric.more_is_worse();
        return match (worse, once) {
            (true, false) => Change::Regression,
            (false, false) => Change::Improvement,
            (true, true) => Change::WorseOnce,
            (false, true) => Change::BetterOnce,
        };
    }
    if low >= less && high <= more { Change::Equivalent } else { Change::Unclear }
}
