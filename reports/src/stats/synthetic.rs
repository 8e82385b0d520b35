//! Latencies whose distribution is known exactly, for testing the estimators.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::Counts;

/// Spread of the slow part, an AR(1) over seconds, and of the single operation, on the log scale.
const SLOW: f64 = 0.15;
const FAST: f64 = 0.4;
/// Median in nanoseconds.
const MEDIAN: f64 = 5e6;

/// Log-normal latencies whose median wanders as an AR(1).
pub(crate) struct Latencies {
    /// Correlation of neighbouring seconds.
    pub rho: f64,
    pub per_second: usize,
    /// Factor on everything.
    pub shift: f64,
}

pub(crate) fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

impl Latencies {
    /// The log of the true percentile.
    pub(crate) fn ln_percentile(&self, quantile: f64) -> f64 {
        let z = Normal::standard().inverse_cdf(quantile);
        (MEDIAN * self.shift).ln() + z * SLOW.hypot(FAST)
    }

    pub(crate) fn intervals(&self, seconds: usize, seed: u64) -> Vec<Counts> {
        self.run(seconds, seed, 0.0)
    }

    /// A run whose level lies `level` off on the log scale, as runs of one system differ.
    pub(crate) fn run(&self, seconds: usize, seed: u64, level: f64) -> Vec<Counts> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut slow = normal(&mut rng);
        (0..seconds)
            .map(|_| {
                slow = self.rho * slow + (1.0 - self.rho * self.rho).sqrt() * normal(&mut rng);
                let centre = (MEDIAN * self.shift).ln() + level + SLOW * slow;
                let mut values: Vec<u64> = (0..self.per_second)
                    .map(|_| (centre + FAST * normal(&mut rng)).exp() as u64)
                    .collect();
                values.sort_unstable();
                values.into_iter().map(|v| (three_digits(v), 1)).collect()
            })
            .collect()
    }
}

/// As a histogram of three significant digits would keep it.
fn three_digits(value: u64) -> u64 {
    let unit = 10_u64.pow(value.max(1).ilog10().saturating_sub(3));
    value / unit * unit
}

pub(crate) fn t975(df: f64) -> f64 {
    StudentsT::new(0.0, 1.0, df).unwrap().inverse_cdf(0.975)
}
