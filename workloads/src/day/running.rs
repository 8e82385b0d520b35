//! A day workload under way: starting its parts, watching them, ending them in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle as Thread;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::clients::{Bus, Clients};
use super::ingest::Ingest;
use super::names::{Layer, Names};
use super::pacing::{self, Pacing, Queues};
use super::promote::{Promoted, Promoter};
use super::publish::{Books, EventQueue, KeptSoFar, Publishing, kafka_publisher};
use super::register::{Chain, Registrar, Totals};
use super::store::Store;
use super::{Day, operations as op, reads};
use crate::clock::Clock;
use crate::driver::kafka::KafkaConsumer;
use crate::driver::nats::NatsConsumer;
use crate::driver::{DriverError, ErrorKind};
use crate::event::EventKind;
use crate::lane;
use crate::ledger::{Hop, Ledger};
use crate::littles_law::InFlightSampler;
use crate::payload::{EventSource, KEYS};
use crate::recorder::Lane;
use crate::schedule::Schedule;

/// Time between [`Day::start`] and the first arrival: every thread is waiting by then.
const LEAD: Duration = Duration::from_millis(500);
/// Sealed batches that may wait for storage before the consumer waits too.
const SEALED_WAITING: usize = 2;
/// Stored batches that may wait for registration before storage waits too: the bus keeps the backlog.
const STORED_WAITING: usize = 8;
/// Time for a consumer group to hand out its partitions.
const ASSIGNMENT: Duration = Duration::from_secs(30);
/// Pause between two looks.
pub(super) const LOOK: Duration = Duration::from_millis(20);
/// Time for the producer's last messages: a little more than its delivery time-out.
const FLUSH: Duration = Duration::from_secs(65);

/// In-flight bounds of the read side: some of the 10 database connections that one process of the platform
/// keeps open, and what its other clients use by default.
const GETS_IN_FLIGHT: usize = 16;
const LOOKUPS_IN_FLIGHT: usize = 6;
const SESSIONS_IN_FLIGHT: usize = 16;
const NOTIFICATIONS_IN_FLIGHT: usize = 64;

/// Where the events are, right now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Handed to the bus's client.
    pub sent: u64,
    /// Acknowledged by the bus.
    pub acknowledged: u64,
    /// Read back.
    pub consumed: u64,
    /// Registered.
    pub registered: u64,
    /// Refused by the bus.
    pub rejected: u64,
}

/// A day workload under way.
pub struct Running {
    pub(super) names: Names,
    pub(super) clients: Clients,
    pub(super) clock: Clock,
    pub(super) ledger: Arc<Ledger>,
    pub(super) stop_pacing: Arc<AtomicBool>,
    pub(super) pacing_done: Arc<AtomicBool>,
    pub(super) stop_ingest: Arc<AtomicBool>,
    pub(super) give_up: Arc<AtomicBool>,
    pub(super) pacer: Thread<(Pacing, u64)>,
    pub(super) publisher: Thread<()>,
    pub(super) publishing: KeptSoFar,
    pub(super) stop_publishing: Arc<AtomicBool>,
    pub(super) schedules: Vec<Schedule>,
    pub(super) end_ns: u64,
    pub(super) ingest: IngestHandle,
    pub(super) consumer_errors: Arc<AtomicU64>,
    pub(super) ingest_waiting: Arc<AtomicBool>,
    pub(super) lanes: Vec<JoinHandle<()>>,
    pub(super) store: JoinHandle<()>,
    pub(super) registrar: JoinHandle<Totals>,
    pub(super) promoter: JoinHandle<Promoted>,
    pub(super) sampler: InFlightSampler,
    pub(super) notified: Notifications,
}

/// Counts of the notification lane.
#[derive(Debug, Clone, Default)]
pub(super) struct Notifications {
    pub(super) attempted: Arc<AtomicU64>,
    pub(super) acknowledged: Arc<AtomicU64>,
}

/// A reader of the bus, before it reads.
enum Consumer {
    Kafka(KafkaConsumer),
    Nats(Box<NatsConsumer>),
}

pub(super) enum IngestHandle {
    Kafka(Thread<()>),
    Nats(JoinHandle<()>),
}

impl IngestHandle {
    pub(super) fn is_finished(&self) -> bool {
        match self {
            Self::Kafka(thread) => thread.is_finished(),
            Self::Nats(task) => task.is_finished(),
        }
    }
}

fn no_thread(error: &std::io::Error) -> DriverError {
    DriverError::new(ErrorKind::Full, "odg-bench", "start a thread", error)
}

impl Day {
    fn lane(&self, name: &str) -> Lane {
        // The names are those of `operations`, which made the recorder; a test starts every lane.
        let id = self.recorder.find(name);
        id.map_or_else(|| unreachable!("operation {name}"), |id| self.recorder.lane(id))
    }

    async fn consumer(&self) -> Result<Consumer, DriverError> {
        match &self.clients.bus {
            Bus::Kafka(kafka) => {
                let topics = EventKind::ALL.map(|kind| self.names.topic(kind));
                let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
                let consumer = kafka.consumer(&self.names.group(), &topics)?;
                Ok(Consumer::Kafka(await_assignment(consumer).await?))
            }
            Bus::Nats(nats) => {
                let stream = self.names.events_stream();
                Ok(Consumer::Nats(Box::new(nats.consumer(&stream, &self.names.group()).await?)))
            }
        }
    }

