//! How much may be claimed about a percentile from the samples at hand.
//!
//! Assumption of [`claim`]: whether one operation stays under the threshold does not depend on the
//! one before. Slow operations come in bunches, so [`clustered_claim`] and
//! [`percentile_upper_bound`] first divide their counts by the [`design_effect`], and assume only
//! that intervals do not depend on each other.
//!
//! Sources: order-statistic bounds, Conover, *Practical Nonparametric Statistics*, 3rd ed., §3.2;
//! the early-stopping rule of the MLPerf inference rules, appendix "Early Stopping Criterion".

use hdrhistogram::Histogram;

use super::binomial::{lower_tail, upper_tail};
use super::cluster::design_effect;
use super::clusters::Cluster;

/// What the samples say about "this percentile is at most the threshold".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The claim holds with the asked confidence.
    Holds,
    /// Its opposite holds with the asked confidence.
    Refuted,
    /// Neither can be claimed.
    Undecided,
}

/// Judges "the `percentile` is at most T" from `n` samples of which `over` were above T.
///
/// Under the worst law that still breaks the claim, a sample is above T with probability
/// 1 − percentile. The claim holds if so few above T are then improbable,
/// P(X ≤ over) ≤ 1 − confidence; it is refuted if so many are improbable under the worst law that
/// still keeps it, P(X ≥ over) ≤ 1 − confidence. `percentile` and `confidence` are shares (0.99).
#[must_use]
pub fn claim(n: u64, over: u64, percentile: f64, confidence: f64) -> Claim {
    let over_share = 1.0 - percentile;
    // The tolerance absorbs the rounding of 1 − 0.99 (a few 1e-17), no more.
    let error = (1.0 - confidence) * (1.0 + 1e-12);
    if n == 0 {
        Claim::Undecided
    } else if lower_tail(over, n, over_share) <= error {
        Claim::Holds
    } else if upper_tail(over, n, over_share) <= error {
        Claim::Refuted
    } else {
        Claim::Undecided
    }
}

/// Fewest samples with which any claim on the percentile can hold, that is with none above the
/// threshold: ⌈ln(1 − confidence) ÷ ln(percentile)⌉. 459 for p99 at 99 %. `u64::MAX` for a
/// percentile of 1, which no number of samples shows.
#[must_use]
pub fn samples_needed(percentile: f64, confidence: f64) -> u64 {
    if !(percentile > 0.0 && confidence > 0.0) {
        return 1;
    }
    if percentile >= 1.0 {
        return u64::MAX;
    }
    // The cast saturates: an infinite need becomes u64::MAX.
    (((1.0 - confidence).ln() / percentile.ln()).ceil() as u64).max(1)
}

