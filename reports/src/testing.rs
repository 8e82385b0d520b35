//! A synthetic run for the tests: seeded, so that every test sees the same one.

use std::collections::BTreeMap;
use std::path::Path;

use hdrhistogram::Histogram;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::read::Run;
use crate::record::*;
use crate::store::{IntervalHistogram, Kind, RunWriter};
use crate::summary::{IntervalMean, latency_summary, mean_ci95_ns, resource_summary};

pub(crate) const WARMUP_S: u32 = 5;
pub(crate) const DURATION_S: u32 = 60;

/// Operations: name, component, per second, bytes, median of the service time in µs.
const OPERATIONS: [(&str, &str, u64, u64, f64); 7] = [
    ("bus.publish", "kafka", 900, 12_000, 900.0),
    ("s3.put", "s3", 6, 1_900_000, 24_000.0),
    ("s3.get", "s3", 20, 400_000, 9_000.0),
    ("postgresql.insert", "postgresql", 40, 4_000, 2_600.0),
    ("postgresql.lookup", "postgresql", 120, 300, 450.0),
    ("redis.session", "redis", 300, 200, 110.0),
    ("end_to_end", "", 900, 12_000, 140_000.0),
];

/// A complete, passing run of "small": everything but the figures of its operations.
pub(crate) fn record() -> RunRecord {
    let implementation = |component: &str, name: &str, version: &str, fidelity| Implementation {
        component: component.into(),
        name: name.into(),
        version: version.into(),
        fidelity,
        endpoint: "127.0.0.1:41237".into(),
        ready_ms: 1_240,
        note: None,
    };
    let mut s3 = implementation("s3", "s3s-fs", "0.14.1", Fidelity::Fake);
    s3.note =
        Some("In process, on the local file system; no erasure coding, no replication.".into());
    let objective =
        |operation: &str, threshold: &str, measured: &str, ratio, upper: &str, samples| {
            ObjectiveResult {
                id: format!("{operation}.p99"),
                operation: operation.into(),
                metric: "p99 response time".into(),
                threshold: format!("≤ {threshold}"),
                measured: measured.into(),
                ratio: Some(ratio),
                upper99: Some(upper.into()),
                design_effect: Some(1.0),
                samples,
                samples_needed: 459,
                origin: "derived".into(),
                source: "Four times the large profile's documented 100 ms.".into(),
                required: true,
                verdict: Verdict::Pass,
                evidence: format!("14 of {samples} operations over the threshold"),
            }
        };
    let feature = |feature: &str, promised: &str, verdict, answered: &str| FeatureResult {
        feature: feature.into(),
        promised: promised.into(),
        verdict,
        fidelity: (verdict == Verdict::Pass).then_some(Fidelity::Real),
        asked: format!("Is {feature} {promised}, and does it work?"),
        answered: answered.into(),
        took_ms: 12.4,
        required: true,
    };
    let hop = |hop: &str, reached, reordered| HopSummary {
        hop: hop.into(),
        reached,
        reordered,
        ..HopSummary::default()
    };
    RunRecord {
        schema_version: SCHEMA_VERSION.into(),
        tool_version: "0.1.0".into(),
        run_id: "20261124-060000-small-7f3a".into(),
        started_at: "2026-11-24T06:00:00Z".into(),
        finished_at: Some("2026-11-24T06:01:09Z".into()),
        repeat: None,
        state: RunState::Complete,
        command: ["odg-bench", "run", "--profile", "small", "--duration", "60s", "--seed", "42"]
            .map(String::from)
            .into(),
        profile: "small".into(),
        provider: "local".into(),
        config: RunConfig {
            seed: 42,
            arrivals: "poisson".into(),
            duration_s: f64::from(DURATION_S),
            warmup_s: f64::from(WARMUP_S),
            volume_bytes_per_day: 1e12,
            scale: 1.0,
            scale_reason: None,
            speedup: 1.0,
            window: None,
            offered_bytes_per_s: 11_574_074.0,
            offered_events_per_s: 900.0,
            hash: "9f2c4e1ab07d55e8c1d6a3f0b2c4d6e8f00112233445566778899aabbccddeeff".into(),
            load_hash: None,
        },
        implementations: vec![
            implementation("postgresql", "PostgreSQL", "17.6", Fidelity::Real),
            implementation("redis", "Redis", "8.0.2", Fidelity::Real),
            implementation("nats", "NATS Server", "2.11.4", Fidelity::Real),
            implementation("kafka", "Apache Kafka", "4.1.0", Fidelity::Real),
            s3,
        ],
        host: Host {
            os: "Debian GNU/Linux 13 (trixie)".into(),
            kernel: "6.12.41".into(),
            cpu_model: "AMD EPYC 7B13".into(),
            cores: 2,
            memory_bytes: 8_321_499_136,
            virtualisation: Some("kvm".into()),
        },
        stack_ready_ms: 8_450,
        marks: vec!["fake s3".into()],
        operations: OPERATIONS
            .iter()
            .map(|(name, component, ..)| OperationSummary {
                name: (*name).into(),
                component: (*component).into(),
                description: match *name {
                    "end_to_end" => "Intended event time to the row that can be read".into(),
                    _ => format!("One {name}, of the size that the day asks for"),
                },
                ..OperationSummary::default()
            })
            .collect(),
        ledger: LedgerSummary {
            hops: vec![
                hop("sent", 58_514, 0),
                hop("acknowledged", 58_514, 0),
                hop("consumed", 58_514, 3),
                hop("stored", 58_514, 0),
                hop("registered", 58_514, 0),
            ],
            rejected: 0,
            balanced: true,
            checks: vec![
                LedgerCheck {
                    what: "rows in lineage_events".into(),
                    expected: "58514".into(),
                    found: "58514".into(),
                    ok: true,
                },
                LedgerCheck {
                    what: "audit chain of governance decisions".into(),
                    expected: "unbroken, 1,170 links".into(),
                    found: "unbroken, 1,170 links".into(),
                    ok: true,
                },
            ],
        },
        generator: GeneratorSummary {
            lag: LatencySummary {
                count: 58_514,
                p50_ns: 210,
                p99_ns: 14_300,
                max_ns: 880_000,
                ..LatencySummary::default()
            },
            scheduled: 58_514,
            dispatched: 58_514,
            dropped: 0,
            held: 0.999_98,
            ceiling_events_per_s: 742_000.0,
            utilisation: 0.0187,
            cpu_cores: 0.31,
            peak_rss_bytes: 148_000_000,
            realtime_pacing: false,
            peak_backlog: 41,
        },
        resources: Vec::new(),
        objectives: vec![
            objective("bus.publish", "250 ms", "21.4 ms", 0.0856, "24.1 ms", 54_000),
            objective("s3.put", "500 ms", "131 ms", 0.262, "402 ms", 459),
            objective("postgresql.insert", "250 ms", "38.0 ms", 0.152, "47.9 ms", 2_400),
            objective("end_to_end", "1.00 s", "611 ms", 0.611, "640 ms", 54_000),
        ],
        features: vec![
            feature("kafka", "present", Verdict::Pass, "one broker, publish and consume worked"),
            feature("postgresql", "present", Verdict::Pass, "SELECT 1 and a written row came back"),
            feature("gpu_experts", "absent", Verdict::Pass, "no component asks for a GPU"),
            feature(
                "three_zones",
                "optional",
                Verdict::NotVerified,
                "one machine has no zones; provider kind or attach could show it",
            ),
        ],
        verdict: Verdict::Pass,
        reasons: vec![
            "4 required objectives hold; 2 components probed and working, 1 absent as promised, 1 cell \
             not verified; the ledger balances".into(),
            "not verified: three_zones; this provider cannot show it".into(),
        ],
        exit_code: 0,
        warnings: vec![Warning {
            code: "pacing_not_realtime".into(),
            text: "The pacing thread did not get a real-time scheduling class.".into(),
            action: "Grant CAP_SYS_NICE for a lag that other processes cannot disturb.".into(),
        }],
        events: vec![
            TimelineEvent { t_s: 5.0, kind: "warmup_end".into(), text: "Warm-up ends".into() },
            TimelineEvent {
                t_s: 33.0,
                kind: "fault".into(),
                text: "PostgreSQL stopped for 2 s".into(),
            },
            TimelineEvent { t_s: 65.0, kind: "load_end".into(), text: "Last arrival".into() },
        ],
    }
}

