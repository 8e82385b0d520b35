//! A day workload under way: starting its parts, watching them, ending them in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle as Thread;
use std::time::{Duration, Instant};

use odg_reports::record::LedgerSummary;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::clients::{Bus, Clients};
use super::ingest::Ingest;
use super::names::{Layer, Names};
use super::pacing::{self, Pacing, Queues};
use super::promote::{Promoted, Promoter};
use super::publish::{Books, EventQueue, kafka_publisher, publish_to_kafka, publish_to_nats};
use super::register::{Registrar, Totals};
use super::store::Store;
use super::{Day, operations as op, reads, verify};
use crate::audit::ChainAppender;
use crate::clock::Clock;
use crate::driver::kafka::KafkaConsumer;
use crate::driver::{DriverError, ErrorKind};
use crate::lane;
use crate::ledger::{Hop, Ledger};
use crate::littles_law::{InFlightMeans, InFlightSampler};
use crate::payload::{EventSource, KEYS};
use crate::recorder::Lane;

/// Time between [`Day::start`] and the first arrival: every thread is waiting by then.
const LEAD: Duration = Duration::from_millis(500);
/// Sealed batches that may wait for storage before the consumer waits too.
const SEALED_WAITING: usize = 2;
/// Time for a consumer group to hand out its partitions.
const ASSIGNMENT: Duration = Duration::from_secs(30);
/// While draining, this long without any event read means that no more will come.
const QUIET: Duration = Duration::from_secs(5);
/// Pause between two looks while draining.
const LOOK: Duration = Duration::from_millis(20);
/// Time for the rest of the pipeline once it was told to give up.
const LAST: Duration = Duration::from_secs(10);

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

/// What a run leaves behind.
#[derive(Debug)]
pub struct DayOutcome {
    /// The account of every event, with checks of the stores.
    pub ledger: LedgerSummary,
    /// How well the schedule was kept.
    pub pacing: Pacing,
    /// Arrivals dropped because a queue was full.
    pub dropped: u64,
    /// Sampled in-flight means per operation.
    pub in_flight: InFlightMeans,
    /// Errors while reading from the bus.
    pub consumer_errors: u64,
    /// Whether everything drained before the deadline.
    pub drained: bool,
    /// What could not be removed afterwards.
    pub leftovers: Vec<DriverError>,
}

/// A day workload under way.
pub struct Running {
    names: Names,
    clients: Clients,
    clock: Clock,
    ledger: Arc<Ledger>,
    stop_pacing: Arc<AtomicBool>,
    pacing_done: Arc<AtomicBool>,
    stop_ingest: Arc<AtomicBool>,
    give_up: Arc<AtomicBool>,
    pacer: Thread<(Pacing, u64)>,
    publisher: Thread<Vec<JoinHandle<()>>>,
    ingest: IngestHandle,
    consumer_errors: Arc<AtomicU64>,
    lanes: Vec<JoinHandle<()>>,
    store: JoinHandle<()>,
    registrar: JoinHandle<Totals>,
    promoter: JoinHandle<Promoted>,
    sampler: InFlightSampler,
    notified: Arc<AtomicU64>,
}

enum IngestHandle {
    Kafka(Thread<()>),
    Nats(JoinHandle<()>),
}

