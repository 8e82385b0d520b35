//! Event bodies, drawn from a seeded pool so that making them is never the limit.
//!
//! Sizes and content follow a data platform: dataset writes are batches of JSON records with a log-normal
//! size, the other kinds are single JSON documents around one kilobyte. Text compresses about threefold,
//! as such records do.

use std::fmt::Write as _;
use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::event::{EventKind, STAMP_LEN, Stamp};

/// Datasets that a run writes to; each is an ordering key of every kind.
pub const DATASETS: u32 = 256;
/// Domains that the datasets belong to.
pub const DOMAINS: [&str; 8] =
    ["sales", "finance", "logistics", "marketing", "risk", "people", "support", "research"];
/// Ordering keys: one for each kind and dataset.
pub const KEYS: u32 = DATASETS * 4;

/// Share of each kind among events, in the order of [`EventKind::ALL`]. Ours (derived): writes carry
/// nearly all bytes; every second write brings a lineage change, about every third a quality report.
const KIND_SHARE: [f64; 4] = [0.50, 0.25, 0.15, 0.10];
/// Bodies kept per kind.
const BODIES: usize = 512;
/// Median body of a dataset write, in bytes; with [`WRITE_SIGMA`] the mean is about 19 KiB.
const WRITE_MEDIAN: f64 = 12.0 * 1024.0;
const WRITE_SIGMA: f64 = 1.0;
const WRITE_RANGE: (f64, f64) = (1024.0, 256.0 * 1024.0);

/// The dataset of an ordering key.
pub fn dataset_of(key: u32) -> u32 {
    key % DATASETS
}

/// A dataset's id.
pub fn dataset_id(dataset: u32) -> String {
    format!("ds-{dataset:04}")
}

/// The domain that a dataset belongs to.
pub fn domain_of(dataset: u32) -> &'static str {
    DOMAINS[dataset as usize % DOMAINS.len()]
}

/// Seeded event bodies.
#[derive(Debug)]
pub struct Pool {
    bodies: [Vec<Vec<u8>>; 4],
}

impl Pool {
    /// The pool of a data platform's day.
    pub fn day(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x706f_6f6c);
        Self {
            bodies: EventKind::ALL.map(|kind| (0..BODIES).map(|_| body(kind, &mut rng)).collect()),
        }
    }

    /// A pool in which every whole event is `bytes` long, for measuring the generator itself.
    ///
    /// `bytes` smaller than the stamp gives empty bodies.
    pub fn fixed(bytes: usize, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let len = bytes.saturating_sub(STAMP_LEN);
        let bodies = EventKind::ALL.map(|_| {
            (0..BODIES)
                .map(|_| {
                    let mut text = String::new();
                    while text.len() < len {
                        record(&mut text, &mut rng);
                    }
                    text.truncate(len);
                    text.into_bytes()
                })
                .collect()
        });
        Self { bodies }
    }

    /// Mean length of a whole event (stamp and body) over the draw, in bytes. Exact, for turning a daily
    /// volume into a rate.
    pub fn mean_bytes(&self) -> f64 {
        KIND_SHARE
            .iter()
            .zip(&self.bodies)
            .map(|(share, bodies)| {
                let total: usize = bodies.iter().map(Vec::len).sum();
                share * (STAMP_LEN as f64 + total as f64 / bodies.len() as f64)
            })
            .sum()
    }

    /// Memory held by the bodies, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.bodies.iter().flatten().map(Vec::len).sum()
    }
}

/// Makes the run's events, in order, from a pool and a seed. Event *i* is the same in every run with the
/// same seed, whenever it is sent.
#[derive(Debug)]
pub struct EventSource {
    pool: Arc<Pool>,
    seed: u64,
    index: u64,
    next_sequence: Vec<u64>,
}

impl EventSource {
    /// A source at its first event.
    pub fn new(pool: impl Into<Arc<Pool>>, seed: u64) -> Self {
        Self { pool: pool.into(), seed, index: 0, next_sequence: vec![0; KEYS as usize] }
    }

    /// Writes the next event into `frame` (its old content goes) and answers its stamp.
    pub fn next_into(&mut self, intended_ns: u64, sent_ns: u64, frame: &mut Vec<u8>) -> Stamp {
        let draw = splitmix(self.seed ^ splitmix(self.index));
        self.index += 1;
        let kind = kind_of((draw & 0xffff) as f64 / 65_536.0);
        // The smaller of two uniform draws: some datasets are busier than others.
        let dataset = (((draw >> 16) & 0xff).min((draw >> 24) & 0xff) as u32) * DATASETS / 256;
        let key = kind as u32 * DATASETS + dataset;
        let bodies = &self.pool.bodies[kind as usize];
        let body = &bodies[(draw >> 32) as usize % bodies.len()];
        let sequence = &mut self.next_sequence[key as usize];
        let stamp = Stamp { kind, key, sequence: *sequence, intended_ns, sent_ns };
        *sequence += 1;
        frame.clear();
        frame.resize(STAMP_LEN, 0);
        frame.extend_from_slice(body);
        stamp.seal(frame);
        stamp
    }
}

fn kind_of(draw: f64) -> EventKind {
    let mut edge = 0.0;
    for (kind, share) in EventKind::ALL.into_iter().zip(KIND_SHARE) {
        edge += share;
        if draw < edge {
            return kind;
        }
    }
    EventKind::Decision
}

/// SplitMix64 (Steele, Lea, Flood 2014): one well-mixed word from another.
pub(crate) fn splitmix(word: u64) -> u64 {
    let mut z = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const WORDS: [&str; 16] = [
    "order", "invoice", "shipment", "customer", "refund", "ledger", "payment", "contract", "asset",
    "claim", "ticket", "campaign", "supplier", "return", "forecast", "account",
];

fn word(rng: &mut ChaCha8Rng) -> &'static str {
    WORDS[rng.random_range(0..WORDS.len())]
}

