//! Histograms and series folded into the figures of the run record.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::record::{
    LatencySummary, ResourceRow, ResourceSummary, RunRecord, RunState, SeriesRow, TimelineEvent,
};
use crate::stats::{MeanCi, batch_means};

/// The figures of a histogram of nanoseconds.
///
/// Percentiles are the histogram's: each is the highest value that its bucket can hold, so a figure
/// is never better than what was recorded, and at most one bucket (0.1 % at three significant
/// digits) worse. Smallest and largest are read from the counts too, not from the histogram's own
/// note of them, which `Histogram::clear` leaves at that of an earlier interval. `mean_ci95_ns`
/// stays empty here: a histogram has lost the order of its samples, see [`mean_ci95_ns`].
#[must_use]
pub fn latency_summary(histogram: &Histogram<u64>, out_of_range: u64) -> LatencySummary {
    if histogram.is_empty() {
        return LatencySummary { out_of_range, ..LatencySummary::default() };
    }
    LatencySummary {
        count: histogram.len(),
        min_ns: histogram.lowest_equivalent(histogram.value_at_quantile(0.0)),
        mean_ns: histogram.mean(),
        mean_ci95_ns: None,
        p50_ns: histogram.value_at_quantile(0.5),
        p90_ns: histogram.value_at_quantile(0.9),
        p95_ns: histogram.value_at_quantile(0.95),
        p99_ns: histogram.value_at_quantile(0.99),
        p999_ns: histogram.value_at_quantile(0.999),
        max_ns: histogram.value_at_quantile(1.0),
        out_of_range,
    }
}

/// Length of the measured part in seconds, as it really was; 0 where nothing was measured.
///
/// It ends at the first of the events `load_end`, `interrupted` and `component_died`, or where the
/// record has none, at the last measured row of `series`; without rows a complete run is taken at
/// its word. It is never longer than configured: rows of the drain hold operations that were due
/// before.
#[must_use]
pub fn measured_s(record: &RunRecord, series: &[SeriesRow]) -> f64 {
    let c = &record.config;
    let ends = |e: &&TimelineEvent| {
        matches!(e.kind.as_str(), "load_end" | "interrupted" | "component_died")
    };
    let marked = record.events.iter().filter(ends).map(|e| e.t_s).reduce(f64::min);
    let seen = || series.iter().filter(|r| r.measured).map(|r| r.t_s).reduce(f64::max);
    let measured = match marked.or_else(seen) {
        Some(end_s) => end_s - c.warmup_s,
        None if record.state == RunState::Complete => c.duration_s,
        None => 0.0,
    };
    // Edited files can hold any figure; `min` and `max` pass over NaN.
    measured.min(c.duration_s).max(0.0)
}

/// The mean of one interval of one operation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IntervalMean {
    /// End, in seconds since the run's epoch.
    pub end_s: f64,
    /// Length in seconds.
    pub dt_s: f64,
    /// Operations that completed in it.
    pub completed: u64,
    /// Their mean time, in nanoseconds.
    pub mean_ns: f64,
}

impl IntervalMean {
    /// A row's response time.
    #[must_use]
    pub fn response(row: &SeriesRow) -> Self {
        Self::of(row, row.response_mean_us)
    }

    /// A row's service time.
    #[must_use]
    pub fn service(row: &SeriesRow) -> Self {
        Self::of(row, row.service_mean_us)
    }

    fn of(row: &SeriesRow, mean_us: f64) -> Self {
        Self { end_s: row.t_s, dt_s: row.dt_s, completed: row.completed, mean_ns: mean_us * 1e3 }
    }
}

/// Interval lengths in seconds that are near enough to the one second that is meant.
const WHOLE_S: std::ops::RangeInclusive<f64> = 0.5..=1.5;

/// Half-width in nanoseconds of the 95 % confidence interval of the mean over all operations, see
/// [`mean_ci`].
#[must_use]
pub fn mean_ci95_ns(intervals: &[IntervalMean], load_end_s: f64) -> Option<f64> {
    mean_ci(intervals, load_end_s).map(|ci| ci.half_width95)
}

