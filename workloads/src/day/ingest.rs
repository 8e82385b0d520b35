//! Reads events back from the bus, verifies each, and seals them into batches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use super::batch::Batch;
use crate::clock::Clock;
use crate::driver::DriverError;
use crate::driver::kafka::{KafkaConsumer, NextOffset};
use crate::driver::nats::{NatsConsumer, NatsMessage};
use crate::event::read_frame;
use crate::ledger::tracker::Seen;
use crate::ledger::{Hop, Ledger};
use crate::recorder::{Lane, Outcome, Span};

/// Longest wait for a message, so that a batch is sealed soon after it is due and a stop is seen.
const POLL: Duration = Duration::from_millis(20);
/// Messages taken from NATS at once.
const NATS_FETCH: usize = 500;
/// Pause after an error, so that a broken bus does not spin the consumer.
const ERROR_PAUSE: Duration = Duration::from_millis(100);

/// A sealed batch, and when it was due.
#[derive(Debug)]
pub(super) struct Sealed {
    pub batch: Batch,
    pub due_ns: u64,
}

/// Verifies events and gathers them.
#[derive(Debug)]
pub(super) struct Ingest {
    pub clock: Clock,
    pub ledger: Arc<Ledger>,
    pub deliver: Lane,
    pub store: Lane,
    pub sealed: mpsc::Sender<Sealed>,
    /// Errors of the bus while reading, for the record.
    pub errors: Arc<AtomicU64>,
    /// Whether it waits for storage or for a commit: then silence on the bus means nothing.
    pub waiting: Arc<AtomicBool>,
    open: Batch,
}

impl Ingest {
    pub(super) fn new(
        clock: Clock,
        ledger: Arc<Ledger>,
        deliver: Lane,
        store: Lane,
        sealed: mpsc::Sender<Sealed>,
    ) -> Self {
        let open = Batch::new(0);
        Self {
            clock,
            ledger,
            deliver,
            store,
            sealed,
            errors: Arc::default(),
            waiting: Arc::default(),
            open,
        }
    }

    /// Takes one message. A repeated event is counted and goes no further.
    fn take(&mut self, payload: &[u8]) {
        let frame = match read_frame(payload) {
            Ok(frame) => frame,
            Err(error) => {
                tracing::warn!(%error, bytes = payload.len(), "corrupt event on the bus");
                self.ledger.corrupted(Hop::Consumed);
                return;
            }
        };
        let stamp = frame.stamp;
        match self.ledger.reached(Hop::Consumed, stamp.key, stamp.sequence) {
            Some(Seen::InOrder | Seen::Reordered) => {}
            Some(Seen::Duplicate) | None => return,
        }
        let now_ns = self.clock.now_ns();
        let span = Span { intended_ns: stamp.intended_ns, start_ns: stamp.sent_ns, end_ns: now_ns };
        self.deliver.end(span, Outcome::Completed { bytes: payload.len() as u64 }, 0);
        self.open.push(&frame, now_ns);
    }

    /// The open batch, where it is due (or, at the end, where it has anything).
    fn seal(&mut self, at_end: bool) -> Option<Sealed> {
        let sealed_ns = self.clock.now_ns();
        if !(self.open.is_due(sealed_ns) || at_end && !self.open.events.is_empty()) {
            return None;
        }
        let mut next = Batch::new(self.open.number + 1);
        // The next object will be about as large: one allocation instead of a dozen doublings.
        next.object.reserve(self.open.object.len());
        let batch = std::mem::replace(&mut self.open, next);
        let due_ns = batch.due_ns(sealed_ns);
        self.store.offer(due_ns);
        Some(Sealed { batch, due_ns })
    }

    fn failed(&self, error: &DriverError) {
        tracing::warn!(%error, "reading from the bus");
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    /// Reads Kafka until `stop`. Runs on a thread of its own. Waits where storage falls behind: the bus
    /// keeps what is not read. Offsets are committed as read: the ledger, not the group, tells what
    /// arrived, and a run never resumes.
    pub(super) fn read_kafka(mut self, consumer: &KafkaConsumer, stop: &AtomicBool) {
        let mut next: std::collections::HashMap<(String, i32), i64> = Default::default();
        while !stop.load(Ordering::Relaxed) {
            match consumer.poll(POLL) {
                Some(Ok(message)) => {
                    self.take(message.payload());
                    // One entry per partition; the topic's name is only copied for a new one.
                    let (topic, partition) = (message.topic(), message.partition());
                    match next.iter_mut().find(|((t, p), _)| t == topic && *p == partition) {
                        Some((_, offset)) => *offset = message.offset() + 1,
                        None => {
                            next.insert((topic.to_owned(), partition), message.offset() + 1);
                        }
                    }
                }
                Some(Err(error)) => {
                    self.failed(&error);
                    std::thread::sleep(ERROR_PAUSE);
                }
                None => {}
            }
            if let Some(sealed) = self.seal(false) {
                self.waiting.store(true, Ordering::Relaxed);
                if self.sealed.blocking_send(sealed).is_err() {
                    return;
                }
                let offsets: Vec<NextOffset> = next
                    .drain()
                    .map(|((topic, partition), offset)| NextOffset { topic, partition, offset })
                    .collect();
                if let Err(error) = consumer.commit(&offsets) {
                    self.failed(&error);
                }
                self.waiting.store(false, Ordering::Relaxed);
            }
        }
        if let Some(sealed) = self.seal(true) {
            let _ = self.sealed.blocking_send(sealed);
        }
    }

    /// Reads NATS until `stop`.
    pub(super) async fn read_nats(mut self, mut consumer: NatsConsumer, stop: Arc<AtomicBool>) {
        while !stop.load(Ordering::Relaxed) {
            match consumer.fetch(NATS_FETCH, POLL).await {
                Ok(messages) => {
                    for message in &messages {
                        self.take(NatsMessage::payload(message));
                    }
                    if let Err(error) = consumer.ack_all(&messages).await {
                        self.failed(&error);
                    }
                }
                Err(error) => {
                    self.failed(&error);
                    tokio::time::sleep(ERROR_PAUSE).await;
                }
            }
            if let Some(sealed) = self.seal(false) {
                self.waiting.store(true, Ordering::Relaxed);
                let gone = self.sealed.send(sealed).await.is_err();
                self.waiting.store(false, Ordering::Relaxed);
                if gone {
                    return;
                }
            }
        }
        if let Some(sealed) = self.seal(true) {
            let _ = self.sealed.send(sealed).await;
        }
    }
}
