//! Puts the parts of a day workload together and starts them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle as Thread;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::clients::Bus;
use super::ingest::{Ingest, Onward};
use super::names::Layer;
use super::pacing::{self, Queues};
use super::promote::{Promoted, Promoter};
use super::publish::{Books, EventQueue, KeptSoFar, Publishing, kafka_publisher};
use super::register::{Chain, Registrar, Totals};
use super::running::{IngestHandle, LOOK, Notifications, Pipeline, Running, Stored, Switches};
use super::store::Store;
use super::{Day, operations as op, reads, shelve};
use crate::clock::Clock;
use crate::driver::kafka::KafkaConsumer;
use crate::driver::nats::NatsConsumer;
use crate::driver::postgres::PostgresDriver;
use crate::driver::s3::S3Driver;
use crate::driver::{DriverError, ErrorKind};
use crate::event::EventKind;
use crate::lane;
use crate::ledger::Ledger;
use crate::littles_law::InFlightSampler;
use crate::payload::{EventSource, KEYS};
use crate::recorder::Lane;

/// Time between [`Day::start`] and the first arrival: every thread is waiting by then.
const LEAD: Duration = Duration::from_millis(500);
/// Sealed batches that may wait for storage before the consumer waits too.
const SEALED_WAITING: usize = 2;
/// Stored batches that may wait for registration before storage waits too: the bus keeps the backlog.
const STORED_WAITING: usize = 8;
/// Time for a consumer group to hand out its partitions.
const ASSIGNMENT: Duration = Duration::from_secs(30);
/// Time for the producer's last messages: a little more than its delivery time-out.
const FLUSH: Duration = Duration::from_secs(65);

/// In-flight bounds of the read side: some of the 10 database connections that one process of the platform
/// keeps open, and what its other clients use by default.
const GETS_IN_FLIGHT: usize = 16;
const LOOKUPS_IN_FLIGHT: usize = 6;
const SESSIONS_IN_FLIGHT: usize = 16;
const NOTIFICATIONS_IN_FLIGHT: usize = 64;

/// A reader of the bus, before it reads.
enum Consumer {
    Kafka(KafkaConsumer),
    Nats(Box<NatsConsumer>),
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

    async fn consumer(&self) -> Result<Option<Consumer>, DriverError> {
        match &self.clients.bus {
            Some(Bus::Kafka(kafka)) => {
                let topics = EventKind::ALL.map(|kind| self.names.topic(kind));
                let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
                let consumer = kafka.consumer(&self.names.group(), &topics)?;
                Ok(Some(Consumer::Kafka(await_assignment(consumer).await?)))
            }
            Some(Bus::Nats(nats)) => {
                let stream = self.names.events_stream();
                let consumer = nats.consumer(&stream, &self.names.group()).await?;
                Ok(Some(Consumer::Nats(Box::new(consumer))))
            }
            None => Ok(None),
        }
    }

    /// Starts the load. The first arrival comes half a second later.
    ///
    /// # Errors
    /// Where the consumer gets no partitions, or the system gives no threads.
    pub async fn start(self) -> Result<Running, DriverError> {
        let runtime = Handle::current();
        let consumer = self.consumer().await?;
        let part = Part {
            clock: Clock::starting_in(LEAD),
            ledger: Arc::new(Ledger::new(KEYS)),
            switches: Switches::default(),
            lanes: self.shared_lanes(),
        };
        let clock = part.clock;
        let pacing_done = Arc::new(AtomicBool::new(false));
        let notified = Notifications::default();
        let kept = KeptSoFar::default();
        let sampler =
            InFlightSampler::start(Arc::clone(&self.recorder), clock).map_err(|e| no_thread(&e))?;
        let mut events = None;
        let pipeline = match (consumer, &self.clients.bus, &part.lanes) {
            (Some(consumer), Some(bus), Some(lanes)) => {
                let (stored, onward) = self.storage(&runtime, &part, lanes);
                let ledger = Arc::clone(&part.ledger);
                let ingest = Ingest::new(clock, ledger, lanes.deliver.clone(), onward);
                let (queue, arrivals) = EventQueue::new(lanes.publish.clone());
                events = Some(queue);
                Some(Pipeline {
                    ingest_errors: Arc::clone(&ingest.errors),
                    ingest_waiting: Arc::clone(&ingest.waiting),
                    ingest: start_ingest(&runtime, ingest, consumer, &part)?,
                    publisher: self.publisher(bus, arrivals, kept.clone(), &part, lanes)?,
                    stored,
                })
            }
            _ => None,
        };
        let schedules = self.options.load.schedules(self.pool.mean_bytes());
        let (queues, lanes) = self.read_side(&runtime, clock, events, &notified);
        let Part { ledger, switches, .. } = part;
        let pacer = pacing::start(
            schedules.clone(),
            queues,
            clock,
            self.recorder.measured_ns(),
            Arc::clone(&switches.stop_pacing),
            Arc::clone(&pacing_done),
        )
        .map_err(|e| no_thread(&e))?;
        Ok(Running {
            names: self.names,
            clients: self.clients,
            carries: self.options.load.carries,
            clock,
            ledger,
            switches,
            pacing_done,
            pacer,
            publishing: kept,
            schedules,
            end_ns: u64::MAX,
            lanes,
            pipeline,
            sampler,
            notified,
        })
    }

