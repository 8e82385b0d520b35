//! One latency objective against one histogram of response times.

use hdrhistogram::Histogram;

use crate::record::{ObjectiveResult, Verdict};
use crate::stats::{
    Claim, Cluster, Clusters, clustered_claim, counts_of, design_effect, fewest, over_threshold,
    percentile_upper_bound, samples_needed, samples_needed_at,
};
use crate::units::{count, duration_ns, percentile_name};

/// Confidence at which a percentile is claimed.
pub const CONFIDENCE: f64 = 0.99;

/// A design effect below this changes no figure that is printed.
const EFFECT_WORTH_SAYING: f64 = 1.05;

/// A latency objective: "`percentile` of the response time is at most `threshold_ns`".
#[derive(Debug, Clone, Copy)]
pub struct Objective<'a> {
    /// Stable identifier (`kafka.publish.p99`).
    pub id: &'a str,
    /// Operation it is about.
    pub operation: &'a str,
    /// Percentile as a share (0.99 for p99).
    pub percentile: f64,
    /// Threshold in nanoseconds.
    pub threshold_ns: u64,
    /// `documented` or `derived`.
    pub origin: &'a str,
    /// Where it is documented, or why it was derived.
    pub source: &'a str,
    /// Whether the exit code depends on it.
    pub required: bool,
}

/// Judges an objective on response times in nanoseconds, at 99 % confidence.
///
/// `errors` are operations that failed and `out_of_range` those slower than the histogram can hold:
/// neither met the objective, so both count as samples above the threshold. Without samples the
/// verdict is INCONCLUSIVE, never PASS.
///
/// `clusters` are the same operations by interval. Slow operations come together, so the claim is
/// made on the counts divided by their [`design_effect`]. The upper bound is the smallest threshold
/// at which it would be made, and the verdict PASS where that is at most the objective's: a claim
/// that would not be made of a laxer threshold is not made of this one. Without clusters every
/// operation is taken as independent.
#[must_use]
pub fn judge_objective(
    objective: &Objective<'_>,
    response: &Histogram<u64>,
    errors: u64,
    out_of_range: u64,
    clusters: &Clusters,
) -> ObjectiveResult {
    let name = percentile_name(objective.percentile);
    let beyond = errors.saturating_add(out_of_range);
    let samples = response.len().saturating_add(beyond);
    let over = over_threshold(response, objective.threshold_ns).saturating_add(beyond);
    let least = samples_needed(objective.percentile, CONFIDENCE);

    let mut clusters = clusters.all();
    if clusters.is_empty() {
        clusters.push(Cluster { counts: counts_of(response), beyond });
    }
    let counts: Vec<(u64, u64)> =
        clusters.iter().map(|c| (c.len(), c.over(objective.threshold_ns))).collect();
    let effect = design_effect(&counts);
    let upper_ns = percentile_upper_bound(&clusters, objective.percentile, CONFIDENCE);
    let verdict = if upper_ns.is_some_and(|ns| ns <= objective.threshold_ns) {
        Verdict::Pass
    } else if clustered_claim(&counts, objective.percentile, CONFIDENCE) == Claim::Refuted {
        Verdict::Fail
    } else {
        Verdict::Inconclusive
    };
    let independent = fewest(samples, over, effect);
    let at_this_rate =
        samples_needed_at(independent.0, independent.1, objective.percentile, CONFIDENCE)
            // The cast saturates.
            .map(|n| (n as f64 * effect).ceil() as u64);

    let measured = measured_percentile(response, beyond, objective.percentile);
    let mut evidence = if samples == 0 {
        "no operation completed in the measured part".to_owned()
    } else {
        format!("{} of {} operations over the threshold", count(over), count(samples))
    };
    if beyond > 0 {
        evidence.push_str(&format!(" ({} of them failed or out of range)", count(beyond)));
    }
    if effect > EFFECT_WORTH_SAYING {
        evidence.push_str(&format!(
            "; slow ones came together, design effect {effect:.1}, as good as {} independent",
            count(independent.0)
        ));
    }
    if verdict == Verdict::Inconclusive {
        evidence.push_str(&match at_this_rate {
            Some(n) => format!("; about {} would settle it, so run longer", count(n)),
            None => format!("; too near {name} to settle, so run longer"),
        });
    }

    ObjectiveResult {
        id: objective.id.to_owned(),
        operation: objective.operation.to_owned(),
        metric: format!("{name} response time"),
        threshold: format!("≤ {}", duration_ns(objective.threshold_ns as f64)),
        measured: match measured {
            Measured::Nothing => String::new(),
            Measured::At(ns) => duration_ns(ns as f64),
            Measured::Beyond => "failed".to_owned(),
        },
        ratio: match measured {
            Measured::At(ns) if objective.threshold_ns > 0 => {
                Some(ns as f64 / objective.threshold_ns as f64)
            }
            _ => None,
        },
        upper99: upper_ns.map(|ns| duration_ns(ns as f64)),
        design_effect: Some(effect),
        samples,
        samples_needed: at_this_rate.unwrap_or(least).max(least),
        origin: objective.origin.to_owned(),
        source: objective.source.to_owned(),
        required: objective.required,
        verdict,
        evidence,
    }
}

