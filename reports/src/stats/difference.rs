//! The difference of two sides of runs, with its 95 % interval.
//!
//! Runs of the same system differ from each other by more than one run can know about itself (placement, caches,
//! the neighbours on the machine), so runs are the unit: Kalibera and Jones (2013), "Rigorous benchmarking in
//! reasonable time". With two or more runs on each side the interval is Welch's (1947) over the runs' values,
//! and never narrower than the runs' own errors allow. Where one side has a single run, the other's variance
//! between runs is taken for both. With one run on each side only the errors within the runs are known, and
//! [`Difference::between_runs`] says so.
//!
//! Runs that were made in pairs, one directly after the other under the same schedule, are compared within their pairs
//! ([`paired`]; Student (1908), "The probable error of a mean"): what drifts over hours, and what the schedule itself
//! brings, is the same on both sides of a pair and drops out.
//!
//! Assumption: values of runs are about normal on the scale on which they are given (logarithms, for latencies),
//! and the runs, or the pairs, are independent of each other.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// A value of one run with its error within the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The value, such as the logarithm of a latency.
    pub value: f64,
    /// Variance of the value, from within the run.
    pub variance: f64,
    /// Degrees of freedom behind the variance.
    pub df: f64,
}

/// Candidate less base.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Candidate's mean less the base's, on the scale of the values.
    pub difference: f64,
    /// Half-width of its 95 % confidence interval.
    pub half_width95: f64,
    /// Two-sided p-value of "there is no difference".
    pub p_value: f64,
    /// Whether the variation between runs was seen, on one side at least.
    pub between_runs: bool,
}

/// The mean of the differences within pairs: `base[i]` and `candidate[i]` are a pair. `None` with fewer than two
/// pairs, with sides of different length, or where a value or an error is not finite.
///
/// Unlike [`difference`] it has no floor from the errors within runs: those of a pair depend on each other through
/// their common schedule, and the spread of the differences holds what is left of them. Only where all differences
/// are equal to the last digit, as recorded values of three digits can be, do the runs' own errors stand in.
#[must_use]
pub fn paired(base: &[Estimate], candidate: &[Estimate]) -> Option<Difference> {
    if base.len() < 2 || base.len() != candidate.len() || !usable(base.iter().chain(candidate)) {
        return None;
    }
    let pairs: Vec<Estimate> = base
        .iter()
        .zip(candidate)
        .map(|(a, b)| Estimate {
            value: b.value - a.value,
            variance: a.variance + b.variance,
            df: a.df + b.df,
        })
        .collect();
    let (spread, df) = between(&pairs)?;
    let seen = Side { mean: mean(&pairs), variance: spread / pairs.len() as f64, df };
    let one = if seen.variance > 0.0 { seen } else { within(&pairs) };
    told(one.mean, one.variance, one.df, true)
}

fn usable<'a>(mut estimates: impl Iterator<Item = &'a Estimate>) -> bool {
    estimates.all(|e| e.value.is_finite() && e.variance.is_finite() && e.variance >= 0.0)
}

/// A difference with this variance.
fn told(difference: f64, variance: f64, df: f64, between_runs: bool) -> Option<Difference> {
    if variance == 0.0 {
        let p_value = if difference == 0.0 { 1.0 } else { 0.0 };
        return Some(Difference { difference, half_width95: 0.0, p_value, between_runs });
    }
    let t = StudentsT::new(0.0, 1.0, df).ok()?;
    let error = variance.sqrt();
    Some(Difference {
        difference,
        half_width95: t.inverse_cdf(0.975) * error,
        p_value: 2.0 * t.sf((difference / error).abs()),
        between_runs,
    })
}

/// Variance of a side's mean and its degrees of freedom.
struct Side {
    mean: f64,
    variance: f64,
    df: f64,
}

/// The difference between the means of two sides, a value per run. `None` where a side has no run, or a value
/// or an error is not finite.
#[must_use]
pub fn difference(base: &[Estimate], candidate: &[Estimate]) -> Option<Difference> {
    if base.is_empty() || candidate.is_empty() || !usable(base.iter().chain(candidate)) {
        return None;
    }
    let (a, b) = match (between(base), between(candidate)) {
        (None, None) => (within(base), within(candidate)),
        (Some(seen), None) => (side(base, seen), side(candidate, seen)),
        (None, Some(seen)) => (side(base, seen), side(candidate, seen)),
        (Some(first), Some(second)) => (side(base, first), side(candidate, second)),
    };
    let between_runs = base.len() > 1 || candidate.len() > 1;
    let difference = b.mean - a.mean;
    let variance = a.variance + b.variance;
    // Welch and Satterthwaite. One estimate that serves both sides has its own degrees of freedom, not twice.
    let df = if base.len() > 1 && candidate.len() > 1 || !between_runs {
        variance.powi(2) / (a.variance.powi(2) / a.df + b.variance.powi(2) / b.df)
    } else {
        a.df.min(b.df)
    };
    told(difference, variance, df, between_runs)
}