/// The mean over all operations in nanoseconds with its confidence interval, by batch means over the
/// intervals of the measured part, in order. Absent with fewer than
/// [`SHORTEST_SERIES`](crate::stats::SHORTEST_SERIES) usable intervals.
///
/// Intervals weigh by their operations, as in the mean itself: with M = Σ nᵢ mᵢ ÷ Σ nᵢ, batch means
/// are taken of M + nᵢ (mᵢ − M) ÷ n̄, whose mean is M and whose variance is that of the ratio
/// estimator (Cochran, *Sampling Techniques*, 3rd ed. (1977), ch. 6). Left out are intervals that
/// completed nothing, those of another length than about a second (a stalled machine, the
/// remainder at the end), and those that end after `load_end_s`: a drain is no steady state.
#[must_use]
pub fn mean_ci(intervals: &[IntervalMean], load_end_s: f64) -> Option<MeanCi> {
    let usable: Vec<(f64, f64)> = intervals
        .iter()
        .filter(|i| i.completed > 0 && WHOLE_S.contains(&i.dt_s))
        // Intervals are cut a few milliseconds late.
        .filter(|i| i.end_s <= load_end_s + 0.5)
        .map(|i| (i.completed as f64, i.mean_ns))
        .collect();
    let (n, sum) = usable.iter().fold((0.0, 0.0), |(n, sum), (ni, mi)| (n + ni, sum + ni * mi));
    let (mean, mean_n) = (sum / n, n / usable.len() as f64);
    let linear: Vec<f64> = usable.iter().map(|(ni, mi)| mean + ni * (mi - mean) / mean_n).collect();
    batch_means(&linear)
}