impl IngestHandle {
    fn is_finished(&self) -> bool {
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

    /// Starts the load. The first arrival comes half a second later.
    ///
    /// # Errors
    /// Where the consumer gets no partitions, or the system gives no threads.
    pub async fn start(self) -> Result<Running, DriverError> {
        let runtime = Handle::current();
        let ledger = Arc::new(Ledger::new(KEYS));
        let consumer = match &self.clients.bus {
            Bus::Kafka(kafka) => {
                let topics = crate::event::EventKind::ALL.map(|kind| self.names.topic(kind));
                let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
                let consumer = kafka.consumer(&self.names.group(), &topics)?;
                Some(await_assignment(consumer).await?)
            }
            Bus::Nats(_) => None,
        };
        let clock = Clock::starting_in(LEAD);
        let stop_pacing = Arc::new(AtomicBool::new(false));
        let pacing_done = Arc::new(AtomicBool::new(false));
        let stop_ingest = Arc::new(AtomicBool::new(false));
        let give_up = Arc::new(AtomicBool::new(false));
        let notified = Arc::new(AtomicU64::new(0));

        let sampler =
            InFlightSampler::start(Arc::clone(&self.recorder), clock).map_err(|e| no_thread(&e))?;

        let (sealed, sealed_queue) = mpsc::channel(SEALED_WAITING);
        let (stored, stored_queue) = mpsc::unbounded_channel();
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
            chain: ChainAppender::default(),
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
        let stop = Arc::clone(&stop_ingest);
        let ingest = match (&self.clients.bus, consumer) {
            (Bus::Nats(nats), _) => {
                let stream = self.names.events_stream();
                let consumer = nats.consumer(&stream, &self.names.group()).await?;
                IngestHandle::Nats(runtime.spawn(ingest.read_nats(consumer, stop)))
            }
            (Bus::Kafka(_), consumer) => IngestHandle::Kafka(
                std::thread::Builder::new()
                    .name("ingest".into())
                    .spawn(move || {
                        if let Some(consumer) = consumer {
                            ingest.read_kafka(&consumer, &stop);
                        }
                    })
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
        let source = EventSource::new(pool, options.load.seed);
        let publisher = start_publisher(&clients.bus, &names, books, source, arrivals, &give_up)?;
        let pacer = pacing::start(
            schedules,
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
            ingest,
            consumer_errors,
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
        notified: &Arc<AtomicU64>,
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
                let (nats, notified) = (Arc::clone(nats), Arc::clone(notified));
                let subject: Arc<str> = self.names.notifications_subject().into();
                let numbers = Arc::new(AtomicU64::new(0));
                let lane = self.lane(op::NOTIFY);
                Some(lane::spawn(runtime, lane, clock, NOTIFICATIONS_IN_FLIGHT, move |_| {
                    let (nats, subject) = (Arc::clone(&nats), Arc::clone(&subject));
                    let number = numbers.fetch_add(1, Ordering::Relaxed);
                    let notified = Arc::clone(&notified);
                    async move {
                        let done = reads::notify(&nats, &subject, number).await?;
                        notified.fetch_add(1, Ordering::Relaxed);
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

fn start_publisher(
    bus: &Bus,
    names: &Names,
    books: Books,
    source: EventSource,
    arrivals: std::sync::mpsc::Receiver<u64>,
    give_up: &Arc<AtomicBool>,
) -> Result<Thread<Vec<JoinHandle<()>>>, DriverError> {
    let thread = std::thread::Builder::new().name("publish".into());
    let (names, give_up, runtime) = (names.clone(), Arc::clone(give_up), Handle::current());
    match bus {
        Bus::Kafka(kafka) => {
            let publisher = kafka_publisher(kafka, books.clone())?;
            thread.spawn(move || {
                publish_to_kafka(&arrivals, source, &publisher, &names, &books, &give_up);
                // Every event gets its answer: the client's own delivery time-out bounds this.
                if let Err(error) = publisher.flush(Duration::from_secs(65)) {
                    tracing::warn!(%error, "flushing the producer");
                }
                Vec::new()
            })
        }
        Bus::Nats(nats) => {
            let nats = Arc::clone(nats);
            thread
                .spawn(move || publish_to_nats(&runtime, &arrivals, source, &nats, &names, &books))
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

    /// Lets what is under way end, at most for `drain`, and compares the stores with the ledger. Call it
    /// once the schedule has ended. `each_look` is called about every 20 ms meanwhile. `clean_up` removes
    /// everything that carries the run's names, for stacks that outlive the run.
    pub async fn finish(
        self,
        drain: Duration,
        clean_up: bool,
        mut each_look: impl FnMut(),
    ) -> DayOutcome {
        self.stop();
        let deadline = Instant::now() + drain;
        let mut drained = true;
        // 1. The generator: lanes end when the pacer has dropped their queues and they are empty.
        let lanes: Vec<_> = self.lanes;
        while !(self.publisher.is_finished() && lanes.iter().all(JoinHandle::is_finished)) {
            if Instant::now() > deadline {
                drained = false;
                break;
            }
            each_look();
            tokio::time::sleep(LOOK).await;
        }
        if !drained {
            self.give_up.store(true, Ordering::Relaxed);
            lanes.iter().for_each(JoinHandle::abort);
        }
        // 2. The bus: what it acknowledged is read back.
        let mut last = (self.ledger.arrivals(Hop::Consumed), Instant::now());
        loop {
            let consumed = self.ledger.arrivals(Hop::Consumed);
            let distinct = consumed - self.ledger.duplicates(Hop::Consumed);
            if distinct >= self.ledger.arrivals(Hop::Acknowledged) && self.publisher.is_finished() {
                break;
            }
            if consumed > last.0 {
                last = (consumed, Instant::now());
            }
            if last.1.elapsed() > QUIET || Instant::now() > deadline {
                drained = false;
                break;
            }
            each_look();
            tokio::time::sleep(LOOK).await;
        }
        // 3. The pipeline, from its start to its end: each part ends when the one before has.
        self.stop_ingest.store(true, Ordering::Relaxed);
        let ended = || {
            self.ingest.is_finished()
                && self.store.is_finished()
                && self.registrar.is_finished()
                && self.promoter.is_finished()
        };
        while !ended() && Instant::now() < deadline {
            each_look();
            tokio::time::sleep(LOOK).await;
        }
        self.give_up.store(true, Ordering::Relaxed);
        let last_call = Instant::now() + LAST;
        while !ended() && Instant::now() < last_call {
            drained = false;
            each_look();
            tokio::time::sleep(LOOK).await;
        }
        let finished = ended();
        if !finished {
            self.store.abort();
            self.registrar.abort();
            self.promoter.abort();
        }
        let totals = self.registrar.await.unwrap_or_default();
        let promoted = self.promoter.await.unwrap_or_default();
        let in_flight = self.sampler.finish();
        // The pacer ended when its schedule did, or within one sleep of `stop`.
        let (pacing, dropped) = tokio::task::spawn_blocking(move || self.pacer.join())
            .await
            .ok()
            .and_then(Result::ok)
            .unwrap_or_else(|| (Pacing::nothing(), 0));
        // 4. At rest.
        let mut ledger = self.ledger.summary();
        if finished {
            let c = &self.clients;
            ledger.checks = verify::postgres(&c.postgres, &totals).await;
            ledger.checks.extend(verify::objects(&c.s3, &self.names, &totals).await);
            ledger.checks.extend(verify::promotion(&promoted));
            if let (Some(nats), Bus::Kafka(_)) = (&c.nats, &c.bus) {
                let notified = self.notified.load(Ordering::Relaxed);
                ledger.checks.push(verify::notifications(nats, &self.names, notified).await);
            }
        }
        ledger.balanced &= finished && ledger.checks.iter().all(|check| check.ok);
        let leftovers =
            if clean_up { self.clients.clean_up(&self.names).await } else { Vec::new() };
        DayOutcome {
            ledger,
            pacing,
            dropped,
            in_flight,
            consumer_errors: self.consumer_errors.load(Ordering::Relaxed),
            drained,
            leftovers,
        }
    }
}
