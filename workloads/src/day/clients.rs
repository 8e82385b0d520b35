//! The drivers that the day workload uses, prepared for one run.

use std::sync::Arc;

use bytes::Bytes;

use super::catalog::{Catalog, Known};
use super::names::{Layer, Names};
use super::reads::{SESSION_TTL_S, SESSIONS, session_value};
use crate::driver::kafka::{KafkaDriver, KafkaOptions, TopicSpec};
use crate::driver::nats::{NatsDriver, StreamSpec};
use crate::driver::postgres::{Batch, DatasetRow, PoolSize, PostgresDriver};
use crate::driver::redis::RedisDriver;
use crate::driver::s3::{S3Driver, S3Options};
use crate::driver::{DriverError, ErrorKind};
use crate::endpoint::Endpoints;
use crate::event::EventKind;
use crate::payload::{DATASETS, EventSource, Pool, dataset_id, domain_of};

/// Objects that readers find before the first batch is stored.
const SEED_OBJECTS: usize = 4;
/// Size of each, in bytes.
const SEED_OBJECT_BYTES: usize = 1 << 20;
/// Database connections: as many as one process of the platform may open.
const POOL: PoolSize = PoolSize { min: 4, max: 30 };

/// What carries the events.
#[derive(Clone)]
pub(super) enum Bus {
    /// Kafka.
    Kafka(Arc<KafkaDriver>),
    /// NATS JetStream (the dev profile).
    Nats(Arc<NatsDriver>),
}

/// Sizes that a run needs on the servers.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Partitions of each topic.
    pub partitions: i32,
    /// Bytes that the events of the whole run will have, for the NATS stream's bound.
    pub event_bytes: u64,
    /// Notifications of the whole run, likewise.
    pub notifications: u64,
}

/// Connected, prepared drivers.
#[derive(Clone)]
pub(super) struct Clients {
    pub bus: Bus,
    pub nats: Option<Arc<NatsDriver>>,
    pub s3: S3Driver,
    pub postgres: PostgresDriver,
    pub redis: RedisDriver,
}

fn missing(component: &'static str) -> DriverError {
    DriverError::new(
        ErrorKind::NotFound,
        component,
        "run the day workload",
        "the stack has no endpoint for it; choose a profile or a provider that starts it",
    )
}

impl Clients {
    /// Connects to every component and creates what the run needs, under the run's names.
    pub(super) async fn prepare(
        endpoints: &Endpoints,
        names: &Names,
        kafka: KafkaOptions,
        sizes: Sizes,
        catalog: &Catalog,
        seed: u64,
    ) -> Result<Self, DriverError> {
        let postgres = endpoints.postgres.as_ref().ok_or_else(|| missing("postgresql"))?;
        let redis = endpoints.redis.as_ref().ok_or_else(|| missing("redis"))?;
        let s3 = endpoints.s3.as_ref().ok_or_else(|| missing("minio"))?;
        let nats = match &endpoints.nats {
            Some(nats) => Some(Arc::new(NatsDriver::connect(nats, names.prefix.clone()).await?)),
            None => None,
        };
        let bus = match (&endpoints.kafka, &nats) {
            (Some(endpoint), _) => {
                Bus::Kafka(Arc::new(KafkaDriver::new(endpoint, kafka, names.prefix.clone())?))
            }
            (None, Some(nats)) => Bus::Nats(Arc::clone(nats)),
            (None, None) => return Err(missing("kafka")),
        };
        let clients = Self {
            bus,
            nats,
            s3: S3Driver::new(s3, S3Options::default(), names.prefix.clone())?,
            postgres: PostgresDriver::connect(postgres, POOL, &names.schema).await?,
            redis: RedisDriver::connect(redis, names.prefix.clone()).await?,
        };
        clients.prepare_bus(names, sizes).await?;
        clients.prepare_objects(names, catalog, seed).await?;
        clients.prepare_rows(names).await?;
        Ok(clients)
    }

    async fn prepare_bus(&self, names: &Names, sizes: Sizes) -> Result<(), DriverError> {
        // Twice what the run will hold: JetStream's own headers and file format need room too.
        let bound =
            |bytes: u64| i64::try_from(bytes.saturating_mul(2) + (64 << 20)).unwrap_or(i64::MAX);
        match &self.bus {
            Bus::Kafka(kafka) => {
                let topics = EventKind::ALL.map(|kind| TopicSpec {
                    name: names.topic(kind),
                    partitions: sizes.partitions,
                    replication: 1,
                });
                kafka.prepare(&topics).await?;
            }
            Bus::Nats(nats) => {
                let subjects = EventKind::ALL.map(|kind| names.topic(kind)).to_vec();
                let spec = StreamSpec {
                    name: names.events_stream(),
                    subjects,
                    max_bytes: bound(sizes.event_bytes),
                };
                nats.prepare(&spec).await?;
            }
        }
        if let (Some(nats), Bus::Kafka(_)) = (&self.nats, &self.bus) {
            let spec = StreamSpec {
                name: names.notifications_stream(),
                subjects: vec![names.notifications_subject()],
                max_bytes: bound(sizes.notifications * 1024),
            };
            nats.prepare(&spec).await?;
        }
        Ok(())
    }

    async fn prepare_objects(
        &self,
        names: &Names,
        catalog: &Catalog,
        seed: u64,
    ) -> Result<(), DriverError> {
        for layer in Layer::ALL {
            self.s3.ensure_bucket(&names.bucket(layer)).await?;
        }
        let mut source = EventSource::new(Pool::day(seed), !seed);
        let mut frame = Vec::new();
        for number in 0..SEED_OBJECTS {
            let mut object = Vec::with_capacity(SEED_OBJECT_BYTES + (1 << 18));
            while object.len() < SEED_OBJECT_BYTES {
                source.next_into(0, 0, &mut frame);
                object.extend_from_slice(&frame);
            }
            let key = format!("seed/{number:04}.odgb");
            let bytes = object.len() as u64;
            self.s3.put(&names.bucket(Layer::Bronze), &key, Bytes::from(object)).await?;
            catalog.add(Known { layer: Layer::Bronze, key, bytes });
        }
        Ok(())
    }

    async fn prepare_rows(&self, names: &Names) -> Result<(), DriverError> {
        self.postgres.prepare().await?;
        let datasets = (0..DATASETS)
            .map(|dataset| DatasetRow {
                dataset_id: dataset_id(dataset),
                domain_id: domain_of(dataset).into(),
                layer: Layer::Bronze.name().into(),
                events: 0,
                bytes: 0,
            })
            .collect();
        self.postgres.register(&Batch { datasets, ..Batch::default() }).await?;
        for number in 0..SESSIONS {
            let key = names.session(number);
            self.redis.put(&key, &session_value(number), SESSION_TTL_S).await?;
        }
        Ok(())
    }

    /// Removes everything that carries the run's names. Answers what could not be removed.
    pub(super) async fn clean_up(&self, names: &Names) -> Vec<DriverError> {
        let mut problems = Vec::new();
        problems.extend(self.s3.clean_up().await.err());
        if let Bus::Kafka(kafka) = &self.bus {
            problems.extend(kafka.clean_up().await.err());
        }
        if let Some(nats) = &self.nats {
            problems.extend(nats.clean_up().await.err());
        }
        problems.extend(self.redis.delete_prefix(names.prefix.as_str()).await.err());
        problems.extend(self.postgres.drop_schema().await.err());
        self.postgres.close().await;
        problems
    }
}