    /// Starts the load. The first arrival comes half a second later.
    ///
    /// # Errors
    /// Where the consumer gets no partitions, or the system gives no threads.
    pub async fn start(self) -> Result<Running, DriverError> {
        let runtime = Handle::current();
        let ledger = Arc::new(Ledger::new(KEYS));
        let consumer = self.consumer().await?;
        let clock = Clock::starting_in(LEAD);
        let stop_pacing = Arc::new(AtomicBool::new(false));
        let pacing_done = Arc::new(AtomicBool::new(false));
        let stop_ingest = Arc::new(AtomicBool::new(false));
        let give_up = Arc::new(AtomicBool::new(false));
        let notified = Notifications::default();

        let sampler =
            InFlightSampler::start(Arc::clone(&self.recorder), clock).map_err(|e| no_thread(&e))?;

        let (sealed, sealed_queue) = mpsc::channel(SEALED_WAITING);
        let (stored, stored_queue) = mpsc::channel(STORED_WAITING);
        let (sources, source_queue) = mpsc::unbounded_channel();
        let (promotions, promotion_queue) = mpsc::unbounded_channel();
        let register = self.lane(op::REGISTER);
        let end_to_end = self.lane(op::END_TO_END);
        let deliver = self.lane(op::DELIVER);
        let put = self.lane(op::PUT);

        let promoter = Promoter {
            clock,
            s3: self.clients.s3.clone(),
            names: self.names.clone(),
            silver: self.lane(op::SILVER),
            gold: self.lane(op::GOLD),
            register: register.clone(),
            ledger: Arc::clone(&ledger),
            catalog: Arc::clone(&self.catalog),
            give_up: Arc::clone(&give_up),
            promotions,
            promoted: Promoted::default(),
            made: [0; 2],
        };
        let promoter = runtime.spawn(promoter.run(source_queue));
        let registrar = Registrar {
            clock,
            postgres: self.clients.postgres.clone(),
            ledger: Arc::clone(&ledger),
            lane: register.clone(),
            end_to_end: end_to_end.clone(),
            bucket: self.names.bucket(Layer::Bronze),
            catalog: Arc::clone(&self.catalog),
            give_up: Arc::clone(&give_up),
            promotions: sources,
            chain: Chain::default(),
            totals: Totals::default(),
        };
        let registrar = runtime.spawn(registrar.run(stored_queue, promotion_queue));
        let store = Store {
            clock,
            s3: self.clients.s3.clone(),
            bucket: self.names.bucket(Layer::Bronze),
            lane: put.clone(),
            register,
            give_up: Arc::clone(&give_up),
        };
        let store = runtime.spawn(store.run(sealed_queue, stored));

        let ingest = Ingest::new(clock, Arc::clone(&ledger), deliver.clone(), put, sealed);
        let consumer_errors = Arc::clone(&ingest.errors);
        let ingest_waiting = Arc::clone(&ingest.waiting);
        let stop = Arc::clone(&stop_ingest);
        let ingest = match consumer {
            Consumer::Nats(consumer) => {
                IngestHandle::Nats(runtime.spawn(ingest.read_nats(*consumer, stop)))
            }
            Consumer::Kafka(consumer) => IngestHandle::Kafka(
                std::thread::Builder::new()
                    .name("ingest".into())
                    .spawn(move || ingest.read_kafka(&consumer, &stop))
                    .map_err(|e| no_thread(&e))?,
            ),
        };

        let publish = self.lane(op::PUBLISH);
        let books = Books {
            clock,
            ledger: Arc::clone(&ledger),
            publish: publish.clone(),
            deliver,
            end_to_end,
        };
        let (events, arrivals) = EventQueue::new(publish);
        let schedules = self.options.load.schedules(self.pool.mean_bytes());
        let (queues, lanes) = self.read_side(&runtime, clock, events, &notified);
        let Self { options, names, clients, pool, recorder, .. } = self;
        let kept = KeptSoFar::default();
        let stop_publishing = Arc::new(AtomicBool::new(false));
        let publishing = Publishing {
            arrivals,
            source: EventSource::new(pool, options.load.seed),
            names: names.clone(),
            books,
            measured_ns: recorder.measured_ns(),
            kept: kept.clone(),
            give_up: Arc::clone(&stop_publishing),
        };
        let publisher = start_publisher(&clients.bus, publishing)?;
        let pacer = pacing::start(
            schedules.clone(),
            queues,
            clock,
            recorder.measured_ns(),
            Arc::clone(&stop_pacing),
            Arc::clone(&pacing_done),
        )
        .map_err(|e| no_thread(&e))?;
        Ok(Running {
            names,
            clients,
            clock,
            ledger,
            stop_pacing,
            pacing_done,
            stop_ingest,
            give_up,
            pacer,
            publisher,
            publishing: kept,
            stop_publishing,
            schedules,
            end_ns: u64::MAX,
            ingest,
            consumer_errors,
            ingest_waiting,
            lanes,
            store,
            registrar,
            promoter,
            sampler,
            notified,
        })
    }

