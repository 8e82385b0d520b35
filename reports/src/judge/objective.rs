//! One latency objective against one histogram of response times.

use hdrhistogram::Histogram;

use crate::record::{ObjectiveResult, Verdict};
use crate::stats::{
    Claim, claim, design_effect, over_threshold, percentile_upper_bound, samples_needed,
    samples_needed_at,
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
/// `clusters` are the operations of each second and how many of them were over the threshold
/// (failed and out of range ones too). Slow operations come together, so the claim is made on the
/// counts divided by their [`design_effect`]. Empty takes every operation as independent.
#[must_use]
pub fn judge_objective(
    objective: &Objective<'_>,
    response: &Histogram<u64>,
    errors: u64,
    out_of_range: u64,
    clusters: &[(u64, u64)],
) -> ObjectiveResult {
    let name = percentile_name(objective.percentile);
    let beyond = errors.saturating_add(out_of_range);
    let samples = response.len().saturating_add(beyond);
    let over = over_threshold(response, objective.threshold_ns).saturating_add(beyond);
    let least = samples_needed(objective.percentile, CONFIDENCE);

    let effect = design_effect(clusters);
    let claim = clustered_claim(samples, over, effect, objective.percentile);
    let verdict = match claim {
        Claim::Holds => Verdict::Pass,
        Claim::Refuted => Verdict::Fail,
        Claim::Undecided => Verdict::Inconclusive,
    };
    let independent = Counts::fewest(samples, over, effect);
    let at_this_rate =
        samples_needed_at(independent.n, independent.over, objective.percentile, CONFIDENCE)
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
            count(independent.n)
        ));
    }
    if claim == Claim::Undecided {
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
        upper99: percentile_upper_bound(response, beyond, objective.percentile, CONFIDENCE)
            .map(|ns| duration_ns(ns as f64)),
        samples,
        samples_needed: at_this_rate.unwrap_or(least).max(least),
        origin: objective.origin.to_owned(),
        source: objective.source.to_owned(),
        required: objective.required,
        verdict,
        evidence,
    }
}

/// Counts of independent samples that say as much as clustered ones.
#[derive(Clone, Copy)]
struct Counts {
    n: u64,
    over: u64,
}

impl Counts {
    /// Rounded against a claim that the objective holds.
    fn fewest(n: u64, over: u64, effect: f64) -> Self {
        if effect <= 1.0 {
            return Self { n, over };
        }
        let fewer = (n as f64 / effect).floor() as u64;
        Self { n: fewer, over: ((over as f64 / effect).ceil() as u64).min(fewer) }
    }

    /// Rounded against a claim that the objective is missed.
    fn most(n: u64, over: u64, effect: f64) -> Self {
        if effect <= 1.0 {
            return Self { n, over };
        }
        Self { n: (n as f64 / effect).ceil() as u64, over: (over as f64 / effect).floor() as u64 }
    }
}

