//! Puts events on the bus in the order of the schedule, keeping each one's intended start.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc as channel;

use super::names::Names;
use super::pacing::HELD_WITHIN;
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
/// Events that may stand between the making and a lane. Few, so that waiting shows as waiting: the rest
/// stays in the arrival queue.
const NATS_LANE_QUEUE: usize = 2;
/// Pause while the client's queue is full.
const FULL_PAUSE: Duration = Duration::from_micros(200);

/// What publishing records into.
#[derive(Debug, Clone)]
pub(super) struct Books {
    pub clock: Clock,
    pub ledger: Arc<Ledger>,
    pub publish: Lane,
    pub deliver: Lane,
    /// Where events are registered in the end.
    pub end_to_end: Option<Lane>,
}

impl Books {
    /// An event is handed to the bus's client.
    fn sent(&self, stamp: &Stamp) {
        self.ledger.reached(Hop::Sent, stamp.key, stamp.sequence);
        self.publish.begin();
        for lane in std::iter::once(&self.deliver).chain(&self.end_to_end) {
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

/// How well the publishing thread kept up with the pacer, over the measured part. Arrivals that had to
/// wait because the bus's client took no more are left out: that wait is the system's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    /// Arrivals looked at.
    pub counted: u64,
    /// Those taken up within [`HELD_WITHIN`] of their intended start.
    pub held: u64,
}

/// [`Kept`] so far, for whoever cannot wait for the publishing thread.
#[derive(Debug, Clone, Default)]
pub(super) struct KeptSoFar {
    counted: Arc<AtomicU64>,
    held: Arc<AtomicU64>,
}

impl KeptSoFar {
    pub(super) fn read(&self) -> Kept {
        Kept {
            counted: self.counted.load(Ordering::Relaxed),
            held: self.held.load(Ordering::Relaxed),
        }
    }
}

/// Counts [`Kept`].
struct Keeper {
    measured_ns: (u64, u64),
    blocked_until_ns: u64,
    kept: KeptSoFar,
}

impl Keeper {
    fn new(measured_ns: (u64, u64), kept: KeptSoFar) -> Self {
        Self { measured_ns, blocked_until_ns: 0, kept }
    }

    fn took_up(&mut self, intended_ns: u64, now_ns: u64) {
        let measured = (self.measured_ns.0..self.measured_ns.1).contains(&intended_ns);
        if measured && intended_ns >= self.blocked_until_ns {
            self.kept.counted.fetch_add(1, Ordering::Relaxed);
            let lag = now_ns.saturating_sub(intended_ns);
            let held = u64::from(lag <= HELD_WITHIN.as_nanos() as u64);
            self.kept.held.fetch_add(held, Ordering::Relaxed);
        }
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

/// Everything that publishing takes, on a thread of its own.
pub(super) struct Publishing {
    pub arrivals: mpsc::Receiver<u64>,
    pub source: EventSource,
    pub names: Names,
    pub books: Books,
    pub measured_ns: (u64, u64),
    pub kept: KeptSoFar,
    /// Set where there is no time left: what has not been sent stays unsent.
    pub give_up: Arc<AtomicBool>,
}

impl Publishing {
    /// Publishes to Kafka until the arrivals end. Where the client's queue is full the event waits here,
    /// with its intended start and with those behind it, until `give_up` is set.
    pub(super) fn into_kafka(self, publisher: &KafkaPublisher<Box<InFlight>>) {
        let Self { arrivals, mut source, names, books, measured_ns, kept, give_up } = self;
        let topics = EventKind::ALL.map(|kind| names.topic(kind));
        let mut keeper = Keeper::new(measured_ns, kept);
        let mut frame = Vec::new();
        while let Ok(intended_ns) = arrivals.recv() {
            if give_up.load(Ordering::Relaxed) {
                break;
            }
            let now_ns = books.clock.now_ns();
            keeper.took_up(intended_ns, now_ns);
            let stamp = source.next_into(intended_ns, now_ns, &mut frame);
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
                        keeper.blocked_until_ns = books.clock.now_ns();
                    }
                    Err(error) => {
                        books.resolved(&stamp, &Err(error.into_error()));
                        break;
                    }
                }
            }
        }
    }

    /// Publishes to NATS until the arrivals end and every event has its answer. The calling thread makes the
    /// events in order; each key's events then go through one lane, in order. Once `give_up` is set, what has
    /// not been sent is dropped, unsent.
    pub(super) fn into_nats(self, runtime: &Handle, nats: &Arc<NatsDriver>) {
        let Self { arrivals, mut source, names, books, measured_ns, kept, give_up } = self;
        let mut tasks = Vec::new();
        let lanes: Vec<channel::Sender<(Stamp, Vec<u8>)>> = (0..NATS_LANES)
            .map(|_| {
                let (sender, mut queue) = channel::channel::<(Stamp, Vec<u8>)>(NATS_LANE_QUEUE);
                let (nats, names, books) = (Arc::clone(nats), names.clone(), books.clone());
                let give_up = Arc::clone(&give_up);
                tasks.push(runtime.spawn(async move {
                    while let Some((mut stamp, mut frame)) = queue.recv().await {
                        if give_up.load(Ordering::Relaxed) {
                            break;
                        }
                        // Sealed here, where it is really sent, and so where its service time starts.
                        stamp.sent_ns = books.clock.now_ns();
                        stamp.seal(&mut frame);
                        books.sent(&stamp);
                        let bytes = frame.len() as u64;
                        let id = format!("{}-{}", stamp.key, stamp.sequence);
                        let sent = nats.publish(&names.topic(stamp.kind), frame.into(), &id).await;
                        books.resolved(
                            &stamp,
                            &sent.map(|d| Done { value: bytes, retries: d.retries }),
                        );
                    }
                }));
                sender
            })
            .collect();
        let mut keeper = Keeper::new(measured_ns, kept);
        while let Ok(intended_ns) = arrivals.recv() {
            let now_ns = books.clock.now_ns();
            keeper.took_up(intended_ns, now_ns);
            let mut frame = Vec::new();
            let stamp = source.next_into(intended_ns, now_ns, &mut frame);
            let lane = &lanes[stamp.key as usize % NATS_LANES];
            let (stamp, frame) = match lane.try_send((stamp, frame)) {
                Ok(()) => continue,
                Err(channel::error::TrySendError::Full(event)) => event,
                Err(channel::error::TrySendError::Closed(_)) => break,
            };
            let gone = lane.blocking_send((stamp, frame)).is_err();
            keeper.blocked_until_ns = books.clock.now_ns();
            if gone {
                break;
            }
        }
        drop(lanes);
        for task in tasks {
            let _ = runtime.block_on(task);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_behind_a_full_client_are_not_held_against_the_generator() {
        let late = HELD_WITHIN.as_nanos() as u64 + 1;
        let mut keeper = Keeper::new((100, 1_000_000_000), KeptSoFar::default());
        keeper.took_up(50, 50);
        keeper.took_up(100, 100);
        keeper.took_up(200, 200 + late);
        assert_eq!(keeper.kept.read(), Kept { counted: 2, held: 1 });
        keeper.blocked_until_ns = 500_000_000;
        keeper.took_up(400_000_000, 400_000_000 + late);
        assert_eq!(keeper.kept.read(), Kept { counted: 2, held: 1 });
    }
}
