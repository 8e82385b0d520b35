//! Gathers events into batches: one bronze object and one registration each.

use std::time::Duration;

use serde::Deserialize;
use uuid::Uuid;

use crate::event::{EventKind, Frame};
use crate::payload::dataset_of;

/// A batch is sealed when its first event has waited this long. Micro-batching trades latency for
/// fewer, larger objects; end-to-end latency includes it.
pub const LINGER: Duration = Duration::from_millis(500);
/// A batch is sealed at this size, in bytes. Larger than the multipart threshold, so that high volumes
/// store large objects in parts.
pub const MAX_BYTES: usize = 24 << 20;

/// What the pipeline must remember of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRef {
    /// Ordering key.
    pub key: u32,
    /// Sequence.
    pub sequence: u64,
    /// Intended start, in nanoseconds since the run's epoch.
    pub intended_ns: u64,
    /// When it was handed to the bus's client, likewise.
    pub sent_ns: u64,
}

/// Body of a lineage event.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Lineage {
    /// `added`, `updated` or `removed`.
    pub operation: String,
    /// Datasets it reads.
    pub upstream_datasets: Vec<String>,
    /// Datasets it writes.
    pub downstream_datasets: Vec<String>,
}

/// Body of a quality report.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Quality {
    /// Layer that was checked.
    pub layer: String,
    /// Suite that was run.
    pub suite_name: String,
    /// Score from 0 to 1.
    pub dq_score: f64,
    /// Expectations that held.
    pub expectations_passed: i32,
    /// Expectations that did not.
    pub expectations_failed: i32,
    /// All of them.
    pub expectations_total: i32,
}

/// Body of a governance decision.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Decision {
    /// `data_promotion` …
    pub decision_type: String,
    /// `pending` …
    pub status: String,
    /// Title.
    pub title: String,
    /// Why.
    pub justification: String,
    /// Who asks.
    pub created_by: String,
}

/// A parsed body and the event that it came with.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed<T> {
    /// The event.
    pub event: EventRef,
    /// The body.
    pub body: T,
}

impl<T> Parsed<T> {
    /// An id for the row that the event becomes: the same however often it is registered.
    pub fn row_id(&self) -> Uuid {
        Uuid::from_u64_pair(u64::from(self.event.key) + 1, self.event.sequence)
    }
}

/// Writes to one dataset within a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Events.
    pub events: u64,
    /// Payload bytes.
    pub bytes: u64,
}

/// Events on their way to storage.
#[derive(Debug, Default)]
pub struct Batch {
    /// Place in the run, from 0.
    pub number: u64,
    /// The bronze object: frames end to end.
    pub object: Vec<u8>,
    /// The events in it.
    pub events: Vec<EventRef>,
    /// Writes per dataset number.
    pub writes: std::collections::BTreeMap<u32, Written>,
    /// Lineage events.
    pub lineage: Vec<Parsed<Lineage>>,
    /// Quality reports.
    pub quality: Vec<Parsed<Quality>>,
    /// Decisions.
    pub decisions: Vec<Parsed<Decision>>,
    /// Bodies that were intact but not the document that their kind promises.
    pub malformed: u64,
    /// When the first event arrived, in nanoseconds since the run's epoch.
    pub opened_ns: u64,
}

impl Batch {
    /// An empty batch.
    pub fn new(number: u64) -> Self {
        Self { number, ..Self::default() }
    }

    /// Adds an intact event that arrived at `now_ns`.
    pub fn push(&mut self, frame: &Frame<'_>, now_ns: u64) {
        if self.events.is_empty() {
            self.opened_ns = now_ns;
        }
        let stamp = frame.stamp;
        self.object.extend_from_slice(frame.bytes);
        let event = EventRef {
            key: stamp.key,
            sequence: stamp.sequence,
            intended_ns: stamp.intended_ns,
            sent_ns: stamp.sent_ns,
        };
        self.events.push(event);
        let dataset = dataset_of(stamp.key);
        let written = self.writes.entry(dataset).or_default();
        written.events += 1;
        written.bytes += frame.bytes.len() as u64;
        let parsed = match stamp.kind {
            EventKind::DatasetWrite => true,
            EventKind::Lineage => keep(&mut self.lineage, event, frame),
            EventKind::QualityReport => keep(&mut self.quality, event, frame),
            EventKind::Decision => keep(&mut self.decisions, event, frame),
        };
        self.malformed += u64::from(!parsed);
    }

    /// Whether the batch is to be sealed at `now_ns`.
    pub fn is_due(&self, now_ns: u64) -> bool {
        !self.events.is_empty()
            && (self.object.len() >= MAX_BYTES
                || now_ns.saturating_sub(self.opened_ns) >= LINGER.as_nanos() as u64)
    }

    /// When the batch was to be sealed, in nanoseconds since the run's epoch: at the end of its linger, or
    /// at `sealed_ns` where it was full before. A consumer that waits for storage seals late; the wait
    /// belongs to storage.
    pub fn due_ns(&self, sealed_ns: u64) -> u64 {
        sealed_ns.min(self.opened_ns.saturating_add(LINGER.as_nanos() as u64))
    }

    /// Key of the bronze object.
    pub fn object_key(&self) -> String {
        format!("events/{:08}.odgb", self.number)
    }
}

fn keep<T: for<'de> Deserialize<'de>>(
    into: &mut Vec<Parsed<T>>,
    event: EventRef,
    frame: &Frame<'_>,
) -> bool {
    serde_json::from_slice(frame.body).map(|body| into.push(Parsed { event, body })).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{read_frame, read_frames};
    use crate::payload::{EventSource, Pool};

    #[test]
    fn a_batch_keeps_every_event_and_parses_every_small_kind() {
        let mut source = EventSource::new(Pool::day(3), 3);
        let mut batch = Batch::new(0);
        let mut bytes = Vec::new();
        for i in 0..1_000 {
            source.next_into(i, i, &mut bytes);
            batch.push(&read_frame(&bytes).unwrap(), 7);
        }
        assert_eq!(batch.malformed, 0);
        assert_eq!(read_frames(&batch.object).filter(|f| f.is_ok()).count(), 1_000);
        let small = batch.lineage.len() + batch.quality.len() + batch.decisions.len();
        assert!((400..600).contains(&small), "{small}");
        assert_eq!(batch.writes.values().map(|w| w.events).sum::<u64>(), 1_000);
        assert_eq!(batch.writes.values().map(|w| w.bytes).sum::<u64>(), batch.object.len() as u64);
    }

    #[test]
    fn a_batch_is_due_after_its_linger_and_never_while_empty() {
        let mut batch = Batch::new(0);
        assert!(!batch.is_due(u64::MAX));
        let mut source = EventSource::new(Pool::day(3), 3);
        let mut bytes = Vec::new();
        source.next_into(0, 0, &mut bytes);
        batch.push(&read_frame(&bytes).unwrap(), 1_000);
        let linger = LINGER.as_nanos() as u64;
        assert!(!batch.is_due(999 + linger));
        assert!(batch.is_due(1_000 + linger));
    }
}
