//! Did a change make it worse? Two sides of runs compared, operation by operation.
//!
//! Each run gives one value per operation and metric, with the error that the run itself shows
//! ([`crate::stats::ln_percentile`], [`crate::summary::mean_ci`]). Sides are compared over their runs
//! ([`crate::stats::difference`]), and all comparisons of a page are corrected together
//! ([`crate::stats::holm`]). Latencies are compared as ratios.

mod aa;
mod comparable;
mod lost;
mod render;
mod row;
mod sample;

use std::path::Path;

use serde::Serialize;

pub use aa::{FalseAlarms, false_alarms};
pub use comparable::Mismatch;
pub use lost::Lost;
pub use render::{ComparePaths, render, text};
pub use row::{Change, Metric, Row};
pub use sample::Sample;

use crate::error::RecordError;
use crate::record::Verdict;

/// Relative change up to which nothing is called a regression, without another wish.
pub const NOISE: f64 = 0.05;
/// Chance of a false alarm among all comparisons of a page.
pub const LEVEL: f64 = 0.05;

/// What is compared, and how strictly.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Relative change up to which nothing is called a regression or an improvement.
    pub noise: f64,
    /// Compare what is not comparable all the same, marked.
    pub force: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { noise: NOISE, force: false }
    }
}

/// Why two sides cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A run cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The runs were not made under the same conditions.
    #[error(
        "not comparable: {}; compare runs of the same conditions, or force it with --force",
        listed(.0)
    )]
    Mismatch(Vec<Mismatch>),
    /// A/A needs runs to split.
    #[error("{found} runs: telling false alarms needs at least 4 runs of the same thing")]
    TooFewRuns {
        /// Runs given.
        found: usize,
    },
}

/// Conditions that one line has room for.
const LISTED: usize = 8;

fn listed(mismatches: &[Mismatch]) -> String {
    let mut shown: Vec<String> = mismatches.iter().take(LISTED).map(Mismatch::to_string).collect();
    if mismatches.len() > LISTED {
        shown.push(format!("{} more", mismatches.len() - LISTED));
    }
    shown.join("; ")
}

/// One side, for people.
#[derive(Debug, Clone, Serialize)]
pub struct Side {
    /// As given by the user.
    pub name: String,
    /// Its runs' ids, in order of time.
    pub runs: Vec<String>,
    /// Their verdicts, likewise.
    pub verdicts: Vec<Verdict>,
    /// What answered, `component: product version`.
    pub implementations: Vec<String>,
}

/// Candidate against base.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// What is compared with.
    pub base: Side,
    /// What is compared.
    pub candidate: Side,
    /// Relative change up to which nothing is called a regression.
    pub noise: f64,
    /// Conditions that differ though the comparison was forced.
    pub forced: Vec<Mismatch>,
    /// Conditions that may differ, and do (versions, kernel).
    pub differences: Vec<Mismatch>,
    /// A row per operation and metric.
    pub rows: Vec<Row>,
    /// What the base kept and the candidate does not.
    pub lost: Vec<Lost>,
    /// Whether no side has more than one run: how much runs differ from each other is then unknown.
    pub single_runs: bool,
}

impl Comparison {
    /// Rows called a regression.
    pub fn regressions(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.change == Change::Regression)
    }

    /// Rows of which nothing can be said.
    pub fn not_compared(&self) -> usize {
        self.rows.iter().filter(|row| row.change == Change::TooFew).count()
    }

    /// Whether anything got worse: a regression, or something that the base showed and the candidate does not.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        self.regressions().next().is_some() || !self.lost.is_empty()
    }
}

/// The runs of a side: `dir` itself where it is a run, else the run directories in it.
///
/// # Errors
/// Nothing there is a run, or one cannot be read.
pub fn side(dir: &Path) -> Result<Vec<Sample>, RecordError> {
    sample::read_side(dir)
}

/// Compares `candidate` with `base`, given with the names that people know them by.
///
/// # Errors
/// [`CompareError::Mismatch`] where the runs were made under different conditions and it is not forced.
pub fn compare(
    base: (&str, &[Sample]),
    candidate: (&str, &[Sample]),
    options: Options,
) -> Result<Comparison, CompareError> {
    let all: Vec<&Sample> = base.1.iter().chain(candidate.1).collect();
    let (mismatches, differences) = comparable::check(&all);
    if !mismatches.is_empty() && !options.force {
        return Err(CompareError::Mismatch(mismatches));
    }
    Ok(Comparison {
        base: describe(base),
        candidate: describe(candidate),
        noise: options.noise,
        forced: mismatches,
        differences,
        rows: row::rows(
            &base.1.iter().collect::<Vec<_>>(),
            &candidate.1.iter().collect::<Vec<_>>(),
            options.noise,
        ),
        lost: lost::lost(base.1, candidate.1),
        single_runs: base.1.len() < 2 && candidate.1.len() < 2,
    })
}

fn describe((name, samples): (&str, &[Sample])) -> Side {
    let mut implementations: Vec<String> = samples
        .iter()
        .flat_map(|s| &s.record.implementations)
        .map(|i| format!("{}: {} {}", i.component, i.name, i.version))
        .collect();
    implementations.sort();
    implementations.dedup();
    Side {
        name: name.to_owned(),
        runs: samples.iter().map(|s| s.record.run_id.clone()).collect(),
        verdicts: samples.iter().map(|s| s.record.verdict).collect(),
        implementations,
    }
}

#[cfg(test)]
mod tests;