/// What clustered samples say, with the rounding never in favour of the claim that is made.
fn clustered_claim(n: u64, over: u64, effect: f64, percentile: f64) -> Claim {
    let made =
        |counts: Counts, wanted| claim(counts.n, counts.over, percentile, CONFIDENCE) == wanted;
    if made(Counts::fewest(n, over, effect), Claim::Holds) {
        Claim::Holds
    } else if made(Counts::most(n, over, effect), Claim::Refuted) {
        Claim::Refuted
    } else {
        Claim::Undecided
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
        let r = judge_objective(&P99, &histogram(&[]), 0, 0, &[]);
        assert_eq!(r.verdict, Verdict::Inconclusive);
        assert_eq!((r.measured.as_str(), r.ratio, r.samples), ("", None, 0));
        assert_eq!(r.samples_needed, 459);
    }

    #[test]
    fn enough_fast_samples_pass_and_one_too_few_do_not() {
        let pass = judge_objective(&P99, &histogram(&[(1_000_000, 459)]), 0, 0, &[]);
        assert_eq!(pass.verdict, Verdict::Pass);
        assert_eq!(pass.upper99.as_deref(), Some("1.00 ms"));
        let short = judge_objective(&P99, &histogram(&[(1_000_000, 458)]), 0, 0, &[]);
        assert_eq!(short.verdict, Verdict::Inconclusive);
        assert!(short.evidence.contains("459 would settle it"), "{}", short.evidence);
    }

    #[test]
    fn slow_samples_fail() {
        let r =
            judge_objective(&P99, &histogram(&[(1_000_000, 900), (500_000_000, 100)]), 0, 0, &[]);
        assert_eq!(r.verdict, Verdict::Fail);
        assert!(r.ratio.unwrap() > 1.9);
    }

    #[test]
    fn failed_operations_count_as_over_the_threshold() {
        let fast = histogram(&[(1_000_000, 1000)]);
        let r = judge_objective(&P99, &fast, 100, 0, &[]);
        assert_eq!(r.verdict, Verdict::Fail);
        assert_eq!(r.measured, "failed");
        assert_eq!(judge_objective(&P99, &histogram(&[]), 1000, 0, &[]).verdict, Verdict::Fail);
        assert_eq!(judge_objective(&P99, &fast, 0, 100, &[]).verdict, Verdict::Fail);
        assert_eq!(judge_objective(&P99, &fast, 1, 0, &[]).verdict, Verdict::Pass);
    }

    #[test]
    fn close_calls_are_inconclusive_and_say_how_many_samples_would_settle_them() {
        let r =
            judge_objective(&P99, &histogram(&[(1_000_000, 1992), (400_000_000, 8)]), 0, 0, &[]);
        assert_eq!(r.verdict, Verdict::Pass);
        let r = judge_objective(&P99, &histogram(&[(1_000_000, 995), (400_000_000, 5)]), 0, 0, &[]);
        assert_eq!(r.verdict, Verdict::Inconclusive);
        assert!(r.samples_needed > 1000, "{}", r.samples_needed);
    }

    #[test]
    fn slow_operations_that_come_together_weigh_less_than_scattered_ones() {
        // 40 of 10,000 over: enough for a pass if they were scattered …
        let h = histogram(&[(1_000_000, 9_960), (400_000_000, 40)]);
        let scattered: Vec<(u64, u64)> = (0..100).map(|i| (100, u64::from(i % 5 < 2))).collect();
        let r = judge_objective(&P99, &h, 0, 0, &scattered);
        assert_eq!(r.verdict, Verdict::Pass);
        assert!(!r.evidence.contains("design effect"), "{}", r.evidence);
        // … and not where one second had them all: another such second would miss the objective.
        let together: Vec<(u64, u64)> =
            (0..100).map(|i| (100, if i == 7 { 40 } else { 0 })).collect();
        let r = judge_objective(&P99, &h, 0, 0, &together);
        assert_eq!(r.verdict, Verdict::Inconclusive);
        assert!(r.evidence.contains("design effect 40"), "{}", r.evidence);
        assert!(r.samples_needed > 10_000, "{}", r.samples_needed);
        // A miss is not claimed from one bad second either.
        let h = histogram(&[(1_000_000, 9_800), (400_000_000, 200)]);
        assert_eq!(judge_objective(&P99, &h, 0, 0, &[]).verdict, Verdict::Fail);
        let together: Vec<(u64, u64)> =
            (0..50).map(|i| (200, if i == 7 { 200 } else { 0 })).collect();
        assert_eq!(judge_objective(&P99, &h, 0, 0, &together).verdict, Verdict::Inconclusive);
    }

    proptest! {
        #[test]
        fn a_pass_always_has_an_upper_bound_within_the_threshold(
            fast in 0u64..5000, slow in 0u64..100, errors in 0u64..50, threshold in 1_000u64..1_000_000_000,
        ) {
            let h = histogram(&[(2_000_000, fast), (700_000_000, slow)]);
            let objective = Objective { threshold_ns: threshold, ..P99 };
            let r = judge_objective(&objective, &h, errors, 0, &[]);
            let bound = percentile_upper_bound(&h, errors, 0.99, CONFIDENCE);
            prop_assert_eq!(r.verdict == Verdict::Pass, bound.is_some_and(|b| b <= threshold));
            prop_assert!(r.samples > 0 || r.verdict == Verdict::Inconclusive);
        }
    }
}
