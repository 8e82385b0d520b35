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

/// The way to storage.
#[derive(Debug)]
pub(super) struct Onward {
    pub store: Lane,
    pub sealed: mpsc::Sender<Sealed>,
}

/// Verifies events and gathers them.
#[derive(Debug)]
pub(super) struct Ingest {
    pub clock: Clock,
    pub ledger: Arc<Ledger>,
    pub deliver: Lane,
    /// Where batches go; `None` where nothing stores them, and the events end here.
    pub onward: Option<Onward>,
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
        onward: Option<Onward>,
    ) -> Self {
        let open = Batch::new(0);
        Self {
            clock,
            ledger,
            deliver,
            onward,
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
        if let Some(onward) = &self.onward {
            onward.store.offer(due_ns);
        }
        Some(Sealed { batch, due_ns })
    }

    /// Hands a batch on from a thread, waiting for room; false where nobody takes it any more.
    fn blocking_hand_on(&self, sealed: Sealed) -> bool {
        self.onward.as_ref().is_none_or(|onward| onward.sealed.blocking_send(sealed).is_ok())
    }

    /// The same from a task.
    async fn hand_on(&self, sealed: Sealed) -> bool {
        match &self.onward {
            Some(onward) => onward.sealed.send(sealed).await.is_ok(),
            None => true,
        }
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
                if !self.blocking_hand_on(sealed) {
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
            self.blocking_hand_on(sealed);
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
                let taken = self.hand_on(sealed).await;
                self.waiting.store(false, Ordering::Relaxed);
                if !taken {
                    return;
                }
            }
        }
        if let Some(sealed) = self.seal(true) {
            self.hand_on(sealed).await;
        }
    }
}
