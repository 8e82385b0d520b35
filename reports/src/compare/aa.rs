//! A/A: how often equal runs would be called different.

use std::collections::BTreeSet;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::{CompareError, LEVEL, Options, Sample, comparable, row, whole};

/// Most ways of splitting the runs that are tried.
const SPLITS: usize = 200;
const SEED: u64 = 1;

/// What comparing equal runs with each other gave.
#[derive(Debug, Clone, Serialize)]
pub struct FalseAlarms {
    /// Runs.
    pub runs: usize,
    /// Different ways of splitting them in half that were tried.
    pub splits: usize,
    /// Splits in which anything was called a regression or an improvement.
    pub alarmed: usize,
    /// Chance that is promised for that.
    pub nominal: f64,
    /// Single comparisons over all splits.
    pub comparisons: usize,
    /// Those whose own p-value was under the level, before correction.
    pub under_level: usize,
}

impl FalseAlarms {
    /// Share of splits that raised an alarm.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.alarmed as f64 / self.splits.max(1) as f64
    }
}

/// Splits the runs in half in many ways and compares the halves.
///
/// Splits share runs, so their alarms come together: the rate tells how this series behaves, and scatters more
/// than as many independent trials would.
///
/// # Errors
/// Fewer than four runs that ended in order, runs of different conditions, or runs of which no figure can be compared.
pub fn false_alarms(samples: &[Sample], options: Options) -> Result<FalseAlarms, CompareError> {
    if samples.len() < 4 {
        return Err(CompareError::TooFewRuns { found: samples.len() });
    }
    let all: Vec<&Sample> = samples.iter().collect();
    let (mismatches, _) = comparable::check(&all, &[], options.noise);
    if !mismatches.is_empty() && !options.force {
        return Err(CompareError::Mismatch(mismatches));
    }
    // Forced or not: what was cut off has no figures to compare.
    let all = whole(samples);
    if all.len() < 4 {
        return Err(CompareError::TooFewRuns { found: all.len() });
    }
    let halves = splits(all.len());
    let mut result = FalseAlarms {
        runs: all.len(),
        splits: halves.len(),
        alarmed: 0,
        nominal: LEVEL,
        comparisons: 0,
        under_level: 0,
    };
    for (a, b) in &halves {
        let pick = |half: &[usize]| half.iter().map(|&i| all[i]).collect::<Vec<_>>();
        let mut rows = row::measure(&pick(a), &pick(b), false);
        let judging = row::Judging { noise: options.noise, once: false };
        row::judge_all(rows.iter_mut().map(|row| (row, judging)));
        let alarm =
            |r: &row::Row| matches!(r.change, row::Change::Regression | row::Change::Improvement);
        result.alarmed += usize::from(rows.iter().any(alarm));
        result.comparisons += rows.iter().filter(|r| r.p_value.is_some()).count();
        result.under_level += rows.iter().filter(|r| r.p_value.is_some_and(|p| p < LEVEL)).count();
    }
    if result.comparisons == 0 {
        return Err(CompareError::NothingCompared { runs: result.runs });
    }
    Ok(result)
}

/// Different ways of splitting `n` runs in half: all of them where there are few, else a sample.
fn splits(n: usize) -> Vec<(Vec<usize>, Vec<usize>)> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut order: Vec<usize> = (0..n).collect();
    let mut found = BTreeSet::new();
    // Random tries find all of a few ways: missing one of 10 in 2,000 has a chance of e^-200.
    for _ in 0..SPLITS * 10 {
        order.shuffle(&mut rng);
        let (mut a, mut b) = (order[..n / 2].to_vec(), order[n / 2..].to_vec());
        a.sort_unstable();
        b.sort_unstable();
        // Of equal halves it does not matter which is called the base.
        if a.len() == b.len() && b < a {
            std::mem::swap(&mut a, &mut b);
        }
        found.insert((a, b));
        if found.len() == SPLITS {
            break;
        }
    }
    found.into_iter().collect()
}