/// About how many samples would make the claim hold if the share above the threshold stayed
/// `over ÷ n`. Absent where that share is too close to, or beyond, what the percentile allows.
#[must_use]
pub fn samples_needed_at(n: u64, over: u64, percentile: f64, confidence: f64) -> Option<u64> {
    const MOST: u64 = 1 << 40;
    let share = if n == 0 { 0.0 } else { over as f64 / n as f64 };
    if share >= 1.0 - percentile {
        return None;
    }
    let holds =
        |n: u64| claim(n, (share * n as f64).ceil() as u64, percentile, confidence) == Claim::Holds;
    let mut high = samples_needed(percentile, confidence);
    while !holds(high) {
        if high >= MOST {
            return None;
        }
        high *= 2;
    }
    let mut low = high / 2;
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

/// Samples of a histogram above `threshold`. A bucket that holds values on both sides counts as
/// above, so the histogram's rounding can never turn a missed objective into a met one.
#[must_use]
pub fn over_threshold(histogram: &Histogram<u64>, threshold: u64) -> u64 {
    histogram
        .iter_recorded()
        .filter(|step| step.value_iterated_to() > threshold)
        .map(|step| step.count_at_value())
        .sum()
}

/// Upper bound of a percentile at a confidence, in the unit of the counts: the smallest recorded
/// value at which [`clustered_claim`] holds, and at every recorded value above it too. Absent where
/// it holds at none, as with too few samples ([`samples_needed`]).
///
/// A confidence limit by inversion of the test that gives the verdict, so that a verdict and the
/// bound printed beside it cannot contradict each other (Casella and Berger, *Statistical Inference*,
/// 2nd ed. (2002), §9.2.1). With independent samples it is the order statistic of the binomial law:
/// the k-th smallest sample with the smallest k for which P(Bin(n, percentile) ≤ k − 1) ≥ confidence.
#[must_use]
pub fn percentile_upper_bound(
    clusters: &[Cluster],
    percentile: f64,
    confidence: f64,
) -> Option<u64> {
    let mut state: Vec<(u64, u64)> = clusters.iter().map(|c| (c.len(), c.beyond)).collect();
    let mut recorded: Vec<(u64, usize, u64)> = Vec::new();
    for (at, cluster) in clusters.iter().enumerate() {
        recorded.extend(cluster.counts.iter().map(|(value, n)| (*value, at, *n)));
    }
    recorded.sort_unstable_by_key(|(value, ..)| std::cmp::Reverse(*value));
    let mut bound = None;
    for same in recorded.chunk_by(|a, b| a.0 == b.0) {
        // What is above this value is over it, and this value is not.
        if clustered_claim(&state, percentile, confidence) != Claim::Holds {
            break;
        }
        bound = same.first().map(|(value, ..)| *value);
        for (_, at, n) in same {
            let over = &mut state[*at].1;
            *over = over.saturating_add(*n);
        }
    }
    bound
}

/// Judges "the `percentile` is at most T" from clusters of `(n, over)`: as [`claim`], on the counts
/// divided by their [`design_effect`], rounded never in favour of the claim that is made.
#[must_use]
pub fn clustered_claim(clusters: &[(u64, u64)], percentile: f64, confidence: f64) -> Claim {
    let sum = |of: fn(&(u64, u64)) -> u64| {
        clusters.iter().map(of).fold(0u64, |sum, n| sum.saturating_add(n))
    };
    let (n, over) = (sum(|c| c.0), sum(|c| c.1));
    let effect = design_effect(clusters);
    let made = |(n, over): (u64, u64), wanted| claim(n, over, percentile, confidence) == wanted;
    if made(fewest(n, over, effect), Claim::Holds) {
        Claim::Holds
    } else if made(most(n, over, effect), Claim::Refuted) {
        Claim::Refuted
    } else {
        Claim::Undecided
    }
}

/// Independent samples, and those over, that say as much as clustered ones of this design effect;
/// rounded against a claim that the percentile is at most the threshold.
#[must_use]
pub fn fewest(n: u64, over: u64, effect: f64) -> (u64, u64) {
    if effect <= 1.0 {
        return (n, over);
    }
    let fewer = (n as f64 / effect).floor() as u64;
    (fewer, ((over as f64 / effect).ceil() as u64).min(fewer))
}

/// Likewise, rounded against a claim that it is more.
fn most(n: u64, over: u64, effect: f64) -> (u64, u64) {
    if effect <= 1.0 {
        return (n, over);
    }
    ((n as f64 / effect).ceil() as u64, (over as f64 / effect).floor() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::synthetic::Latencies;
    use crate::summary::latency_summary;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use statrs::distribution::{Binomial, Discrete};

    fn linear(n: u64) -> Histogram<u64> {
        let mut h = Histogram::new(3).unwrap();
        for v in 1..=n {
            h.record(v).unwrap();
        }
        h
    }

    /// The bound of independent samples, of which `beyond` are beyond every value.
    fn bound(h: &Histogram<u64>, beyond: u64, percentile: f64, confidence: f64) -> Option<u64> {
        let cluster = Cluster { counts: super::super::clusters::counts_of(h), beyond };
        percentile_upper_bound(&[cluster], percentile, confidence)
    }

    #[test]
    fn p99_at_99_percent_needs_459_samples() {
        assert_eq!(samples_needed(0.99, 0.99), 459);
        assert_eq!(samples_needed(0.5, 0.99), 7);
        assert_eq!(samples_needed(0.999, 0.99), 4603);
        assert_eq!(claim(459, 0, 0.99, 0.99), Claim::Holds);
        assert_eq!(claim(458, 0, 0.99, 0.99), Claim::Undecided);
    }

    #[test]
    fn no_samples_decide_nothing() {
        assert_eq!(claim(0, 0, 0.99, 0.99), Claim::Undecided);
        assert_eq!(bound(&linear(0), 0, 0.99, 0.99), None);
    }

    #[test]
    fn impossible_percentiles_do_not_break_the_arithmetic() {
        assert_eq!(samples_needed(1.0, 0.99), u64::MAX);
        assert_eq!(samples_needed(0.0, 0.99), 1);
        assert_eq!(samples_needed_at(100, 0, 1.0, 0.99), None);
    }

    #[test]
    fn a_claim_is_refuted_by_too_many_and_undecided_in_between() {
        assert_eq!(claim(10_000, 60, 0.99, 0.99), Claim::Holds);
        assert_eq!(claim(10_000, 100, 0.99, 0.99), Claim::Undecided);
        assert_eq!(claim(10_000, 140, 0.99, 0.99), Claim::Refuted);
    }

    #[test]
    fn the_need_for_samples_grows_with_the_share_above() {
        assert_eq!(samples_needed_at(0, 0, 0.99, 0.99), Some(459));
        let half = samples_needed_at(1000, 5, 0.99, 0.99).unwrap();
        assert!((1_000..2_500).contains(&half), "{half}");
        assert_eq!(samples_needed_at(1000, 10, 0.99, 0.99), None);
    }

    #[test]
    fn the_upper_bound_is_the_order_statistic_of_the_binomial_law() {
        // n = 459: k = n is the only one that bounds p99 at 99 %, so the bound is the maximum.
        assert_eq!(bound(&linear(459), 0, 0.99, 0.99), Some(459));
        assert_eq!(bound(&linear(458), 0, 0.99, 0.99), None);
        // n = 1000, p = 0.5, 95 %: the textbook one-sided bound is the 527th smallest.
        assert_eq!(bound(&linear(1000), 0, 0.5, 0.95), Some(527));
        // Ten failed operations above the rest: the bound falls among them.
        assert_eq!(bound(&linear(449), 10, 0.99, 0.99), None);
    }

    #[test]
    fn a_claim_is_wrong_at_most_once_in_a_hundred_by_the_binomial_law() {
        for (n, p) in
            [(459, 0.99), (600, 0.99), (5_000, 0.99), (90, 0.95), (400, 0.5), (4_700, 0.999)]
        {
            // On the border itself, where a wrong claim is likeliest; by an independent implementation of the law.
            let law = Binomial::new(1.0 - p, n).unwrap();
            let chance = |claimed| -> f64 {
                (0..=n).filter(|&k| claim(n, k, p, 0.99) == claimed).map(|k| law.pmf(k)).sum()
            };
            let (holds, refuted) = (chance(Claim::Holds), chance(Claim::Refuted));
            assert!(holds <= 0.01 + 1e-9 && refuted <= 0.01 + 1e-9, "{n}, {p}: {holds} {refuted}");
            // And no more careful than whole numbers make it: one more over the threshold would break the promise.
            let most = (0..=n).rev().find(|&k| claim(n, k, p, 0.99) == Claim::Holds).unwrap();
            assert!(holds + law.pmf(most + 1) > 0.01, "{n}, {p}");
        }
    }

    #[test]
    fn the_upper_bound_lies_above_the_true_percentile_as_often_as_stated() {
        let trials = 2_000;
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        for n in [459_u64, 700, 2_000] {
            let covered = (0..trials).filter(|_| {
                let mut h = Histogram::<u64>::new(3).unwrap();
                for _ in 0..n {
                    // Uniform on a million, so that the true p99 is 990,000.
                    h.record(rng.random_range(1..=1_000_000)).unwrap();
                }
                bound(&h, 0, 0.99, 0.99).unwrap() >= 990_000
            });
            let covered = covered.count();
            // At 99 % of 2,000, 1,980 are expected; fewer than 1,968 come once in 300 times.
            assert!(covered >= 1_968, "{n} samples: {covered} of {trials}");
        }
    }

    #[test]
    fn a_bucket_across_the_threshold_counts_as_above() {
        let mut h = Histogram::<u64>::new(3).unwrap();
        h.record(1_000_000).unwrap();
        assert_eq!(over_threshold(&h, 1_000_000), 1);
        assert_eq!(over_threshold(&h, 1_001_000), 0);
        assert_eq!(over_threshold(&linear(100), 99), 1);
    }

    #[test]
    fn the_bound_covers_the_true_percentile_where_slow_operations_come_together() {
        // A second's level is its own; within it operations depend on each other strongly.
        let source = Latencies { rho: 0.0, per_second: 60, shift: 1.0 };
        let truth = source.ln_percentile(0.95);
        let (trials, mut covered, mut naively) = (400u32, 0, 0);
        for seed in 0..trials {
            let clusters: Vec<Cluster> = source
                .intervals(120, u64::from(seed))
                .into_iter()
                .map(|counts| Cluster { counts, beyond: 0 })
                .collect();
            let holds = |bound: Option<u64>| (bound.unwrap() as f64 * 1.001).ln() >= truth;
            covered += u32::from(holds(percentile_upper_bound(&clusters, 0.95, 0.99)));
            let mut all: Vec<(u64, u64)> = clusters.into_iter().flat_map(|c| c.counts).collect();
            all.sort_unstable();
            let one = [Cluster { counts: all, beyond: 0 }];
            naively += u32::from(holds(percentile_upper_bound(&one, 0.95, 0.99)));
        }
        let share = |n: u32| f64::from(n) / f64::from(trials);
        assert!(share(covered) >= 0.975, "{}", share(covered));
        assert!(naively < covered, "the clusters are strong enough to matter: {naively}");
    }

    proptest! {
        #[test]
        fn percentiles_of_merged_histograms_are_the_exact_ones_within_a_thousandth(
            seconds in prop::collection::vec(prop::collection::vec(1u64..60_000_000_000, 0..60), 1..20),
        ) {
            let mut merged = Histogram::<u64>::new(3).unwrap();
            for second in &seconds {
                let mut one = Histogram::<u64>::new(3).unwrap();
                for value in second {
                    one.record(*value).unwrap();
                }
                merged.add(&one).unwrap();
            }
            let mut all: Vec<u64> = seconds.into_iter().flatten().collect();
            all.sort_unstable();
            let summary = latency_summary(&merged, 0);
            prop_assert_eq!(summary.count, all.len() as u64);
            let told = [(0.5, summary.p50_ns), (0.9, summary.p90_ns), (0.99, summary.p99_ns), (0.999, summary.p999_ns)];
            for (quantile, told) in told.into_iter().filter(|_| !all.is_empty()) {
                let exact = all[(all.len() as f64 * quantile).ceil() as usize - 1];
                // Never better than what was recorded, and at most one bucket worse.
                prop_assert!(exact <= told && told as f64 <= exact as f64 * 1.001, "{} {} {}", quantile, exact, told);
            }
        }

        #[test]
        fn the_bound_and_the_claim_agree(n in 459u64..2000, threshold in 1u64..2000, p in 0.5f64..0.99) {
            let h = linear(n);
            let over = over_threshold(&h, threshold);
            let bound = bound(&h, 0, p, 0.99);
            let held = claim(n, over, p, 0.99) == Claim::Holds;
            prop_assert_eq!(held, bound.is_some_and(|b| b <= threshold));
        }

        #[test]
        fn no_count_is_both_held_and_refuted_or_panics(n in 0u64..1_000_000, over in 0u64..1_000_000, p in 0.0f64..=1.0, c in 0.0f64..=1.0) {
            let _ = claim(n, over.min(n), p, c);
        }
    }
}
