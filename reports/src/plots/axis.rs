//! Axes: where they begin and end, where their ticks are, and what stands at a tick.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

use crate::units;

/// An axis. Logarithmic ones work in log10 of the value, so that every axis is linear to the
/// drawing library.
pub(super) struct Axis {
    pub(super) lo: f64,
    pub(super) hi: f64,
    pub(super) ticks: Vec<f64>,
    label: Box<dyn Fn(f64) -> String>,
}

impl Axis {
    /// Zero-based, for rates and amounts.
    pub(super) fn from_zero(max: f64, label: impl Fn(f64) -> String + 'static) -> Self {
        let max = if max.is_finite() && max > 0.0 { max } else { 1.0 };
        let step = nice_step(max / 4.0);
        let hi = (max * 1.05 / step).ceil() * step;
        let n = (hi / step).round() as u32;
        let ticks = (0..=n).map(|i| f64::from(i) * step).collect();
        Self { lo: 0.0, hi, ticks, label: Box::new(label) }
    }

    /// Seconds from 0, with ticks at round times.
    pub(super) fn time(max_s: f64) -> Self {
        let max = if max_s.is_finite() && max_s > 0.0 { max_s } else { 1.0 };
        const STEPS: [f64; 16] = [
            1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0,
            7200.0, 14_400.0, 21_600.0,
        ];
        let wanted = max / 6.0;
        let step = if wanted < 1.0 {
            nice_step(wanted)
        } else {
            STEPS.into_iter().find(|s| *s >= wanted).unwrap_or_else(|| nice_step(wanted))
        };
        let n = (max / step + 1e-9).floor() as u32;
        let ticks = (0..=n).map(|i| f64::from(i) * step).collect();
        Self { lo: 0.0, hi: max, ticks, label: Box::new(clock) }
    }

    /// Runs side by side, some of them labelled.
    pub(super) fn runs(labels: Vec<String>) -> Self {
        const LABELLED: usize = 6;
        let hi = labels.len().saturating_sub(1).max(1);
        let step = labels.len().div_ceil(LABELLED).max(1);
        let ticks = (0..labels.len()).step_by(step).map(|i| i as f64).collect();
        let label = move |x: f64| labels.get(x.round() as usize).cloned().unwrap_or_default();
        Self { lo: 0.0, hi: hi as f64, ticks, label: Box::new(label) }
    }

    /// Logarithmic in nanoseconds, from a round figure below `min` to one above `max`.
    pub(super) fn log_ns(min: f64, max: f64) -> Self {
        // 10¹⁹ ns is beyond what a histogram can hold.
        let usable = |v: f64| if v > 0.0 { v.clamp(0.1, 1e19) } else { 1.0 };
        let (min, max) = (usable(min), usable(max).max(usable(min)));
        let mut grid = Vec::new();
        for decade in -1..=19 {
            for step in [1.0, 2.0, 5.0] {
                grid.push(step * 10f64.powi(decade));
            }
        }
        let first = grid.iter().rposition(|g| *g <= min).unwrap_or(0);
        let last = grid.iter().position(|g| *g >= max).unwrap_or(grid.len() - 1).max(first + 1);
        let shown = &grid[first..=last];
        // Over more than two decades only the powers of ten are labelled.
        let decades_only = shown.len() > 7;
        let ticks = shown
            .iter()
            .map(|g| g.log10())
            .filter(|l| !decades_only || (l - l.round()).abs() < 1e-9)
            .collect();
        Self {
            lo: shown[0].log10(),
            hi: shown[shown.len() - 1].log10(),
            ticks,
            label: Box::new(|l| round_duration(10f64.powf(l))),
        }
    }

    /// log10(1 ÷ (1 − q)) up to `max`, with ticks at the percentiles people name.
    pub(super) fn percentile(max: f64) -> Self {
        const NAMED: [(f64, &str); 7] = [
            (0.5, "p50"),
            (0.9, "p90"),
            (0.99, "p99"),
            (0.999, "p99.9"),
            (0.9999, "p99.99"),
            (0.99999, "p99.999"),
            (0.999_999, "p99.9999"),
        ];
        let hi = if max.is_finite() { max.clamp(1.0, 6.0) } else { 1.0 };
        let ticks = NAMED.iter().map(|(q, _)| nines(*q)).filter(|x| *x <= hi + 1e-9).collect();
        let label = |x: f64| {
            NAMED
                .iter()
                .find(|(q, _)| (nines(*q) - x).abs() < 1e-6)
                .map_or(String::new(), |(_, name)| (*name).to_owned())
        };
        Self { lo: 0.0, hi, ticks, label: Box::new(label) }
    }

