//! Writes the synthetic record of a long run, as a run would, to measure what reads it:
//!
//! ```text
//! cargo run --release -p odg-reports --example day-record -- /tmp/day 86400
//! time odg-bench report /tmp/day
//! ```
//!
//! Twelve operations, six components, a second's rows and histograms each second; seeded, so that
//! every record of one length is the same.

use std::error::Error;
use std::path::PathBuf;

use hdrhistogram::Histogram;
use odg_reports::RunWriter;
use odg_reports::record::{JournalLine, OperationSummary, ResourceRow, RunRecord, SeriesRow};
use odg_reports::store::{IntervalHistogram, Kind};
use odg_reports::summary::{latency_summary, resource_summary};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const TEMPLATE: &str = include_str!("record.json");
const WARMUP_S: u32 = 60;
/// Operations: name, per second, median in ns.
const OPERATIONS: [(&str, u32, f64); 12] = [
    ("bus.publish", 900, 900e3),
    ("bus.deliver", 900, 1.4e6),
    ("end_to_end", 900, 140e6),
    ("redis.session", 300, 110e3),
    ("postgres.lookup", 120, 450e3),
    ("nats.publish", 90, 200e3),
    ("postgres.register", 40, 2.6e6),
    ("s3.get", 20, 9e6),
    ("governance.decide", 20, 12e6),
    ("s3.put", 6, 24e6),
    ("promote.silver", 2, 40e6),
    ("promote.gold", 1, 60e6),
];
const COMPONENTS: [&str; 6] = ["kafka", "postgresql", "minio", "redis", "nats", "odg-bench"];
/// Different seconds of an operation; a long run draws from them.
const SECONDS: usize = 48;

struct Second {
    response: Histogram<u64>,
    service: Histogram<u64>,
    row: SeriesRow,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(dir), Some(duration)) = (arguments.next().map(PathBuf::from), arguments.next())
    else {
        return Err("usage: day-record DIRECTORY SECONDS".into());
    };
    let duration: u32 = duration.parse()?;
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut record: RunRecord = serde_json::from_str(TEMPLATE)?;
    record.config.warmup_s = f64::from(WARMUP_S);
    record.config.duration_s = f64::from(duration);
    let mut writer = RunWriter::create(&dir)?;
    writer.journal(&JournalLine::Start { record: Box::new(record.clone()) })?;

    let mut seconds = Vec::new();
    for (name, per_s, median) in OPERATIONS {
        let drawn = (0..SECONDS).map(|_| second(&mut rng, name, per_s, median));
        seconds.push(drawn.collect::<Result<Vec<Second>, _>>()?);
        let summary = OperationSummary { name: name.into(), ..OperationSummary::default() };
        record.operations.push(summary);
    }
    let fresh = || Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3);
    let mut totals = Vec::new();
    for _ in OPERATIONS {
        totals.push([fresh()?, fresh()?]);
    }
    let mut resources = Vec::new();
    for t in 1..=WARMUP_S + duration {
        let measured = t > WARMUP_S;
        let now: Vec<&Second> =
            seconds.iter().map(|of| &of[rng.random_range(0..SECONDS)]).collect();
        let rows: Vec<SeriesRow> = now
            .iter()
            .map(|s| SeriesRow { t_s: f64::from(t) + 0.004, measured, ..s.row.clone() })
            .collect();
        let histograms: Vec<IntervalHistogram<'_>> = now
            .iter()
            .flat_map(|s| {
                [(Kind::Response, &s.response), (Kind::Service, &s.service)].map(
                    |(kind, histogram)| IntervalHistogram {
                        operation: &s.row.operation,
                        kind,
                        start_s: f64::from(t - 1) + 0.004,
                        dt_s: 1.0,
                        histogram,
                    },
                )
            })
            .collect();
        writer.interval(&rows, &histograms)?;
        let of_components: Vec<ResourceRow> = COMPONENTS
            .iter()
            .map(|component| ResourceRow {
                t_s: f64::from(t) + 0.004,
                component: (*component).into(),
                cpu_cores: rng.random_range(0.1..0.9),
                rss_bytes: rng.random_range(50_000_000..400_000_000),
                write_bytes: Some(u64::from(t) * 11_000_000),
                ..ResourceRow::default()
            })
            .collect();
        writer.resources(&of_components)?;
        if measured {
            resources.extend(of_components);
            for ((operation, total), s) in record.operations.iter_mut().zip(&mut totals).zip(&now) {
                operation.offered += s.row.offered;
                operation.completed += s.row.completed;
                operation.bytes += s.row.bytes;
                total[0].add(&s.response)?;
                total[1].add(&s.service)?;
            }
        }
    }
    for (operation, total) in record.operations.iter_mut().zip(&totals) {
        operation.response = latency_summary(&total[0], 0);
        operation.service = latency_summary(&total[1], 0);
    }
    let (from, to) = (f64::from(WARMUP_S), f64::from(WARMUP_S + duration));
    record.resources = resource_summary(&resources, from, to);
    writer.finish(&record)?;
    Ok(())
}

/// A second of an operation, with a level of its own and a long tail.
fn second(
    rng: &mut ChaCha8Rng,
    name: &str,
    per_s: u32,
    median: f64,
) -> Result<Second, Box<dyn Error>> {
    let fresh = || Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3);
    let (mut response, mut service) = (fresh()?, fresh()?);
    let level = rng.random_range(0.8..1.4);
    for _ in 0..per_s {
        let tail = rng.random::<f64>().powi(8) * 25.0;
        let ns = median * level * (0.6 + rng.random::<f64>() + tail);
        service.record(ns as u64)?;
        response.record((ns * (1.0 + rng.random::<f64>())) as u64)?;
    }
    let us = |h: &Histogram<u64>, q: f64| h.value_at_quantile(q) as f64 / 1e3;
    let row = SeriesRow {
        dt_s: 1.0,
        operation: name.into(),
        offered: u64::from(per_s),
        completed: u64::from(per_s),
        bytes: u64::from(per_s) * 12_000,
        in_flight: rng.random_range(0..8),
        backlog: rng.random_range(0..4),
        response_p50_us: us(&response, 0.5),
        response_p99_us: us(&response, 0.99),
        response_max_us: us(&response, 1.0),
        response_mean_us: response.mean() / 1e3,
        service_p50_us: us(&service, 0.5),
        service_p99_us: us(&service, 0.99),
        service_max_us: us(&service, 1.0),
        service_mean_us: service.mean() / 1e3,
        ..SeriesRow::default()
    };
    Ok(Second { response, service, row })
}