fn mean(runs: &[Estimate]) -> f64 {
    runs.iter().map(|e| e.value).sum::<f64>() / runs.len() as f64
}

/// Variance between runs and its degrees of freedom, where there is more than one.
fn between(runs: &[Estimate]) -> Option<(f64, f64)> {
    let (m, df) = (mean(runs), runs.len() as f64 - 1.0);
    (df > 0.0).then(|| (runs.iter().map(|e| (e.value - m).powi(2)).sum::<f64>() / df, df))
}

/// A side with this variance between runs, but no less than the errors within them.
fn side(runs: &[Estimate], (between, df): (f64, f64)) -> Side {
    let n = runs.len() as f64;
    let inside = within(runs);
    Side { mean: inside.mean, variance: (between / n).max(inside.variance), df }
}

/// A side of whose runs only the errors within are known.
fn within(runs: &[Estimate]) -> Side {
    let n = runs.len() as f64;
    Side {
        mean: mean(runs),
        variance: runs.iter().map(|e| e.variance).sum::<f64>() / n.powi(2),
        df: runs.iter().map(|e| e.df).sum(),
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::stats::synthetic::{Latencies, normal};
    use crate::stats::{Counts, ln_percentile};

    fn exact(values: &[f64]) -> Vec<Estimate> {
        values.iter().map(|&value| Estimate { value, variance: 0.0, df: 9.0 }).collect()
    }

    #[test]
    fn welch_agrees_with_an_independent_implementation() {
        let a = exact(&[27.5, 21.0, 19.0, 23.6, 17.0]);
        let b = exact(&[27.1, 22.0, 20.8, 23.4, 23.4]);
        let d = difference(&a, &b).unwrap();
        assert!((d.difference - 1.72).abs() < 1e-9);
        // t = 0.8132, df = 6.4025, by another program.
        assert!((d.p_value - 0.4453).abs() < 5e-4, "{}", d.p_value);
        assert!((d.half_width95 / (1.72 / 0.8132) - 2.411).abs() < 2e-3, "{}", d.half_width95);
    }

    /// Runs of one system: a level of their own each, and latencies that wander.
    fn runs(n: usize, shift: f64, seed: u64, level_spread: f64) -> Vec<Vec<Counts>> {
        long_runs(n, 60, shift, seed, level_spread)
    }

    fn long_runs(
        n: usize,
        seconds: usize,
        shift: f64,
        seed: u64,
        level_spread: f64,
    ) -> Vec<Vec<Counts>> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let source = Latencies { rho: 0.6, per_second: 60, shift };
        (0..n)
            .map(|run| {
                let level = level_spread * normal(&mut rng);
                source.run(seconds, seed * 1000 + run as u64, level)
            })
            .collect()
    }

    fn estimates(runs: &[Vec<Counts>]) -> Vec<Estimate> {
        runs.iter().map(|run| ln_percentile(run, 0.95).unwrap()).collect()
    }

    #[test]
    fn equal_systems_raise_no_more_false_alarms_than_stated() {
        for (n, spread) in [(1, 0.0), (3, 0.05), (8, 0.02)] {
            let trials = 400_u64;
            let alarms = (0..trials)
                .filter(|seed| {
                    let a = estimates(&runs(n, 1.0, seed * 2, spread));
                    let b = estimates(&runs(n, 1.0, seed * 2 + 1, spread));
                    difference(&a, &b).unwrap().p_value < 0.05
                })
                .count();
            // At 5 % of 400, 20 are expected; 32 are exceeded once in 250 times.
            assert!(alarms <= 32, "{n} runs a side: {alarms} of {trials}");
        }
    }

    #[test]
    fn one_run_against_several_takes_their_variation_for_its_own() {
        let trials = 400_u64;
        let alarms = (0..trials)
            .filter(|seed| {
                let a = estimates(&runs(6, 1.0, seed * 2, 0.05));
                let b = estimates(&runs(1, 1.0, seed * 2 + 1, 0.05));
                difference(&a, &b).unwrap().p_value < 0.05
            })
            .count();
        assert!(alarms <= 32, "{alarms} of {trials}");
    }

    #[test]
    fn a_shift_of_five_percent_is_seen_by_ten_runs_a_side() {
        let trials = 40_u64;
        let seen = (0..trials)
            .filter(|seed| {
                let a = estimates(&long_runs(10, 180, 1.0, seed * 2, 0.02));
                let b = estimates(&long_runs(10, 180, 1.05, seed * 2 + 1, 0.02));
                let d = difference(&a, &b).unwrap();
                d.p_value < 0.05 && d.difference > 0.0
            })
            .count();
        assert!(seen * 10 >= 8 * trials as usize, "seen {seen} times of {trials}");
    }

    #[test]
    fn pairs_agree_with_a_worked_example() {
        // "Student" (1908): extra sleep by two drugs in ten patients; t = 4.0621, 9 degrees of freedom, p = 0.002833,
        // as R's t.test(extra ~ group, paired = TRUE) on its data set `sleep`.
        let a = exact(&[0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]);
        let b = exact(&[1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]);
        let d = paired(&a, &b).unwrap();
        assert!((d.difference - 1.58).abs() < 1e-9 && (d.p_value - 0.002833).abs() < 1e-6, "{d:?}");
        assert!((d.half_width95 - 0.88).abs() < 1e-3, "{d:?}");
    }

    /// Pairs of runs of a machine that drifts: each pair has a level of its own, and its runs differ a little.
    fn pairs(n: usize, shift: f64, seed: u64) -> (Vec<Estimate>, Vec<Estimate>) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut run = |level: f64| Estimate {
            value: level + 0.01 * normal(&mut rng),
            variance: 1e-4,
            df: 6.0,
        };
        let level = |pair: usize| 0.3 * (pair as f64 * 0.7).sin() + 0.02 * pair as f64;
        (0..n).map(|pair| (run(level(pair)), run(level(pair) + shift.ln()))).unzip()
    }

    #[test]
    fn pairs_of_equal_systems_raise_no_more_false_alarms_than_stated() {
        for n in [2, 5, 10] {
            let trials = 2_000_u64;
            let alarms = (0..trials).filter(|&seed| {
                let (a, b) = pairs(n, 1.0, seed);
                paired(&a, &b).unwrap().p_value < 0.05
            });
            // At 5 % of 2,000, 100 are expected; 125 are exceeded once in 200 times.
            let alarms = alarms.count();
            assert!(alarms <= 125, "{n} pairs: {alarms} of {trials}");
        }
    }

    #[test]
    fn five_pairs_see_a_shift_of_five_percent_through_a_drift_that_hides_it_from_unpaired_runs() {
        let trials = 200_u64;
        let (mut seen, mut unpaired) = (0, 0);
        for seed in 0..trials {
            let (a, b) = pairs(5, 1.05, seed);
            let d = paired(&a, &b).unwrap();
            seen += usize::from(d.p_value < 0.05 && d.difference > 0.0);
            unpaired += usize::from(difference(&a, &b).unwrap().p_value < 0.05);
        }
        assert!(seen * 10 >= 9 * trials as usize, "seen {seen} times of {trials}");
        assert!(unpaired * 10 <= trials as usize, "unpaired {unpaired} times of {trials}");
    }

    #[test]
    fn equal_differences_do_not_make_pairs_certain() {
        let run = |value: f64| Estimate { value, variance: 1.0, df: 6.0 };
        let d = paired(&[run(1.0), run(2.0)], &[run(1.5), run(2.5)]).unwrap();
        assert!(d.p_value > 0.5, "{d:?}");
        assert_eq!(paired(&[run(1.0)], &[run(1.0)]), None);
        assert_eq!(paired(&[run(1.0), run(2.0)], &[run(1.0)]), None);
        assert_eq!(paired(&[run(1.0), run(f64::NAN)], &[run(1.0), run(2.0)]), None);
    }

    #[test]
    fn sides_without_runs_or_with_broken_values_give_nothing() {
        assert_eq!(difference(&[], &exact(&[1.0])), None);
        assert_eq!(difference(&exact(&[f64::NAN]), &exact(&[1.0])), None);
        let same = difference(&exact(&[2.0, 2.0]), &exact(&[2.0, 2.0])).unwrap();
        assert_eq!((same.difference, same.p_value), (0.0, 1.0));
    }
}
