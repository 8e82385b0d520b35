//! The difference of two sides of runs, with its 95 % interval.
//!
//! Runs of the same system differ from each other by more than one run can know about itself (placement, caches,
//! the neighbours on the machine), so runs are the unit: Kalibera and Jones (2013), "Rigorous benchmarking in
//! reasonable time". With two or more runs on each side the interval is Welch's (1947) over the runs' values,
//! and never narrower than the runs' own errors allow. Where one side has a single run, the other's variance
//! between runs is taken for both. With one run on each side only the errors within the runs are known, and
//! [`Difference::between_runs`] says so.
//!
//! Assumption: values of runs are about normal on the scale on which they are given (logarithms, for latencies),
//! and the runs are independent of each other.

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
    let all = || base.iter().chain(candidate);
    if base.is_empty()
        || candidate.is_empty()
        || !all().all(|e| e.value.is_finite() && e.variance.is_finite() && e.variance >= 0.0)
    {
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
    if variance == 0.0 {
        let p_value = if difference == 0.0 { 1.0 } else { 0.0 };
        return Some(Difference { difference, half_width95: 0.0, p_value, between_runs });
    }
    // Welch and Satterthwaite. One estimate that serves both sides has its own degrees of freedom, not twice.
    let df = if base.len() > 1 && candidate.len() > 1 || !between_runs {
        variance.powi(2) / (a.variance.powi(2) / a.df + b.variance.powi(2) / b.df)
    } else {
        a.df.min(b.df)
    };
    let t = StudentsT::new(0.0, 1.0, df).ok()?;
    let error = variance.sqrt();
    Some(Difference {
        difference,
        half_width95: t.inverse_cdf(0.975) * error,
        p_value: 2.0 * t.sf((difference / error).abs()),
        between_runs,
    })
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
    fn sides_without_runs_or_with_broken_values_give_nothing() {
        assert_eq!(difference(&[], &exact(&[1.0])), None);
        assert_eq!(difference(&exact(&[f64::NAN]), &exact(&[1.0])), None);
        let same = difference(&exact(&[2.0, 2.0]), &exact(&[2.0, 2.0])).unwrap();
        assert_eq!((same.difference, same.p_value), (0.0, 1.0));
    }
}
