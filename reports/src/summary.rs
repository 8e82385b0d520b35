//! Histograms and series folded into the figures of the run record.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::record::{LatencySummary, ResourceRow, ResourceSummary, SeriesRow};
use crate::stats::batch_means;

/// The figures of a histogram of nanoseconds.
///
/// Percentiles are the histogram's: each is the highest value that its bucket can hold, so a figure
/// is never better than what was recorded, and at most one bucket (0.1 % at three significant
/// digits) worse. Smallest and largest are read from the counts too, not from the histogram's own
/// note of them, which `Histogram::clear` leaves at that of an earlier interval. `mean_ci95_ns` stays empty here: a histogram has lost the order of its samples,
/// see [`mean_ci95_ns`].
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

/// Half-widths of the 95 % confidence intervals of an operation's mean (response, service) in
/// nanoseconds, by batch means over the intervals of the measured part that completed something.
/// Absent where there are too few intervals.
#[must_use]
pub fn mean_ci95_ns(rows: &[SeriesRow], operation: &str) -> (Option<f64>, Option<f64>) {
    let (mut response, mut service) = (Vec::new(), Vec::new());
    for row in rows.iter().filter(|r| r.measured && r.completed > 0 && r.operation == operation) {
        response.push(row.response_mean_us * 1e3);
        service.push(row.service_mean_us * 1e3);
    }
    let half_width = |means: &[f64]| batch_means(means).map(|ci| ci.half_width95);
    (half_width(&response), half_width(&service))
}

/// Resource use per component over the rows with `from_s < t_s <= to_s` (seconds since the epoch).
///
/// Bytes written are the last counter less the first, so the first row is the base line.
#[must_use]
pub fn resource_summary(rows: &[ResourceRow], from_s: f64, to_s: f64) -> Vec<ResourceSummary> {
    struct Sums {
        summary: ResourceSummary,
        n: u32,
        first_write: u64,
    }
    let mut components: BTreeMap<&str, Sums> = BTreeMap::new();
    for row in rows.iter().filter(|r| r.t_s > from_s && r.t_s <= to_s) {
        let sums = components.entry(&row.component).or_insert_with(|| Sums {
            summary: ResourceSummary {
                component: row.component.clone(),
                ..ResourceSummary::default()
            },
            n: 0,
            first_write: row.write_bytes,
        });
        sums.n += 1;
        let summary = &mut sums.summary;
        summary.cpu_cores_mean += row.cpu_cores;
        summary.cpu_cores_max = summary.cpu_cores_max.max(row.cpu_cores);
        summary.rss_max_bytes = summary.rss_max_bytes.max(row.rss_bytes);
        summary.write_bytes =
            summary.write_bytes.max(row.write_bytes.saturating_sub(sums.first_write));
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

    #[test]
    fn resources_are_taken_from_the_measured_part_only() {
        let row = |t_s: f64, cpu_cores: f64, write_bytes: u64| ResourceRow {
            t_s,
            component: "kafka".into(),
            cpu_cores,
            rss_bytes: 10,
            write_bytes,
        };
        let rows = [row(1.0, 9.0, 5), row(2.0, 1.0, 10), row(3.0, 3.0, 30), row(4.0, 9.0, 99)];
        let got = resource_summary(&rows, 1.0, 3.0);
        assert_eq!(got.len(), 1);
        assert!((got[0].cpu_cores_mean - 2.0).abs() < 1e-12);
        assert!((got[0].cpu_cores_max - 3.0).abs() < 1e-12);
        assert_eq!(got[0].write_bytes, 20);
    }
}
