//! What comparing costs: 2 × 10 runs of 60 s with 12 operations each, from their files.

use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use hdrhistogram::Histogram;
use odg_reports::RunWriter;
use odg_reports::compare::{Options, compare, side};
use odg_reports::record::{RunRecord, SeriesRow};
use odg_reports::store::{IntervalHistogram, Kind};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

const RUNS: u64 = 10;
const SECONDS: u32 = 60;
const OPERATIONS: u32 = 12;
/// Operations of each kind in a second.
const PER_SECOND: u32 = 200;

fn comparing(c: &mut Criterion) {
    let Ok(dir) = tempfile::tempdir() else { return };
    let sides = ["base", "candidate"].map(|name| dir.path().join(name));
    for (side, dir) in (0..).zip(&sides) {
        for run in 0..RUNS {
            let id = format!("run-{side}-{run}");
            if let Err(error) = write(&dir.join(&id), &id, side * RUNS + run) {
                eprintln!("cannot write a run: {error}");
                return;
            }
        }
    }
    let mut group = c.benchmark_group("compare");
    group.sample_size(10);
    group.bench_function("2 × 10 runs of 60 s, 12 operations", |b| {
        b.iter(|| {
            let read = |dir: &Path| side(dir).unwrap_or_default();
            let (base, candidate) = (read(&sides[0]), read(&sides[1]));
            assert_eq!(base.len() + candidate.len(), 2 * RUNS as usize);
            compare(("base", &base), ("candidate", &candidate), Options::default())
                .map(|comparison| comparison.rows.len())
        });
    });
    group.finish();
}

/// A run as `odg-bench run` leaves it: both histograms of each operation and second.
fn write(dir: &Path, id: &str, seed: u64) -> Result<(), Box<dyn std::error::Error>> {
    let record: RunRecord = serde_json::from_value(record(id))?;
    let mut writer = RunWriter::create(dir)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let names: Vec<String> = (0..OPERATIONS).map(name).collect();
    for second in 0..SECONDS {
        let mut histograms = Vec::new();
        for operation in 0..OPERATIONS {
            let mut histogram = Histogram::<u64>::new(3)?;
            for _ in 0..PER_SECOND {
                // About what a network service shows: a body with a tail of twenty times the median.
                let u: f64 = rng.random();
                let latency = 1e5 * f64::from(1 << operation) * (1.0 + 0.2 / (1.01 - u));
                histogram.record(latency as u64)?;
            }
            histograms.push(histogram);
        }
        let rows: Vec<SeriesRow> = names
            .iter()
            .zip(&histograms)
            .map(|(operation, histogram)| SeriesRow {
                t_s: f64::from(second + 1),
                dt_s: 1.0,
                operation: operation.clone(),
                measured: true,
                offered: u64::from(PER_SECOND),
                completed: u64::from(PER_SECOND),
                response_mean_us: histogram.mean() / 1e3,
                service_mean_us: histogram.mean() / 1e3,
                ..SeriesRow::default()
            })
            .collect();
        let both = names.iter().zip(&histograms).flat_map(|(operation, histogram)| {
            [Kind::Response, Kind::Service].map(|kind| IntervalHistogram {
                operation,
                kind,
                start_s: f64::from(second),
                dt_s: 1.0,
                histogram,
            })
        });
        writer.interval(&rows, &both.collect::<Vec<_>>())?;
    }
    Ok(writer.finish(&record)?)
}

fn name(operation: u32) -> String {
    format!("system.verb{operation}")
}

fn record(id: &str) -> serde_json::Value {
    let latency = json!({
        "count": SECONDS * PER_SECOND, "min_ns": 1, "mean_ns": 1.0, "p50_ns": 1, "p90_ns": 1, "p95_ns": 1, "p99_ns": 1, "p999_ns": 1,
        "max_ns": 0, "out_of_range": 0
    });
    let operation = |number| {
        json!({
            "name": name(number), "component": "kafka", "description": "", "offered": SECONDS * PER_SECOND,
            "completed": SECONDS * PER_SECOND,
            "errors": {}, "retries": 0, "bytes": 0, "response": latency, "service": latency
        })
    };
    json!({
        "schema_version": odg_reports::record::SCHEMA_VERSION, "tool_version": "bench", "run_id": id,
        "started_at": "2026-11-24T06:00:00Z", "state": "complete", "command": [], "profile": "small",
        "provider": "local",
        "config": {
            "seed": 1, "arrivals": "poisson", "duration_s": SECONDS, "warmup_s": 0.0, "volume_bytes_per_day": 1e12,
            "scale": 1.0, "speedup": 1.0, "offered_bytes_per_s": 1.0, "offered_events_per_s": 1.0, "hash": ""
        },
        "implementations": [],
        "host": {"os": "", "kernel": "", "cpu_model": "", "cores": 1, "memory_bytes": 1},
        "stack_ready_ms": 0, "marks": [],
        "operations": (0..OPERATIONS).map(operation).collect::<Vec<_>>(),
        "ledger": {"hops": [], "rejected": 0, "balanced": true, "checks": []},
        "generator": {
            "lag": latency, "scheduled": 0, "dispatched": 0, "dropped": 0, "held": 1.0, "ceiling_events_per_s": 1.0,
            "utilisation": 0.0, "cpu_cores": 0.0, "peak_rss_bytes": 0, "realtime_pacing": false, "peak_backlog": 0
        },
        "resources": [], "objectives": [], "features": [], "verdict": "pass", "reasons": [], "exit_code": 0,
        "warnings": [], "events": []
    })
}

criterion_group!(benches, comparing);
criterion_main!(benches);
