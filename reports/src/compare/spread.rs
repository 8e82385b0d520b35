//! What runs of one stack came to: the main figures over the runs, with how much they differ from each other.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::Metric;
use crate::record::{OperationSummary, RunRecord, RunState};
use crate::stats::samples_needed;
use crate::summary::measured_s;
use crate::{escape, units};

/// Figures that a summary of runs shows.
const SHOWN: [Metric; 3] = [Metric::P50, Metric::P99, Metric::Rate];

/// One figure of one operation over several runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spread {
    /// Operation.
    pub operation: String,
    /// What of it.
    pub metric: Metric,
    /// Runs that have the figure.
    pub runs: usize,
    /// Their geometric mean (nanoseconds, or per second).
    pub mean: f64,
    /// 95 % confidence interval of that mean: Student's t over the runs' logarithms. Absent with one run.
    pub ci95: Option<(f64, f64)>,
    /// Smallest of the runs.
    pub min: f64,
    /// Largest of the runs.
    pub max: f64,
}

/// The main figures of every operation over those of these runs that are complete, as each run reports them. A p99
/// needs as many operations in a run as a claim on it does.
#[must_use]
pub fn spread(records: &[&RunRecord]) -> Vec<Spread> {
    let whole = |record: &&&RunRecord| record.state == RunState::Complete;
    let records: Vec<&RunRecord> = records.iter().filter(whole).copied().collect();
    let mut seen = BTreeSet::new();
    // In the order of the first run, then what only later ones have.
    let names = records.iter().flat_map(|record| &record.operations).map(|o| o.name.as_str());
    let names: Vec<&str> = names.filter(|name| seen.insert(*name)).collect();
    let figures = names.iter().flat_map(|name| SHOWN.map(|metric| (*name, metric)));
    figures.filter_map(|(name, metric)| one(&records, name, metric)).collect()
}

fn one(records: &[&RunRecord], name: &str, metric: Metric) -> Option<Spread> {
    let values: Vec<f64> = records
        .iter()
        .filter_map(|record| {
            let operation = record.operations.iter().find(|o| o.name == name)?;
            value(record, operation, metric)
        })
        .collect();
    let n = values.len() as f64;
    if values.is_empty() {
        return None;
    }
    let mean = values.iter().map(|v| v.ln()).sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v.ln() - mean).powi(2)).sum();
    let error = (squares / (n - 1.0) / n).sqrt();
    let t = StudentsT::new(0.0, 1.0, n - 1.0).ok().map(|t| t.inverse_cdf(0.975));
    Some(Spread {
        operation: name.to_owned(),
        metric,
        runs: values.len(),
        mean: mean.exp(),
        ci95: t.map(|t| ((mean - t * error).exp(), (mean + t * error).exp())),
        min: values.iter().copied().fold(f64::INFINITY, f64::min),
        max: values.iter().copied().fold(0.0, f64::max),
    })
}

/// The figure of one run; absent where it is not a positive number, since its logarithm is taken.
fn value(record: &RunRecord, operation: &OperationSummary, metric: Metric) -> Option<f64> {
    let response = &operation.response;
    let value = match metric {
        Metric::Mean => response.mean_ns,
        Metric::P50 => response.p50_ns as f64,
        Metric::P99 if response.count < samples_needed(0.99, 0.99) => return None,
        Metric::P99 => response.p99_ns as f64,
        Metric::Rate => operation.completed as f64 / measured_s(record, &[]),
    };
    (value.is_finite() && value > 0.0).then_some(value)
}

/// The same as a table for a terminal.
#[must_use]
pub fn spread_text(figures: &[Spread]) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = writeln!(
        out,
        "{:<20} {:<12} {:>4} {:>12}  {:<23} smallest to largest",
        "operation", "metric", "runs", "mean", "95 % interval"
    );
    for f in figures {
        let range = |(low, high)| format!("{} to {}", f.metric.show(low), f.metric.show(high));
        let _ = writeln!(
            out,
            "{:<20} {:<12} {:>4} {:>12}  {:<23} {}",
            escape::terminal(&f.operation),
            f.metric.label(),
            f.runs,
            f.metric.show(f.mean),
            f.ci95.map_or_else(|| "one run tells none".to_owned(), range),
            range((f.min, f.max))
        );
    }
    out.push_str(
        "Intervals are of the mean of such runs (Student's t over their logarithms), so they hold what differs from \
         run to run.\n",
    );
    out
}

impl Metric {
    /// A value of it, with its unit.
    pub(super) fn show(self, value: f64) -> String {
        match self {
            Self::Rate => format!("{}/s", units::rate(value)),
            Self::Mean | Self::P50 | Self::P99 => units::duration_ns(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn with_p50(p50_ns: u64) -> RunRecord {
        let mut record = testing::record();
        let mut operation = OperationSummary { name: "s3.get".into(), ..Default::default() };
        (operation.completed, operation.response.count) = (1_200, 1_200);
        (operation.response.p50_ns, operation.response.p99_ns) = (p50_ns, 40_000_000);
        record.operations = vec![operation];
        record
    }

    #[test]
    fn the_interval_is_students_over_the_runs_logarithms() {
        let e = std::f64::consts::E;
        let runs = [with_p50(1_000_000), with_p50((1e6 * e).round() as u64)];
        let figures = spread(&runs.iter().collect::<Vec<_>>());
        let p50 = &figures[0];
        assert_eq!((p50.metric, p50.runs), (Metric::P50, 2));
        // Logarithms x and x + 1: mean x + ½, standard error ½, and t is 12.7062 with one degree of freedom.
        assert!((p50.mean / (1e6 * 0.5f64.exp()) - 1.0).abs() < 1e-6, "{p50:?}");
        let (low, high) = p50.ci95.unwrap();
        assert!(((high / low).ln() - 12.7062).abs() < 1e-3, "{p50:?}");
        assert_eq!((p50.min, figures[1].ci95), (1e6, Some((figures[1].mean, figures[1].mean))));
        let text = spread_text(&figures);
        assert!(text.contains("s3.get") && text.contains("20.0/s"), "{text}");
    }

    #[test]
    fn one_run_has_no_interval_and_few_operations_no_p99() {
        let mut run = with_p50(1_000_000);
        run.operations[0].response.count = 458;
        let figures = spread(&[&run]);
        let told: Vec<_> = figures.iter().map(|f| (f.metric, f.ci95)).collect();
        assert_eq!(told, [(Metric::P50, None), (Metric::Rate, None)]);
        assert!(spread(&[]).is_empty());
        run.operations[0].response.p50_ns = 0;
        assert_eq!(spread(&[&run]).len(), 1, "nothing is said of a figure without a logarithm");
        run.state = RunState::Interrupted;
        assert!(spread(&[&run]).is_empty(), "what was cut off has no place beside whole runs");
    }
}
