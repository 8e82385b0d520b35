//! Exact tails of the binomial law, for any number of trials that a run can have.
//!
//! The usual route, the regularised incomplete beta function by continued fraction, needs about
//! √n steps and loses its last digits for the 10⁷–10⁹ samples of a long run. The tail is instead
//! summed term by term away from the mean, where the terms shrink: the first from log-gamma, the
//! next ones by their ratio P(k−1)/P(k) = k(1−p) / ((n−k+1)p) (Abramowitz & Stegun 26.1.20).

use statrs::function::gamma::ln_gamma;

/// P(X ≤ k) for X ~ Binomial(n, p). `p` outside 0 … 1 is taken as the nearer end.
#[must_use]
pub fn lower_tail(k: u64, n: u64, p: f64) -> f64 {
    if k >= n {
        return 1.0;
    }
    let p = p.clamp(0.0, 1.0);
    if p == 0.0 {
        return 1.0;
    }
    if p == 1.0 {
        return 0.0;
    }
    if (k as f64) < n as f64 * p {
        sum_down(k, n, p)
    } else {
        // P(X ≥ k+1), seen from the other side: n − X ~ Binomial(n, 1 − p).
        (1.0 - sum_down(n - k - 1, n, 1.0 - p)).clamp(0.0, 1.0)
    }
}

/// P(X ≥ k) for X ~ Binomial(n, p). `p` outside 0 … 1 is taken as the nearer end.
#[must_use]
pub fn upper_tail(k: u64, n: u64, p: f64) -> f64 {
    if k == 0 {
        return 1.0;
    }
    if k > n {
        return 0.0;
    }
    lower_tail(n - k, n, 1.0 - p.clamp(0.0, 1.0))
}

/// Σ P(X = i) for i = k … 0, with k at or below the mean, so that the terms shrink.
fn sum_down(k: u64, n: u64, p: f64) -> f64 {
    let mut term = ln_probability(k, n, p).exp();
    let mut sum = term;
    let odds = (1.0 - p) / p;
    let mut i = k;
    while i > 0 && term > sum * 1e-17 {
        term *= i as f64 * odds / (n - i + 1) as f64;
        sum += term;
        i -= 1;
    }
    sum.clamp(0.0, 1.0)
}

fn ln_probability(k: u64, n: u64, p: f64) -> f64 {
    let (k, n) = (k as f64, n as f64);
    ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0)
        + k * p.ln()
        + (n - k) * (-p).ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use statrs::distribution::{Binomial, DiscreteCDF};

    #[test]
    fn tails_match_values_worked_out_by_hand() {
        // Four tosses of a fair coin: 1, 5, 11, 15, 16 sixteenths.
        for (k, sixteenths) in [1.0, 5.0, 11.0, 15.0, 16.0].into_iter().enumerate() {
            assert!((lower_tail(k as u64, 4, 0.5) - sixteenths / 16.0).abs() < 1e-14);
        }
        assert!((upper_tail(3, 4, 0.5) - 5.0 / 16.0).abs() < 1e-14);
    }

    #[test]
    fn no_trials_and_sure_events_are_certain() {
        assert_eq!(lower_tail(0, 0, 0.3), 1.0);
        assert_eq!(upper_tail(0, 0, 0.3), 1.0);
        assert_eq!(upper_tail(1, 0, 0.3), 0.0);
        assert_eq!(lower_tail(3, 10, 0.0), 1.0);
        assert_eq!(lower_tail(3, 10, 1.0), 0.0);
    }

    #[test]
    fn a_billion_trials_agree_with_the_normal_approximation() {
        let (n, p) = (1_000_000_000u64, 0.01);
        let sigma = (n as f64 * p * (1.0 - p)).sqrt();
        let k = (n as f64 * p - 2.326_347_9 * sigma).round() as u64;
        assert!((lower_tail(k, n, p) - 0.01).abs() < 1e-4);
    }

    proptest! {
        #[test]
        fn tails_match_an_independent_implementation(n in 1u64..400, p in 0.001f64..0.999, at in 0.0f64..1.0) {
            let k = (at * n as f64) as u64;
            let expected = Binomial::new(p, n).unwrap().cdf(k);
            prop_assert!((lower_tail(k, n, p) - expected).abs() < 1e-9);
        }

        #[test]
        fn the_two_tails_share_out_the_whole(n in 1u64..5000, p in 0.001f64..0.999, at in 0.0f64..1.0) {
            let k = (at * n as f64) as u64;
            prop_assert!((lower_tail(k, n, p) + upper_tail(k + 1, n, p) - 1.0).abs() < 1e-9);
        }
    }
}