/// Writes the whole run but its end into `dir`, and returns the record that would end it.
pub(crate) fn write_without_end(dir: &Path) -> (RunWriter, RunRecord) {
    let mut record = record();
    let mut writer = RunWriter::create(dir).unwrap();
    let mut start = record.clone();
    start.objectives.clear();
    start.ledger = LedgerSummary::default();
    writer.journal(&JournalLine::Start { record: Box::new(start) }).unwrap();
    writer.journal(&JournalLine::Finding(record.features[0].clone())).unwrap();

    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let fresh = || Histogram::<u64>::new_with_bounds(1, 120_000_000_000, 3).unwrap();
    let mut totals: BTreeMap<&str, [Histogram<u64>; 2]> = BTreeMap::new();
    let (mut all_rows, mut all_resources) = (Vec::new(), Vec::new());
    for second in 1..=WARMUP_S + DURATION_S {
        let measured = second > WARMUP_S;
        // A fault: PostgreSQL stands still for two seconds, and what waits for it queues.
        let stalled = (34..=36).contains(&second);
        let mut rows = Vec::new();
        let mut histograms = Vec::new();
        for (name, component, per_s, bytes, median_us) in OPERATIONS {
            let (mut response, mut service) = (fresh(), fresh());
            let offered = (per_s as f64 * rng.random_range(0.93..1.07)).round() as u64;
            for _ in 0..offered {
                let tail: f64 = rng.random::<f64>().powi(6) * 20.0;
                let cold = if measured { 1.0 } else { 4.0 };
                let us = median_us * cold * (0.7 + rng.random::<f64>() * 0.6 + tail * 0.3);
                let hit = stalled && matches!(component, "postgresql" | "");
                let wait = if hit { rng.random_range(0.0..2e6) } else { us * rng.random::<f64>() };
                service.record((us * 1e3) as u64).unwrap();
                response.record(((us + wait) * 1e3) as u64).unwrap();
            }
            let us = |h: &Histogram<u64>, q: f64| h.value_at_quantile(q) as f64 / 1e3;
            let row = SeriesRow {
                t_s: f64::from(second),
                dt_s: 1.0,
                operation: name.into(),
                measured,
                offered,
                completed: offered,
                errors: 0,
                bytes: offered * bytes,
                in_flight: 2,
                backlog: if stalled && component == "postgresql" {
                    41
                } else {
                    rng.random_range(0..4)
                },
                response_p50_us: us(&response, 0.5),
                response_p99_us: us(&response, 0.99),
                response_max_us: us(&response, 1.0),
                response_mean_us: response.mean() / 1e3,
                service_p50_us: us(&service, 0.5),
                service_p99_us: us(&service, 0.99),
                service_max_us: us(&service, 1.0),
                service_mean_us: service.mean() / 1e3,
            };
            rows.push(row);
            histograms.push((name, response, service));
        }
        let intervals: Vec<IntervalHistogram<'_>> = histograms
            .iter()
            .flat_map(|(operation, response, service)| {
                [(Kind::Response, response), (Kind::Service, service)].map(|(kind, histogram)| {
                    let start_s = f64::from(second - 1);
                    IntervalHistogram { operation, kind, start_s, dt_s: 1.0, histogram }
                })
            })
            .collect();
        writer.interval(&rows, &intervals).unwrap();
        if measured {
            for (name, response, service) in &histograms {
                let both = totals.entry(name).or_insert_with(|| [fresh(), fresh()]);
                both[0].add(response).unwrap();
                both[1].add(service).unwrap();
            }
        }
        all_rows.extend(rows);

        let resources: Vec<ResourceRow> = [
            ("odg-bench", 0.3),
            ("kafka", 0.5),
            ("postgresql", 0.4),
            ("redis", 0.05),
            ("nats", 0.02),
        ]
        .map(|(component, cores)| ResourceRow {
            t_s: f64::from(second),
            component: component.into(),
            cpu_cores: if stalled && component == "postgresql" {
                0.0
            } else {
                cores * rng.random_range(0.8..1.25)
            },
            rss_bytes: 120_000_000,
            write_bytes: Some(u64::from(second) * 11_000_000),
            ..ResourceRow::default()
        })
        .into();
        writer.resources(&resources).unwrap();
        all_resources.extend(resources);
    }
    for event in &record.events {
        writer.journal(&JournalLine::Event(event.clone())).unwrap();
    }
    for operation in &mut record.operations {
        let both = &totals[operation.name.as_str()];
        operation.response = latency_summary(&both[0], 0);
        operation.service = latency_summary(&both[1], 0);
        let ci = |mean: fn(&SeriesRow) -> IntervalMean| {
            let rows = all_rows.iter().filter(|r| r.measured && r.operation == operation.name);
            mean_ci95_ns(&rows.map(mean).collect::<Vec<_>>(), f64::from(WARMUP_S + DURATION_S))
        };
        operation.response.mean_ci95_ns = ci(IntervalMean::response);
        operation.service.mean_ci95_ns = ci(IntervalMean::service);
        for row in all_rows.iter().filter(|r| r.measured && r.operation == operation.name) {
            operation.offered += row.offered;
            operation.completed += row.completed;
            operation.bytes += row.bytes;
        }
    }
    for objective in &mut record.objectives {
        let of = record.operations.iter().find(|o| o.name == objective.operation);
        objective.samples = of.map_or(0, |o| o.response.count);
        // Too few for a p99.
        if objective.samples < objective.samples_needed {
            (objective.metric, objective.samples_needed) = ("p95 response time".into(), 90);
        }
        objective.evidence = format!("0 of {} operations over the threshold", objective.samples);
    }
    record.resources =
        resource_summary(&all_resources, f64::from(WARMUP_S), f64::from(WARMUP_S + DURATION_S));
    (writer, record)
}