    /// The lanes that several parts of the pipeline share; none without a bus.
    fn shared_lanes(&self) -> Option<SharedLanes> {
        let carries = self.options.load.carries;
        carries.bus()?;
        Some(SharedLanes {
            publish: self.lane(op::PUBLISH),
            deliver: self.lane(op::DELIVER),
            put: carries.stores().then(|| self.lane(op::PUT)),
            registered: carries.registers().then(|| Registered {
                register: self.lane(op::REGISTER),
                end_to_end: self.lane(op::END_TO_END),
            }),
        })
    }

    /// The parts after the bus, and the way into them.
    fn storage(
        &self,
        runtime: &Handle,
        part: &Part,
        lanes: &SharedLanes,
    ) -> (Option<Stored>, Option<Onward>) {
        let (Some(s3), Some(put)) = (self.clients.s3.clone(), lanes.put.clone()) else {
            return (None, None);
        };
        let (sealed, sealed_queue) = mpsc::channel(SEALED_WAITING);
        let (stored, stored_queue) = mpsc::channel(STORED_WAITING);
        let (end, promoter) = match (self.clients.postgres.clone(), &lanes.registered) {
            (Some(postgres), Some(lanes)) => {
                let (end, promoter) =
                    self.registration(runtime, part, lanes, s3.clone(), postgres, stored_queue);
                (end, Some(promoter))
            }
            _ => {
                let (ledger, catalog) = (Arc::clone(&part.ledger), Arc::clone(&self.catalog));
                (runtime.spawn(shelve::run(ledger, catalog, stored_queue)), None)
            }
        };
        let store = Store {
            clock: part.clock,
            s3,
            bucket: self.names.bucket(Layer::Bronze),
            lane: put.clone(),
            register: lanes.registered.as_ref().map(|lanes| lanes.register.clone()),
            give_up: Arc::clone(&part.switches.give_up),
        };
        let store = runtime.spawn(store.run(sealed_queue, stored));
        (Some(Stored { store, end, promoter }), Some(Onward { store: put, sealed }))
    }

    /// Registration and promotion, which feed each other.
    fn registration(
        &self,
        runtime: &Handle,
        part: &Part,
        lanes: &Registered,
        s3: S3Driver,
        postgres: PostgresDriver,
        stored: mpsc::Receiver<super::store::Stored>,
    ) -> (JoinHandle<Totals>, JoinHandle<Promoted>) {
        let (sources, source_queue) = mpsc::unbounded_channel();
        let (promotions, promotion_queue) = mpsc::unbounded_channel();
        let promoter = Promoter {
            clock: part.clock,
            s3,
            names: self.names.clone(),
            silver: self.lane(op::SILVER),
            gold: self.lane(op::GOLD),
            register: lanes.register.clone(),
            ledger: Arc::clone(&part.ledger),
            catalog: Arc::clone(&self.catalog),
            give_up: Arc::clone(&part.switches.give_up),
            promotions,
            promoted: Promoted::default(),
            made: [0; 2],
        };
        let registrar = Registrar {
            clock: part.clock,
            postgres,
            ledger: Arc::clone(&part.ledger),
            lane: lanes.register.clone(),
            end_to_end: lanes.end_to_end.clone(),
            bucket: self.names.bucket(Layer::Bronze),
            catalog: Arc::clone(&self.catalog),
            give_up: Arc::clone(&part.switches.give_up),
            promotions: sources,
            chain: Chain::default(),
            totals: Totals::default(),
        };
        let registrar = runtime.spawn(registrar.run(stored, promotion_queue));
        (registrar, runtime.spawn(promoter.run(source_queue)))
    }