/// One JSON record and a line end.
fn record(text: &mut String, rng: &mut ChaCha8Rng) {
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        r#"{{"id":"{:016x}","entity":"{}","status":"{}","amount":{}.{:02},"quantity":{},"updated_at":"2026-02-{:02}T{:02}:{:02}:{:02}Z","note":"{} {} {}"}}"#,
        rng.random::<u64>(),
        word(rng),
        ["open", "closed", "pending"][rng.random_range(0..3)],
        rng.random_range(1..100_000),
        rng.random_range(0..100),
        rng.random_range(1..500),
        rng.random_range(1..29),
        rng.random_range(0..24),
        rng.random_range(0..60),
        rng.random_range(0..60),
        word(rng),
        word(rng),
        word(rng),
    );
}

/// A standard normal draw (Box–Muller).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let u: f64 = 1.0 - rng.random::<f64>();
    let v: f64 = rng.random();
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

fn body(kind: EventKind, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut text = String::new();
    match kind {
        EventKind::DatasetWrite => {
            let size = (WRITE_MEDIAN * (WRITE_SIGMA * normal(rng)).exp())
                .clamp(WRITE_RANGE.0, WRITE_RANGE.1) as usize;
            while text.len() < size {
                record(&mut text, rng);
            }
        }
        EventKind::Lineage => {
            let edges = |rng: &mut ChaCha8Rng| -> Vec<String> {
                (0..rng.random_range(1..12))
                    .map(|_| dataset_id(rng.random_range(0..DATASETS)))
                    .collect()
            };
            let operation = ["added", "updated", "removed"][rng.random_range(0..3)];
            let value = serde_json::json!({
                "event_type": "lineage", "source_service": "lakehouse-agent", "operation": operation,
                "upstream_datasets": edges(rng), "downstream_datasets": edges(rng),
                "job": format!("{}-{}", word(rng), word(rng)),
            });
            text = value.to_string();
        }
        EventKind::QualityReport => {
            let score = |rng: &mut ChaCha8Rng| f64::from(rng.random_range(600..=1000)) / 1000.0;
            let total = rng.random_range(3..40);
            let failed = rng.random_range(0..3).min(total);
            let results: Vec<serde_json::Value> = (0..total)
                .map(|i| serde_json::json!({ "expectation": format!("expect_{}_{i}", word(rng)), "success": i >= failed }))
                .collect();
            let value = serde_json::json!({
                "event_type": "quality", "source_service": "quality-gate", "layer": "bronze",
                "suite_name": "default", "dq_score": score(rng), "passed": failed == 0,
                "expectations_total": total, "expectations_failed": failed,
                "expectations_passed": total - failed, "results": results,
            });
            text = value.to_string();
        }
        EventKind::Decision => {
            let kind = ["data_promotion", "schema_change", "access_grant", "policy_change"]
                [rng.random_range(0..4)];
            let value = serde_json::json!({
                "event_type": "decision", "source_service": "governance-engine",
                "decision_type": kind, "status": "pending",
                "title": format!("Review {} of {} {}", kind, word(rng), word(rng)),
                "created_by": format!("steward-{}", rng.random_range(0..200)),
                "justification": (0..rng.random_range(20..120)).map(|_| word(rng)).collect::<Vec<_>>().join(" "),
            });
            text = value.to_string();
        }
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::read_frame;

    fn events(seed: u64, count: usize) -> Vec<Vec<u8>> {
        let mut source = EventSource::new(Pool::day(seed), seed);
        (0..count)
            .map(|i| {
                let mut frame = Vec::new();
                source.next_into(i as u64, i as u64 + 1, &mut frame);
                frame
            })
            .collect()
    }

    #[test]
    fn the_same_seed_makes_the_same_events_and_another_seed_others() {
        assert_eq!(events(1, 50), events(1, 50));
        assert_ne!(events(1, 50), events(2, 50));
    }

    #[test]
    fn the_mean_size_that_sets_the_rate_is_the_mean_of_what_is_made() {
        let mean = Pool::day(9).mean_bytes();
        let events = events(9, 20_000);
        let made = events.iter().map(Vec::len).sum::<usize>() as f64 / events.len() as f64;
        assert!((made / mean - 1.0).abs() < 0.05, "made {made}, mean {mean}");
        assert!((4_000.0..20_000.0).contains(&mean), "{mean}");
    }

    #[test]
    fn every_key_counts_from_zero_without_gaps_and_every_frame_is_intact() {
        let mut next = vec![0; KEYS as usize];
        for frame in events(4, 5_000) {
            let stamp = read_frame(&frame).unwrap().stamp;
            assert_eq!(stamp.sequence, next[stamp.key as usize]);
            assert_eq!(stamp.key / DATASETS, stamp.kind as u32);
            next[stamp.key as usize] += 1;
        }
    }

    #[test]
    fn small_kinds_are_json_documents_that_a_consumer_can_parse() {
        for frame in events(5, 500) {
            let frame = read_frame(&frame).unwrap();
            if frame.stamp.kind != EventKind::DatasetWrite {
                let value: serde_json::Value = serde_json::from_slice(frame.body).unwrap();
                assert!(value.is_object());
            }
        }
    }

    #[test]
    fn a_fixed_pool_makes_events_of_exactly_that_size() {
        let mut source = EventSource::new(Pool::fixed(1024, 1), 1);
        let mut frame = Vec::new();
        for _ in 0..100 {
            source.next_into(0, 0, &mut frame);
            assert_eq!(frame.len(), 1024);
        }
    }
}