    pub(super) fn label(&self, at: f64) -> String {
        (self.label)(at)
    }

    /// The axis as the drawing library wants it.
    pub(super) fn coordinate(&self) -> Coordinate {
        Coordinate { lo: self.lo, hi: self.hi, ticks: self.ticks.clone() }
    }
}

/// A linear coordinate with ticks of our choice (the library's own combinator for that loses the
/// formatter that its mesh asks for).
pub(super) struct Coordinate {
    lo: f64,
    hi: f64,
    ticks: Vec<f64>,
}

impl Ranged for Coordinate {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn range(&self) -> Range<f64> {
        self.lo..self.hi
    }

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let share = ((value - self.lo) / (self.hi - self.lo)).clamp(0.0, 1.0);
        from + (share * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }
}

/// log10(1 ÷ (1 − q)): 1 for p90, 2 for p99, 3 for p99.9.
pub(super) fn nines(q: f64) -> f64 {
    -(1.0 - q).log10()
}

/// 1, 2 or 5 times a power of ten, at least `wanted`.
fn nice_step(wanted: f64) -> f64 {
    let power = 10f64.powf(wanted.max(1e-12).log10().floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|s| s * power)
        .find(|s| *s >= wanted * (1.0 - 1e-9))
        .unwrap_or(10.0 * power)
}

/// A tick of a time axis.
fn clock(s: f64) -> String {
    if s < 120.0 {
        format!("{} s", trimmed(s))
    } else if s < 7200.0 {
        format!("{} min", trimmed(s / 60.0))
    } else {
        format!("{} h", trimmed(s / 3600.0))
    }
}

/// A duration that is a round figure, without the zeroes after the point.
pub(super) fn round_duration(ns: f64) -> String {
    let (factor, unit) = match ns {
        ns if ns >= 0.999e9 => (1e9, "s"),
        ns if ns >= 0.999e6 => (1e6, "ms"),
        ns if ns >= 0.999e3 => (1e3, "µs"),
        _ => (1.0, "ns"),
    };
    format!("{} {unit}", trimmed(ns / factor))
}

/// A figure of a zero-based axis.
pub(super) fn plain(v: f64) -> String {
    if v >= 1e6 {
        format!("{} M", trimmed(v / 1e6))
    } else if v >= 1e4 {
        format!("{} k", trimmed(v / 1e3))
    } else if v >= 1e3 {
        units::count(v.round() as u64)
    } else {
        trimmed(v)
    }
}

fn trimmed(v: f64) -> String {
    let text = format!("{v:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ticks_stand_at_round_figures() {
        let axis = Axis::from_zero(11_600.0, plain);
        assert_eq!(
            axis.ticks.iter().map(|t| axis.label(*t)).collect::<Vec<_>>(),
            ["0", "5,000", "10 k", "15 k"]
        );
        let axis = Axis::time(60.0);
        assert_eq!(axis.label(axis.ticks[1]), "10 s");
        let axis = Axis::log_ns(800_000.0, 30_000_000.0);
        assert_eq!(axis.label(axis.lo), "500 µs");
        assert_eq!(axis.label(axis.hi), "50 ms");
        let axis = Axis::percentile(3.2);
        assert_eq!(
            axis.ticks.iter().map(|t| axis.label(*t)).collect::<Vec<_>>(),
            ["p50", "p90", "p99", "p99.9"]
        );
    }

    proptest! {
        #[test]
        fn any_figure_gives_an_axis_that_can_be_drawn(a in any::<f64>(), b in any::<f64>()) {
            for axis in [Axis::from_zero(a, plain), Axis::log_ns(a, b), Axis::percentile(a)] {
                prop_assert!(axis.lo.is_finite() && axis.hi.is_finite() && axis.lo < axis.hi);
                prop_assert!(axis.ticks.len() <= 64, "{} ticks", axis.ticks.len());
            }
        }

        #[test]
        fn time_axes_have_few_ticks(s in 0.0f64..1e7) {
            let axis = Axis::time(s);
            prop_assert!(axis.ticks.len() <= 8 && axis.lo < axis.hi);
        }
    }
}