    /// The thread that publishes events.
    fn publisher(
        &self,
        bus: &Bus,
        arrivals: std::sync::mpsc::Receiver<u64>,
        kept: KeptSoFar,
        part: &Part,
        lanes: &SharedLanes,
    ) -> Result<Thread<()>, DriverError> {
        let publishing = Publishing {
            arrivals,
            source: EventSource::new(Arc::clone(&self.pool), self.options.load.seed),
            names: self.names.clone(),
            books: Books {
                clock: part.clock,
                ledger: Arc::clone(&part.ledger),
                publish: lanes.publish.clone(),
                deliver: lanes.deliver.clone(),
                end_to_end: lanes.registered.as_ref().map(|lanes| lanes.end_to_end.clone()),
            },
            measured_ns: self.recorder.measured_ns(),
            kept,
            give_up: Arc::clone(&part.switches.stop_publishing),
        };
        start_publisher(bus, publishing)
    }

    fn read_side(
        &self,
        runtime: &Handle,
        clock: Clock,
        events: Option<EventQueue>,
        notified: &Notifications,
    ) -> (Queues, Vec<JoinHandle<()>>) {
        let mut tasks = Vec::new();
        let mut keep = |(queue, task)| {
            tasks.push(task);
            queue
        };
        let names = Arc::new(self.names.clone());
        let gets = self.clients.s3.clone().map(|s3| {
            let (names, catalog) = (Arc::clone(&names), Arc::clone(&self.catalog));
            lane::spawn(runtime, self.lane(op::GET), clock, GETS_IN_FLIGHT, move |at| {
                let (s3, names, catalog) = (s3.clone(), Arc::clone(&names), Arc::clone(&catalog));
                async move { reads::get(&s3, &names, &catalog, at).await }
            })
        });
        let lookups = self.clients.postgres.clone().map(|postgres| {
            lane::spawn(runtime, self.lane(op::LOOKUP), clock, LOOKUPS_IN_FLIGHT, move |at| {
                let postgres = postgres.clone();
                async move { reads::lookup(&postgres, at).await }
            })
        });
        let sessions = self.clients.redis.clone().map(|redis| {
            let names = Arc::clone(&names);
            lane::spawn(runtime, self.lane(op::SESSION), clock, SESSIONS_IN_FLIGHT, move |at| {
                let (redis, names) = (redis.clone(), Arc::clone(&names));
                async move { reads::session(&redis, &names, at).await }
            })
        });
        let notifications = match &self.clients.nats {
            Some(nats) if self.options.load.carries.notifications() => {
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
            gets: gets.map(&mut keep),
            lookups: lookups.map(&mut keep),
            sessions: sessions.map(&mut keep),
            notifications: notifications.map(keep),
        };
        (queues, tasks)
    }
}

/// What every part of the pipeline is given.
struct Part {
    clock: Clock,
    ledger: Arc<Ledger>,
    switches: Switches,
    lanes: Option<SharedLanes>,
}

/// Lanes of operations that begin in one part of the pipeline and end in another: both must have the same one.
struct SharedLanes {
    publish: Lane,
    deliver: Lane,
    put: Option<Lane>,
    registered: Option<Registered>,
}

/// Those of registration.
struct Registered {
    register: Lane,
    end_to_end: Lane,
}

fn start_ingest(
    runtime: &Handle,
    ingest: Ingest,
    consumer: Consumer,
    part: &Part,
) -> Result<IngestHandle, DriverError> {
    let stop = Arc::clone(&part.switches.stop_ingest);
    Ok(match consumer {
        Consumer::Nats(consumer) => {
            IngestHandle::Nats(runtime.spawn(ingest.read_nats(*consumer, stop)))
        }
        Consumer::Kafka(consumer) => IngestHandle::Kafka(
            std::thread::Builder::new()
                .name("ingest".into())
                .spawn(move || ingest.read_kafka(&consumer, &stop))
                .map_err(|e| no_thread(&e))?,
        ),
    })
}

/// Waits until the group has handed out its partitions, so that the first events find a reader. Nobody waits any
/// more once this is dropped: then the consumer leaves its group at once.
async fn await_assignment(consumer: KafkaConsumer) -> Result<KafkaConsumer, DriverError> {
    let dropped = Switches::default();
    let unwanted = Arc::clone(&dropped.give_up);
    let wait = move || {
        let deadline = Instant::now() + ASSIGNMENT;
        while Instant::now() < deadline && !unwanted.load(Ordering::Relaxed) {
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