#[derive(Clone, Copy)]
enum Measured {
    Nothing,
    At(u64),
    /// The percentile falls among the failed operations.
    Beyond,
}

/// The percentile with the `beyond` samples above all others.
fn measured_percentile(response: &Histogram<u64>, beyond: u64, percentile: f64) -> Measured {
    let samples = response.len().saturating_add(beyond);
    if samples == 0 {
        return Measured::Nothing;
    }
    // Without failures this is the histogram's own percentile, the figure of every other table.
    let quantile = percentile * samples as f64 / response.len() as f64;
    if response.is_empty() || quantile > 1.0 {
        Measured::Beyond
    } else {
        Measured::At(response.value_at_quantile(quantile))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const P99: Objective<'static> = Objective {
        id: "kafka.publish.p99",
        operation: "kafka.publish",
        percentile: 0.99,
        threshold_ns: 250_000_000,
        origin: "derived",
        source: "test",
        required: true,
    };

    fn histogram(values: &[(u64, u64)]) -> Histogram<u64> {
        let mut h = Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap();
        for &(value, n) in values {
            h.record_n(value, n).unwrap();
        }
        h
    }

    #[test]
    fn zero_samples_are_inconclusive_and_never_pass() {
        let r = judge_objective(&P99, &histogram(&[]), 0, 0, &Clusters::default());
        assert_eq!(r.verdict, Verdict::Inconclusive);
        assert_eq!((r.measured.as_str(), r.ratio, r.samples), ("", None, 0));
        assert_eq!(r.samples_needed, 459);
    }

    #[test]
    fn enough_fast_samples_pass_and_one_too_few_do_not() {
        let pass =
            judge_objective(&P99, &histogram(&[(1_000_000, 459)]), 0, 0, &Clusters::default());
        assert_eq!(pass.verdict, Verdict::Pass);
        assert_eq!(pass.upper99.as_deref(), Some("1.00 ms"));
        let short =
            judge_objective(&P99, &histogram(&[(1_000_000, 458)]), 0, 0, &Clusters::default());
        assert_eq!(short.verdict, Verdict::Inconclusive);
        assert!(short.evidence.contains("459 would settle it"), "{}", short.evidence);
    }

    #[test]
    fn slow_samples_fail() {
        let r = judge_objective(
            &P99,
            &histogram(&[(1_000_000, 900), (500_000_000, 100)]),
            0,
            0,
            &Clusters::default(),
        );
        assert_eq!(r.verdict, Verdict::Fail);
        assert!(r.ratio.unwrap() > 1.9);
    }

    #[test]
    fn failed_operations_count_as_over_the_threshold() {
        let fast = histogram(&[(1_000_000, 1000)]);
        let r = judge_objective(&P99, &fast, 100, 0, &Clusters::default());
        assert_eq!(r.verdict, Verdict::Fail);
        assert_eq!(r.measured, "failed");
        assert_eq!(
            judge_objective(&P99, &histogram(&[]), 1000, 0, &Clusters::default()).verdict,
            Verdict::Fail
        );
        assert_eq!(
            judge_objective(&P99, &fast, 0, 100, &Clusters::default()).verdict,
            Verdict::Fail
        );
        assert_eq!(judge_objective(&P99, &fast, 1, 0, &Clusters::default()).verdict, Verdict::Pass);
    }

    #[test]
    fn close_calls_are_inconclusive_and_say_how_many_samples_would_settle_them() {
        let r = judge_objective(
            &P99,
            &histogram(&[(1_000_000, 1992), (400_000_000, 8)]),
            0,
            0,
            &Clusters::default(),
        );
        assert_eq!(r.verdict, Verdict::Pass);
        let r = judge_objective(
            &P99,
            &histogram(&[(1_000_000, 995), (400_000_000, 5)]),
            0,
            0,
            &Clusters::default(),
        );
        assert_eq!(r.verdict, Verdict::Inconclusive);
        assert!(r.samples_needed > 1000, "{}", r.samples_needed);
    }

    /// A cluster a second of fast operations and of how many slow ones.
    fn seconds(all: impl Iterator<Item = (u64, u64)>) -> (Histogram<u64>, Clusters) {
        let (mut total, mut clusters) = (histogram(&[]), Clusters::new(60.0));
        for (second, (fast, slow)) in (0u32..).zip(all) {
            let h = histogram(&[(1_000_000, fast), (400_000_000, slow)]);
            total.add(&h).unwrap();
            clusters.add(f64::from(second), 1.0, &h, 0);
        }
        (total, clusters)
    }

    #[test]
    fn slow_operations_that_come_together_weigh_less_than_scattered_ones() {
        // 40 of 10,000 over: enough for a pass if they were scattered …
        let (h, clusters) = seconds((0..100).map(|i| {
            let slow = u64::from(i % 5 < 2);
            (100 - slow, slow)
        }));
        let r = judge_objective(&P99, &h, 0, 0, &clusters);
        assert_eq!(r.verdict, Verdict::Pass);
        assert_eq!(r.upper99.as_deref(), Some("1.00 ms"));
        assert!(!r.evidence.contains("design effect"), "{}", r.evidence);
        // … and not where one second had them all: another such second would miss the objective.
        let (h, clusters) = seconds((0..100).map(|i| if i == 7 { (60, 40) } else { (100, 0) }));
        let r = judge_objective(&P99, &h, 0, 0, &clusters);
        assert_eq!(r.verdict, Verdict::Inconclusive);
        assert_eq!(r.upper99.as_deref(), Some("400 ms"), "the bound says the same");
        assert!(r.design_effect.unwrap() > 39.0);
        assert!(r.evidence.contains("design effect 40"), "{}", r.evidence);
        assert!(r.samples_needed > 10_000, "{}", r.samples_needed);
        // A miss is not claimed from one bad second either.
        let (h, together) = seconds((0..50).map(|i| if i == 7 { (0, 200) } else { (200, 0) }));
        assert_eq!(judge_objective(&P99, &h, 0, 0, &Clusters::default()).verdict, Verdict::Fail);
        assert_eq!(judge_objective(&P99, &h, 0, 0, &together).verdict, Verdict::Inconclusive);
    }

    proptest! {
        #[test]
        fn a_verdict_and_the_bound_beside_it_say_the_same(
            seconds_of in prop::collection::vec((0u64..200, 0u64..20, 0u64..3), 0..30),
            threshold in 1_000u64..1_000_000_000,
        ) {
            let objective = Objective { threshold_ns: threshold, ..P99 };
            let (mut total, mut errors, mut clusters) = (histogram(&[]), 0, Clusters::new(60.0));
            for (second, (fast, slow, failed)) in (0u32..).zip(seconds_of) {
                let h = histogram(&[(2_000_000, fast), (700_000_000, slow)]);
                total.add(&h).unwrap();
                errors += failed;
                clusters.add(f64::from(second), 1.0, &h, failed);
            }
            let r = judge_objective(&objective, &total, errors, 0, &clusters);
            let bound = percentile_upper_bound(&clusters.all(), 0.99, CONFIDENCE);
            prop_assert_eq!(r.upper99, bound.map(|b| duration_ns(b as f64)));
            prop_assert_eq!(r.verdict == Verdict::Pass, bound.is_some_and(|b| b <= threshold));
            prop_assert!(r.samples > 0 || r.verdict == Verdict::Inconclusive);
        }
    }
}
