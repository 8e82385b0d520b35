//! Puts events on the bus in the order of the schedule, keeping each one's intended start.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc as channel;
use tokio::task::JoinHandle;

use super::names::Names;
use crate::clock::Clock;
use crate::driver::kafka::{Delivery, KafkaDriver, KafkaPublisher, SendError};
use crate::driver::nats::NatsDriver;
use crate::driver::{Done, DriverError};
use crate::event::{EventKind, Stamp};
use crate::lane;
use crate::ledger::{Hop, Ledger};
use crate::payload::EventSource;
use crate::recorder::{Lane, Span};

/// NATS publishes of different keys that may be in flight at once; those of one key go one after the
/// other, so that they arrive in order.
const NATS_LANES: usize = 64;
/// Pause while the client's queue is full.
const FULL_PAUSE: Duration = Duration::from_micros(200);

/// What publishing records into.
#[derive(Debug, Clone)]
pub(super) struct Books {
    pub clock: Clock,
    pub ledger: Arc<Ledger>,
    pub publish: Lane,
    pub deliver: Lane,
    pub end_to_end: Lane,
}

impl Books {
    /// An event is handed to the bus's client.
    fn sent(&self, stamp: &Stamp) {
        self.ledger.reached(Hop::Sent, stamp.key, stamp.sequence);
        self.publish.begin();
        for lane in [&self.deliver, &self.end_to_end] {
            lane.offer(stamp.intended_ns);
            lane.begin();
        }
    }

    /// The bus acknowledged or refused it.
    fn resolved(&self, stamp: &Stamp, result: &Result<Done<u64>, DriverError>) {
        let span = Span {
            intended_ns: stamp.intended_ns,
            start_ns: stamp.sent_ns,
            end_ns: self.clock.now_ns(),
        };
        match result {
            Ok(_) => _ = self.ledger.reached(Hop::Acknowledged, stamp.key, stamp.sequence),
            Err(error) => {
                tracing::debug!(%error, "event refused");
                self.ledger.rejected(stamp.key, stamp.sequence);
            }
        }
        lane::record(&self.publish, span, result);
    }
}

/// Where the pacing thread puts event arrivals.
#[derive(Debug, Clone)]
pub(super) struct EventQueue {
    arrivals: mpsc::Sender<u64>,
    lane: Lane,
    dropped: Arc<AtomicU64>,
}

impl EventQueue {
    pub(super) fn new(lane: Lane) -> (Self, mpsc::Receiver<u64>) {
        let (arrivals, queue) = mpsc::channel();
        (Self { arrivals, lane, dropped: Arc::default() }, queue)
    }

    pub(super) fn offer(&self, intended_ns: u64) {
        if self.lane.backlog() >= lane::MAX_BACKLOG {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.lane.offer(intended_ns);
        if self.arrivals.send(intended_ns).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// An event on its way through librdkafka.
pub(super) struct InFlight {
    stamp: Stamp,
    bytes: u64,
}

/// Opens a Kafka producer that keeps the books.
pub(super) fn kafka_publisher(
    kafka: &KafkaDriver,
    books: Books,
) -> Result<KafkaPublisher<Box<InFlight>>, DriverError> {
    kafka.publisher(move |delivery: Delivery<Box<InFlight>>| {
        let InFlight { stamp, bytes } = *delivery.token;
        let result = delivery.result.map(|_| Done { value: bytes, retries: 0 });
        books.resolved(&stamp, &result);
    })
}

/// Publishes to Kafka until the arrivals end. Runs on a thread of its own. Where the client's queue is
/// full the event waits here, with its intended start and with those behind it, until `give_up` is set.
pub(super) fn publish_to_kafka(
    arrivals: &mpsc::Receiver<u64>,
    mut source: EventSource,
    publisher: &KafkaPublisher<Box<InFlight>>,
    names: &Names,
    books: &Books,
    give_up: &AtomicBool,
) {
    let topics = EventKind::ALL.map(|kind| names.topic(kind));
    let mut frame = Vec::new();
    while let Ok(intended_ns) = arrivals.recv() {
        let stamp = source.next_into(intended_ns, books.clock.now_ns(), &mut frame);
        books.sent(&stamp);
        let topic = &topics[stamp.kind as usize];
        let key = stamp.key.to_be_bytes();
        let mut token = Box::new(InFlight { stamp, bytes: frame.len() as u64 });
        loop {
            match publisher.try_send(topic, &key, &frame, &[], token) {
                Ok(()) => break,
                Err(SendError::Full(back)) if !give_up.load(Ordering::Relaxed) => {
                    token = back;
                    std::thread::sleep(FULL_PAUSE);
                }
                Err(error) => {
                    books.resolved(&stamp, &Err(error.into_error()));
                    break;
                }
            }
        }
    }
}

/// Publishes to NATS until the arrivals end. The calling thread makes the events in order; each key's
/// events then go through one lane, in order. Answers the lanes' tasks.
pub(super) fn publish_to_nats(
    runtime: &Handle,
    arrivals: &mpsc::Receiver<u64>,
    mut source: EventSource,
    nats: &Arc<NatsDriver>,
    names: &Names,
    books: &Books,
) -> Vec<JoinHandle<()>> {
    let mut tasks = Vec::new();
    let lanes: Vec<channel::UnboundedSender<(Stamp, Bytes)>> = (0..NATS_LANES)
        .map(|_| {
            let (sender, mut queue) = channel::unbounded_channel::<(Stamp, Bytes)>();
            let (nats, names, books) = (Arc::clone(nats), names.clone(), books.clone());
            tasks.push(runtime.spawn(async move {
                while let Some((stamp, frame)) = queue.recv().await {
                    let bytes = frame.len() as u64;
                    let id = format!("{}-{}", stamp.key, stamp.sequence);
                    let sent = nats.publish(&names.topic(stamp.kind), frame, &id).await;
                    books
                        .resolved(&stamp, &sent.map(|d| Done { value: bytes, retries: d.retries }));
                }
            }));
            sender
        })
        .collect();
    let mut frame = Vec::new();
    while let Ok(intended_ns) = arrivals.recv() {
        let stamp = source.next_into(intended_ns, books.clock.now_ns(), &mut frame);
        books.sent(&stamp);
        let lane = &lanes[stamp.key as usize % NATS_LANES];
        if lane.send((stamp, Bytes::copy_from_slice(&frame))).is_err() {
            // Only where the runtime is going down; the event stays unresolved, and so lost.
            break;
        }
    }
    tasks
}
