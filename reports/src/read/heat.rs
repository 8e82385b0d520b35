//! How response times spread over time, in a size that no run's length exceeds.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Where the bins of a power of ten begin: the preferred numbers R10 of ISO 3, ten steps of about a
/// quarter, among them 1, 2 and 5.
const EDGES: [f64; 10] = [1.0, 1.25, 1.6, 2.0, 2.5, 3.15, 4.0, 5.0, 6.3, 8.0];
/// The smallest whole nanosecond of each bin, of the first from 0.
static FIRST_VALUES: LazyLock<Vec<u64>> = LazyLock::new(|| {
    let edges = (0..200).map(Heat::edge_ns).take_while(|edge| *edge < u64::MAX as f64);
    // Several bins below 10 ns hold no whole nanosecond of their own; from 100 ns on every edge is one,
    // but for the rounding of its product.
    edges.map(|edge| if edge < 99.5 { (edge - 1e-9).ceil() } else { edge.round() } as u64).collect()
});

/// Most columns; where there would be more, neighbours are joined.
const MOST_COLUMNS: u64 = 120;

/// Counts by column of time and bin of latency. A column is the sum of whole intervals of the log:
/// distributions are added, and no percentile is averaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heat {
    /// Width of a column in seconds, a power of two.
    pub(crate) width_s: u64,
    /// By column, then by bin: latencies from [`Heat::edge_ns`] of the bin up to that of the next.
    pub(crate) columns: BTreeMap<u64, BTreeMap<u32, u64>>,
}

impl Default for Heat {
    fn default() -> Self {
        Self { width_s: 1, columns: BTreeMap::new() }
    }
}

impl Heat {
    /// Adds an interval. It goes where its middle lies: columns are never shorter than intervals.
    pub(crate) fn add(&mut self, start_s: f64, dt_s: f64, counts: &[(u64, u64)]) {
        let middle = (start_s + dt_s / 2.0).max(0.0);
        // Half a second of grace: intervals are cut a few milliseconds late.
        while dt_s > self.width_s as f64 + 0.5 || self.column(middle) >= MOST_COLUMNS {
            if self.width_s > u64::MAX / 4 {
                break;
            }
            self.widen();
        }
        let column = self.columns.entry(self.column(middle)).or_default();
        // Counts come in order, so the values of a bin are neighbours.
        let mut rest = counts;
        while let Some((value, _)) = rest.first() {
            let bin = bin(*value);
            let end = FIRST_VALUES.get(bin as usize + 1).copied().unwrap_or(u64::MAX);
            let inside = rest.iter().position(|(value, _)| *value >= end).unwrap_or(rest.len());
            let (same, behind) = rest.split_at(inside.max(1));
            let sum = column.entry(bin).or_default();
            *sum = same.iter().fold(*sum, |sum, (_, n)| sum.saturating_add(*n));
            rest = behind;
        }
    }

    /// The latency in nanoseconds at which a bin begins.
    pub(crate) fn edge_ns(bin: u32) -> f64 {
        EDGES[(bin % 10) as usize] * 10f64.powi((bin / 10) as i32)
    }

    fn column(&self, t_s: f64) -> u64 {
        (t_s / self.width_s as f64) as u64
    }

    fn widen(&mut self) {
        self.width_s *= 2;
        for (column, bins) in std::mem::take(&mut self.columns) {
            let sums = self.columns.entry(column / 2).or_default();
            for (bin, n) in bins {
                let sum = sums.entry(bin).or_default();
                *sum = sum.saturating_add(n);
            }
        }
    }
}

/// The bin of a latency in nanoseconds.
fn bin(ns: u64) -> u32 {
    (FIRST_VALUES.partition_point(|first| *first <= ns).max(1) - 1) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bin_begins_at_its_round_figure() {
        assert_eq!((bin(0), bin(1), bin(10), bin(999), bin(1_000)), (0, 0, 10, 29, 30));
        assert_eq!((bin(1_999_999), bin(2_000_000), bin(5_000_000)), (62, 63, 67));
        assert_eq!(bin(u64::MAX), 192);
        for at in 30..180 {
            assert_eq!(bin(Heat::edge_ns(at).round() as u64), at);
        }
    }

    #[test]
    fn an_interval_longer_than_a_second_has_a_column_of_its_own_length() {
        let mut heat = Heat::default();
        for i in 0..4u32 {
            heat.add(f64::from(i) * 2.0, 2.01, &[(1_000, 1)]);
        }
        assert_eq!((heat.width_s, heat.columns.len()), (2, 4));
    }

    proptest! {
        #[test]
        fn however_long_the_run_the_size_is_bounded_and_nothing_is_lost(
            intervals in prop::collection::vec((0.0f64..1e6, 1.0f64..100.0, 1u64..1_000), 1..300),
        ) {
            let mut heat = Heat::default();
            for (start_s, dt_s, n) in &intervals {
                heat.add(*start_s, *dt_s, &[(1_000, *n)]);
            }
            prop_assert!(heat.columns.len() as u64 <= MOST_COLUMNS);
            let kept: u64 = heat.columns.values().flat_map(|c| c.values()).sum();
            prop_assert_eq!(kept, intervals.iter().map(|i| i.2).sum::<u64>());
        }
    }

    #[test]
    fn absurd_times_neither_hang_nor_panic() {
        let mut heat = Heat::default();
        for t in [1e19, f64::MAX, f64::INFINITY, -5.0, 0.5] {
            heat.add(t, 1.0, &[(u64::MAX, u64::MAX)]);
        }
        assert!(!heat.columns.is_empty());
    }
}