/// Writes the whole run into `dir`.
pub(crate) fn write(dir: &Path) -> RunRecord {
    let (writer, record) = write_without_end(dir);
    writer.finish(&record).unwrap();
    record
}

/// The run, read back.
pub(crate) fn run() -> Run {
    let tmp = tempfile::tempdir().unwrap();
    write(tmp.path());
    Run::open(tmp.path()).unwrap()
}

/// Appends `poison` to every text in the record.
pub(crate) fn poison(record: &mut RunRecord, poison: &str) {
    fn walk(value: &mut serde_json::Value, key: &str, poison: &str) {
        match value {
            // Words of a closed set cannot hold foreign text.
            serde_json::Value::String(_)
                if matches!(key, "verdict" | "fidelity" | "state" | "schema_version" | "side") => {}
            serde_json::Value::String(text) => text.push_str(poison),
            serde_json::Value::Array(items) => {
                items.iter_mut().for_each(|item| walk(item, key, poison));
            }
            serde_json::Value::Object(map) => {
                map.iter_mut().for_each(|(key, value)| walk(value, key, poison));
            }
            _ => {}
        }
    }
    let mut value = serde_json::to_value(&*record).unwrap();
    walk(&mut value, "", poison);
    *record = serde_json::from_value(value).unwrap();
}
