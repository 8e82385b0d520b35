//! What no run can have: figures out of their range, and files that do not add up to the record beside them.

use std::collections::BTreeMap;

use crate::record::{LatencySummary, OperationSummary, RunRecord, SeriesRow};
use crate::stats::Counts;
use crate::store::{LATENCY_LOG, RUN_JSON, SERIES};
use crate::units::count;

/// How far the largest value of the log may be from that of the record: buckets of three significant digits.
const BUCKET: f64 = 0.005;

/// The first figure of a record that no run can have, by the name of its field. JSON has no word for what is not
/// finite, and counts have no sign, so ranges are left.
pub(super) fn figure(record: &RunRecord) -> Option<String> {
    let (c, g) = (&record.config, &record.generator);
    let negative = |figures: &[(&str, f64)]| {
        let bad = figures.iter().find(|(_, figure)| !figure.is_finite() || *figure < 0.0);
        bad.map(|(name, figure)| format!("{name} is {figure}, which cannot be below 0"))
    };
    let latency = |l: &LatencySummary| {
        negative(&[("mean_ns", l.mean_ns), ("mean_ci95_ns", l.mean_ci95_ns.unwrap_or(0.0))])
    };
    let of = |what: String, found: Option<String>| found.map(|found| format!("{what}.{found}"));
    let config = [
        ("duration_s", c.duration_s),
        ("warmup_s", c.warmup_s),
        ("volume_bytes_per_day", c.volume_bytes_per_day),
        ("scale", c.scale),
        ("speedup", c.speedup),
        ("offered_bytes_per_s", c.offered_bytes_per_s),
        ("offered_events_per_s", c.offered_events_per_s),
    ];
    let generator = [
        ("held", g.held),
        ("ceiling_events_per_s", g.ceiling_events_per_s),
        ("utilisation", g.utilisation),
        ("cpu_cores", g.cpu_cores),
    ];
    let over = (g.held > 1.0).then(|| format!("held is {}, which cannot be above 1", g.held));
    let operation = |o: &OperationSummary| {
        let law = o.littles_law.iter().find_map(|law| {
            negative(&[
                ("measured_in_flight", law.measured_in_flight),
                ("expected_in_flight", law.expected_in_flight),
                ("relative_error", law.relative_error),
            ])
        });
        of("response".into(), latency(&o.response))
            .or_else(|| of("service".into(), latency(&o.service)))
            .or_else(|| of("littles_law".into(), law))
    };
    of("config".into(), negative(&config))
        .or_else(|| of("generator".into(), negative(&generator).or(over)))
        .or_else(|| of("generator.lag".into(), latency(&g.lag)))
        .or_else(|| {
            let mut all = record.operations.iter();
            all.find_map(|o| of(format!("operation {}", o.name), operation(o)))
        })
        .or_else(|| {
            record.resources.iter().find_map(|r| {
                let cores =
                    [("cpu_cores_mean", r.cpu_cores_mean), ("cpu_cores_max", r.cpu_cores_max)];
                of(format!("resources of {}", r.component), negative(&cores))
            })
        })
        .or_else(|| {
            record.objectives.iter().find_map(|o| {
                let figures = [
                    ("ratio", o.ratio.unwrap_or(0.0)),
                    ("design_effect", o.design_effect.unwrap_or(0.0)),
                ];
                of(format!("objective {}", o.id), negative(&figures))
            })
        })
        .or_else(|| {
            record.features.iter().find_map(|f| {
                of(format!("feature {}", f.feature), negative(&[("took_ms", f.took_ms)]))
            })
        })
}

/// How many response times a log holds of an operation, and the largest.
pub(super) type Total = (u64, u64);

/// Adds counts to a total.
pub(super) fn add((sum, largest): Total, counts: &Counts) -> Total {
    counts.iter().filter(|(_, n)| *n > 0).fold((sum, largest), |(sum, largest), (value, n)| {
        (sum.saturating_add(*n), largest.max(*value))
    })
}

/// Where the log does not hold what the record says it recorded of these operations.
pub(super) fn log<'a>(
    operations: impl Iterator<Item = &'a OperationSummary>,
    totals: &BTreeMap<String, Total>,
) -> Vec<String> {
    let apart = |o: &OperationSummary| {
        let (n, largest) = totals.get(&o.name).copied().unwrap_or_default();
        let said = o.response.max_ns;
        if n != o.response.count {
            let (held, said) = (count(n), count(o.response.count));
            return Some(format!(
                "{LATENCY_LOG} holds {held} response times of {}, and {RUN_JSON} says {said}",
                o.name
            ));
        }
        // Another run can have as many operations, and hardly the same longest one.
        let far = n > 0 && said > 0 && (largest as f64 / said as f64 - 1.0).abs() > BUCKET;
        far.then(|| {
            format!(
                "the longest response time of {} is {largest} ns in {LATENCY_LOG} and {said} ns in {RUN_JSON}",
                o.name
            )
        })
    };
    operations.filter_map(apart).collect()
}

/// Where the measured rows do not add up to what the record says.
pub(super) fn rows(record: &RunRecord, series: &[SeriesRow]) -> Vec<String> {
    let mut completed: BTreeMap<&str, u64> = BTreeMap::new();
    for row in series.iter().filter(|row| row.measured) {
        let sum = completed.entry(&row.operation).or_default();
        *sum = sum.saturating_add(row.completed);
    }
    let apart = |o: &OperationSummary| {
        let n = completed.get(o.name.as_str()).copied().unwrap_or_default();
        (n != o.completed).then(|| {
            format!(
                "the measured rows of {SERIES} hold {} completed operations of {}, and {RUN_JSON} says {}",
                count(n),
                o.name,
                count(o.completed)
            )
        })
    };
    record.operations.iter().filter_map(apart).collect()
}

/// Notes for a reader, of which only the first few are spelled out.
pub(super) fn few(mut apart: Vec<String>) -> Vec<String> {
    const SAID: usize = 3;
    if apart.len() > SAID {
        let more = apart.len() - SAID;
        apart.truncate(SAID);
        apart.push(format!("{more} more operations do not add up either"));
    }
    apart.into_iter().map(|what| format!("{what}: the files do not belong together")).collect()
}
