//! Did a change make it worse? Two sides of runs compared, operation by operation.
//!
//! Each run gives one value per operation and metric, with the error that the run itself shows
//! ([`crate::stats::ln_percentile`], [`crate::summary::mean_ci`]). Sides are compared over their runs
//! ([`crate::stats::difference`]), or over their pairs where they were made in turn ([`crate::stats::paired`]), and all
//! comparisons that are made together, of all candidates, are corrected together ([`crate::stats::holm`]). Latencies are
//! compared as ratios.

mod aa;
pub(crate) mod comparable;
mod lost;
mod pairs;
mod render;
mod row;
mod sample;
mod spread;

use std::path::Path;

use serde::Serialize;

pub use aa::{FalseAlarms, false_alarms};
pub use comparable::Mismatch;
pub use lost::Lost;
pub use pairs::Pairs;
pub(crate) use render::headline;
pub use render::{ComparePaths, render, text};
pub use row::{Change, Metric, Row};
pub use sample::Sample;
pub use spread::{Spread, spread, spread_text};

use crate::error::RecordError;
use crate::record::{RunState, Verdict};

/// Relative change up to which nothing is called a regression, without another wish.
pub const NOISE: f64 = 0.05;
/// Chance of a false alarm among all comparisons that are made together.
pub const LEVEL: f64 = 0.05;

/// What is compared, and how strictly.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Relative change up to which nothing is called a regression or an improvement.
    pub noise: f64,
    /// Compare what is not comparable all the same, marked.
    pub force: bool,
    /// Let one run a side be enough to call a regression.
    pub allow_single: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { noise: NOISE, force: false, allow_single: false }
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
    /// A/A compared nothing, so that it cannot tell how often equal runs raise an alarm.
    #[error(
        "nothing could be compared: in no split of the {runs} runs has an operation enough operations and seconds in \
         each run; make longer runs"
    )]
    NothingCompared {
        /// Whole runs.
        runs: usize,
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
    /// Whether a regression may be called all the same.
    pub allow_single: bool,
    /// The pairs, where the runs were made in turn.
    pub pairs: Option<Pairs>,
    /// Runs that did not end in order and are left out (the comparison was forced).
    pub left_out: Vec<String>,
    /// What Holm's correction was made over.
    pub corrected: Corrected,
}

/// The comparisons that were made, and corrected, together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Corrected {
    /// Single comparisons of all candidates.
    pub comparisons: usize,
    /// Candidates with one base.
    pub candidates: usize,
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

    /// Whether not one figure could be compared, so that nothing at all is known of the candidate.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.not_compared() == self.rows.len()
    }

    /// Whether something is worse within two single runs, which does not show a regression yet.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        self.rows.iter().any(|row| row.change == Change::WorseOnce)
    }

    /// Whether anything got worse: a regression, or something that the base showed and the candidate does not.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        self.regressions().next().is_some() || !self.lost.is_empty()
    }
}

/// The runs of a side: `dir` itself where it is a run, else the run directories in it, else those of the only group
/// of repeated runs in it.
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
    let mut one = measure(base, candidate, options)?;
    correct(std::slice::from_mut(&mut one));
    Ok(one)
}

/// Compares each of `candidates` with `base`; all comparisons are corrected together, so that the chance of any false
/// alarm stays at [`LEVEL`] however many candidates there are.
///
/// # Errors
/// As for [`compare`].
pub fn compare_all(
    base: (&str, &[Sample]),
    candidates: &[(&str, &[Sample])],
    options: Options,
) -> Result<Vec<Comparison>, CompareError> {
    let mut all = candidates
        .iter()
        .map(|candidate| measure(base, *candidate, options))
        .collect::<Result<Vec<_>, _>>()?;
    correct(&mut all);
    Ok(all)
}

/// A comparison whose rows are not judged yet.
fn measure(
    base: (&str, &[Sample]),
    candidate: (&str, &[Sample]),
    options: Options,
) -> Result<Comparison, CompareError> {
    let (a, b): (Vec<&Sample>, Vec<&Sample>) =
        (base.1.iter().collect(), candidate.1.iter().collect());
    let (mismatches, differences) = comparable::check(&a, &b, options.noise);
    if !mismatches.is_empty() && !options.force {
        return Err(CompareError::Mismatch(mismatches));
    }
    // What was cut off counts the time until then and no more: forced or not, it has no place beside whole runs.
    let (mut first, mut second) = (whole(base.1), whole(candidate.1));
    let left_out = base.1.iter().chain(candidate.1).filter(|s| !is_whole(s));
    let left_out = left_out.map(|s| s.record.run_id.clone()).collect();
    let paired = pairs::pair(&first, &second);
    let pairs = paired.map(|paired| {
        (first, second) = (paired.base, paired.candidate);
        paired.told
    });
    Ok(Comparison {
        base: describe(base),
        candidate: describe(candidate),
        noise: options.noise,
        forced: mismatches,
        differences,
        rows: row::measure(&first, &second, pairs.is_some()),
        lost: lost::lost(&first, &second),
        single_runs: first.len() < 2 && second.len() < 2,
        allow_single: options.allow_single,
        pairs,
        left_out,
        corrected: Corrected { comparisons: 0, candidates: 0 },
    })
}

/// Corrects and judges all rows together.
fn correct(all: &mut [Comparison]) {
    let candidates = all.len();
    let rows = all.iter_mut().flat_map(|one| {
        let once = one.single_runs && !one.allow_single;
        let judging = row::Judging { noise: one.noise, once };
        one.rows.iter_mut().map(move |row| (row, judging))
    });
    let comparisons = row::judge_all(rows);
    for one in all {
        one.corrected = Corrected { comparisons, candidates };
    }
}

fn is_whole(sample: &Sample) -> bool {
    sample.record.state == RunState::Complete
}

fn whole(side: &[Sample]) -> Vec<&Sample> {
    side.iter().filter(|sample| is_whole(sample)).collect()
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
mod bad_input;
#[cfg(test)]
mod page_rates;
#[cfg(test)]
mod tests;