/// Resource use per component over the rows with `from_s < t_s <= to_s` (seconds since the epoch).
///
/// Bytes are the last counter less the first, so the first row is the base line. Where that knows no counter, as an
/// engine's does before a container has touched its disk, the first row that knows one is.
#[must_use]
pub fn resource_summary(rows: &[ResourceRow], from_s: f64, to_s: f64) -> Vec<ResourceSummary> {
    struct Sums {
        summary: ResourceSummary,
        n: u32,
        first: ResourceRow,
    }
    let since = |now: Option<u64>, first: &mut Option<u64>, most: Option<u64>| match now {
        Some(now) => {
            let first = *first.get_or_insert(now);
            Some(now.saturating_sub(first).max(most.unwrap_or(0)))
        }
        None => most,
    };
    let mut components: BTreeMap<&str, Sums> = BTreeMap::new();
    // A row tells of the interval before it, and comes a few milliseconds after its end.
    for row in rows.iter().filter(|r| r.t_s > from_s + 0.5 && r.t_s <= to_s + 0.5) {
        let sums = components.entry(&row.component).or_insert_with(|| Sums {
            summary: ResourceSummary {
                component: row.component.clone(),
                ..ResourceSummary::default()
            },
            n: 0,
            first: row.clone(),
        });
        sums.n += 1;
        let summary = &mut sums.summary;
        summary.cpu_cores_mean += row.cpu_cores;
        summary.cpu_cores_max = summary.cpu_cores_max.max(row.cpu_cores);
        summary.rss_max_bytes = summary.rss_max_bytes.max(row.rss_bytes);
        let first = &mut sums.first;
        summary.write_bytes = since(row.write_bytes, &mut first.write_bytes, summary.write_bytes);
        summary.read_bytes = since(row.read_bytes, &mut first.read_bytes, summary.read_bytes);
        summary.received_bytes =
            since(row.received_bytes, &mut first.received_bytes, summary.received_bytes);
        summary.sent_bytes = since(row.sent_bytes, &mut first.sent_bytes, summary.sent_bytes);
    }
    components
        .into_values()
        .map(|sums| {
            let mut summary = sums.summary;
            summary.cpu_cores_mean /= f64::from(sums.n.max(1));
            summary
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_histogram_gives_zeroes_and_keeps_the_out_of_range_count() {
        let h = Histogram::<u64>::new(3).unwrap();
        let s = latency_summary(&h, 7);
        assert_eq!(s, LatencySummary { out_of_range: 7, ..LatencySummary::default() });
    }

    #[test]
    fn figures_lie_within_the_histograms_stated_error_of_the_exact_ones() {
        let mut h = Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3).unwrap();
        for v in 1..=100_000u64 {
            h.record(v * 1_000).unwrap();
        }
        let s = latency_summary(&h, 0);
        for (got, exact) in [
            (s.p50_ns, 50_000_000.0),
            (s.p90_ns, 90_000_000.0),
            (s.p95_ns, 95_000_000.0),
            (s.p99_ns, 99_000_000.0),
            (s.p999_ns, 99_900_000.0),
            (s.max_ns, 100_000_000.0),
        ] {
            let error = got as f64 / exact - 1.0;
            assert!((-1e-9..=0.001).contains(&error), "{got} against {exact}");
        }
        assert_eq!(s.count, 100_000);
    }

    #[test]
    fn extremes_of_an_earlier_interval_do_not_survive_a_cleared_histogram() {
        let mut h = Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3).unwrap();
        h.record(1).unwrap();
        h.record(845_000_000).unwrap();
        h.clear();
        h.record(2_000).unwrap();
        let s = latency_summary(&h, 0);
        assert_eq!((s.min_ns, s.max_ns), (2_000, 2_000));
    }

    fn interval(end_s: u32, completed: u64, mean_ns: f64) -> IntervalMean {
        IntervalMean { end_s: f64::from(end_s), dt_s: 1.0, completed, mean_ns }
    }

    #[test]
    fn intervals_of_equal_weight_give_the_batch_means_of_their_means() {
        let means: Vec<f64> = (0..40).map(|i| 1e6 + f64::from(i * 7919 % 101) * 1e3).collect();
        let all: Vec<IntervalMean> = (1..).zip(&means).map(|(t, m)| interval(t, 50, *m)).collect();
        let got = mean_ci95_ns(&all, 40.0).unwrap();
        let expected = batch_means(&means).unwrap().half_width95;
        assert!((got / expected - 1.0).abs() < 1e-9, "{got} against {expected}");
    }

    #[test]
    fn an_interval_weighs_by_its_operations_and_odd_ones_are_left_out() {
        let steady: Vec<IntervalMean> =
            (1..=40).map(|t| interval(t, 1_000, 1e6 + f64::from(t % 3) * 1e4)).collect();
        let plain = mean_ci95_ns(&steady, 40.0).unwrap();
        let mut rare = steady.clone();
        // One slow operation hardly moves the mean of 40,000, and hardly widens its interval.
        rare[7] = interval(8, 1, 9e6);
        assert!(mean_ci95_ns(&rare, 40.0).unwrap() < 2.0 * plain);
        let mut odd = steady.clone();
        odd.push(IntervalMean { end_s: 40.1, dt_s: 0.1, completed: 900, mean_ns: 9e9 });
        odd.push(interval(41, 900, 9e9));
        odd.push(interval(39, 0, f64::NAN));
        assert_eq!(mean_ci95_ns(&odd, 40.0), Some(plain));
        assert_eq!(mean_ci95_ns(&steady[..15], 40.0), None);
        assert_eq!(mean_ci95_ns(&[], 40.0), None);
    }

    #[test]
    fn what_was_measured_ends_with_the_load_and_not_with_the_plan() {
        let mut record = crate::testing::record();
        let event =
            |t_s: f64, kind: &str| TimelineEvent { t_s, kind: kind.into(), text: String::new() };
        record.events = vec![event(65.01, "load_end")];
        assert_eq!(measured_s(&record, &[]), 60.0, "never more than planned");
        record.events = vec![event(22.5, "component_died"), event(23.0, "load_end")];
        assert_eq!(measured_s(&record, &[]), 17.5);
        record.events = vec![event(3.0, "interrupted")];
        assert_eq!(measured_s(&record, &[]), 0.0, "in the warm-up nothing was measured");
        record.events = vec![event(5.0, "warmup_end"), event(f64::NAN, "load_end")];
        assert!(measured_s(&record, &[]).is_finite());
        record.events.clear();
        let row = |t_s, measured| SeriesRow { t_s, measured, ..SeriesRow::default() };
        let rows = [row(5.0, false), row(15.0, true), row(12.0, true)];
        assert_eq!(measured_s(&record, &rows), 10.0);
        assert_eq!(measured_s(&record, &[]), 60.0);
        record.state = RunState::Interrupted;
        assert_eq!(measured_s(&record, &[]), 0.0);
    }

    #[test]
    fn resources_are_taken_from_the_measured_part_only() {
        let row = |t_s: f64, cpu_cores: f64, write_bytes: u64| ResourceRow {
            t_s,
            component: "kafka".into(),
            cpu_cores,
            rss_bytes: 10,
            write_bytes: Some(write_bytes),
            sent_bytes: Some(write_bytes * 2),
            ..ResourceRow::default()
        };
        let rows = [row(1.0, 9.0, 5), row(2.0, 1.0, 10), row(3.0, 3.0, 30), row(4.0, 9.0, 99)];
        let got = resource_summary(&rows, 1.0, 3.0);
        assert_eq!(got.len(), 1);
        assert!((got[0].cpu_cores_mean - 2.0).abs() < 1e-12);
        assert!((got[0].cpu_cores_max - 3.0).abs() < 1e-12);
        assert_eq!(got[0].write_bytes, Some(20));
        assert_eq!((got[0].sent_bytes, got[0].received_bytes), (Some(40), None));
    }

    #[test]
    fn a_counter_that_only_later_rows_know_counts_from_the_first_that_does() {
        let row = |t_s: f64, write_bytes: Option<u64>| ResourceRow {
            t_s,
            component: "kafka".into(),
            write_bytes,
            ..ResourceRow::default()
        };
        let written = |counts: [Option<u64>; 3]| {
            let rows: Vec<ResourceRow> =
                [1.0, 2.0, 3.0].into_iter().zip(counts).map(|(t, n)| row(t, n)).collect();
            resource_summary(&rows, 0.0, 3.0)[0].write_bytes
        };
        assert_eq!(written([None, Some(0), Some(70)]), Some(70));
        assert_eq!(written([Some(10), Some(50), None]), Some(40));
        assert_eq!(written([None; 3]), None);
    }
}