    fn read_side(
        &self,
        runtime: &Handle,
        clock: Clock,
        events: EventQueue,
        notified: &Notifications,
    ) -> (Queues, Vec<JoinHandle<()>>) {
        let mut tasks = Vec::new();
        let mut keep = |(queue, task)| {
            tasks.push(task);
            queue
        };
        let (s3, names, catalog) =
            (self.clients.s3.clone(), Arc::new(self.names.clone()), Arc::clone(&self.catalog));
        let gets_names = Arc::clone(&names);
        let gets = lane::spawn(runtime, self.lane(op::GET), clock, GETS_IN_FLIGHT, move |at| {
            let (s3, names, catalog) = (s3.clone(), Arc::clone(&gets_names), Arc::clone(&catalog));
            async move { reads::get(&s3, &names, &catalog, at).await }
        });
        let postgres = self.clients.postgres.clone();
        let lookups =
            lane::spawn(runtime, self.lane(op::LOOKUP), clock, LOOKUPS_IN_FLIGHT, move |at| {
                let postgres = postgres.clone();
                async move { reads::lookup(&postgres, at).await }
            });
        let (redis, session_names) = (self.clients.redis.clone(), Arc::clone(&names));
        let sessions =
            lane::spawn(runtime, self.lane(op::SESSION), clock, SESSIONS_IN_FLIGHT, move |at| {
                let (redis, names) = (redis.clone(), Arc::clone(&session_names));
                async move { reads::session(&redis, &names, at).await }
            });
        let notifications = match &self.clients.nats {
            Some(nats) if self.options.load.notifications => {
                let (nats, notified) = (Arc::clone(nats), notified.clone());
                let subject: Arc<str> = self.names.notifications_subject().into();
                let lane = self.lane(op::NOTIFY);
                Some(lane::spawn(runtime, lane, clock, NOTIFICATIONS_IN_FLIGHT, move |_| {
                    let (nats, subject) = (Arc::clone(&nats), Arc::clone(&subject));
                    let number = notified.attempted.fetch_add(1, Ordering::Relaxed);
                    let acknowledged = Arc::clone(&notified.acknowledged);
                    async move {
                        let done = reads::notify(&nats, &subject, number).await?;
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                        Ok(done)
                    }
                }))
            }
            _ => None,
        };
        let queues = Queues {
            events,
            gets: keep(gets),
            lookups: keep(lookups),
            sessions: keep(sessions),
            notifications: notifications.map(keep),
        };
        (queues, tasks)
    }
}

/// Waits until the group has handed out its partitions, so that the first events find a reader.
async fn await_assignment(consumer: KafkaConsumer) -> Result<KafkaConsumer, DriverError> {
    let wait = move || {
        let deadline = Instant::now() + ASSIGNMENT;
        while Instant::now() < deadline {
            // Topics are empty before the run: polling only drives the group protocol.
            if let Some(Err(error)) = consumer.poll(LOOK)
                && !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Connection)
            {
                return Err(error);
            }
            if consumer.assigned()? > 0 {
                return Ok(consumer);
            }
        }
        Err(DriverError::timeout("kafka", "join the consumer group", ASSIGNMENT))
    };
    tokio::task::spawn_blocking(wait).await.map_err(|e| {
        DriverError::new(ErrorKind::Cancelled, "kafka", "join the consumer group", e)
    })?
}

fn start_publisher(bus: &Bus, publishing: Publishing) -> Result<Thread<()>, DriverError> {
    let thread = std::thread::Builder::new().name("publish".into());
    let runtime = Handle::current();
    match bus {
        Bus::Kafka(kafka) => {
            let publisher = kafka_publisher(kafka, publishing.books.clone())?;
            thread.spawn(move || {
                publishing.into_kafka(&publisher);
                // Every event gets its answer: the client's own delivery time-out bounds this.
                if let Err(error) = publisher.flush(FLUSH) {
                    tracing::warn!(%error, "flushing the producer");
                }
            })
        }
        Bus::Nats(nats) => {
            let nats = Arc::clone(nats);
            thread.spawn(move || publishing.into_nats(&runtime, &nats))
        }
    }
    .map_err(|e| no_thread(&e))
}

impl Running {
    /// The run's clock.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Where the events are.
    pub fn progress(&self) -> Progress {
        Progress {
            sent: self.ledger.arrivals(Hop::Sent),
            acknowledged: self.ledger.arrivals(Hop::Acknowledged),
            consumed: self.ledger.arrivals(Hop::Consumed),
            registered: self.ledger.arrivals(Hop::Registered),
            rejected: self.ledger.rejections(),
        }
    }

    /// Ends the schedule before its end.
    pub fn stop(&self) {
        self.stop_pacing.store(true, Ordering::Relaxed);
    }

    /// Whether every arrival has been handed over (or pacing was stopped).
    pub fn schedule_ended(&self) -> bool {
        self.pacing_done.load(Ordering::Relaxed)
    }
}
