//! The drivers that the day workload uses, prepared for one run.

use std::sync::Arc;

use bytes::Bytes;

use super::catalog::{Catalog, Known};
use super::load::Load;
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
    /// Copies of each partition; -1 for what the cluster has as its default.
    pub replication: i32,
    /// Bytes that the events of the whole run will have, for the NATS stream's bound.
    pub event_bytes: u64,
    /// Notifications of the whole run, likewise.
    pub notifications: u64,
}

/// Connected, prepared drivers; of a component that the stack does not have, none.
#[derive(Clone)]
pub(super) struct Clients {
    pub bus: Option<Bus>,
    pub nats: Option<Arc<NatsDriver>>,
    pub s3: Option<S3Driver>,
    pub postgres: Option<PostgresDriver>,
    pub redis: Option<RedisDriver>,
}

/// The endpoint of a component that the run was planned with.
fn endpoint<'a, E>(
    planned: bool,
    endpoint: Option<&'a E>,
    component: &'static str,
) -> Result<Option<&'a E>, DriverError> {
    match (planned, endpoint) {
        (false, _) => Ok(None),
        (true, Some(endpoint)) => Ok(Some(endpoint)),
        (true, None) => Err(DriverError::new(
            ErrorKind::NotFound,
            component,
            "run the day workload",
            "the stack has no endpoint for it; choose a profile or a provider that starts it",
        )),
    }
}

impl Clients {
    /// Connects to every component that carries the load and creates what the run needs, under the run's names.
    pub(super) async fn prepare(
        endpoints: &Endpoints,
        names: &Names,
        kafka_options: KafkaOptions,
        sizes: Sizes,
        catalog: &Catalog,
        load: &Load,
    ) -> Result<Self, DriverError> {
        let carries = load.carries;
        let prefix = || names.prefix.clone();
        let postgres = endpoint(carries.postgres, endpoints.postgres.as_ref(), "postgresql")?;
        let redis = endpoint(carries.redis, endpoints.redis.as_ref(), "redis")?;
        let s3 = endpoint(carries.s3, endpoints.s3.as_ref(), "minio")?;
        let nats = endpoint(carries.nats, endpoints.nats.as_ref(), "nats")?;
        let kafka = endpoint(carries.kafka, endpoints.kafka.as_ref(), "kafka")?;
        let nats = match nats {
            Some(nats) => Some(Arc::new(NatsDriver::connect(nats, prefix()).await?)),
            None => None,
        };
        let bus = match (kafka, &nats) {
            (Some(kafka), _) => {
                Some(Bus::Kafka(Arc::new(KafkaDriver::new(kafka, kafka_options, prefix())?)))
            }
            (None, Some(nats)) => Some(Bus::Nats(Arc::clone(nats))),
            (None, None) => None,
        };
        let s3 = match s3 {
            Some(s3) => Some(S3Driver::new(s3, S3Options::default(), prefix())?),
            None => None,
        };
        let postgres = match postgres {
            Some(postgres) => Some(PostgresDriver::connect(postgres, POOL, &names.schema).await?),
            None => None,
        };
        let redis = match redis {
            Some(redis) => Some(RedisDriver::connect(redis, prefix()).await?),
            None => None,
        };
        let clients = Self { bus, nats, s3, postgres, redis };
        clients.prepare_bus(names, sizes).await?;
        if let Some(s3) = &clients.s3 {
            prepare_objects(s3, names, catalog, load.seed).await?;
        }
        if let Some(postgres) = &clients.postgres {
            prepare_rows(postgres).await?;
        }
        if let Some(redis) = &clients.redis {
            for number in 0..SESSIONS {
                redis.put(&names.session(number), &session_value(number), SESSION_TTL_S).await?;
            }
        }
        Ok(clients)
    }

    async fn prepare_bus(&self, names: &Names, sizes: Sizes) -> Result<(), DriverError> {
        // Twice what the run will hold: JetStream's own headers and file format need room too.
        let bound =
            |bytes: u64| i64::try_from(bytes.saturating_mul(2) + (64 << 20)).unwrap_or(i64::MAX);
        match &self.bus {
            Some(Bus::Kafka(kafka)) => {
                let topics = EventKind::ALL.map(|kind| TopicSpec {
                    name: names.topic(kind),
                    partitions: sizes.partitions,
                    replication: sizes.replication,
                });
                kafka.prepare(&topics).await?;
            }
            Some(Bus::Nats(nats)) => {
                let subjects = EventKind::ALL.map(|kind| names.topic(kind)).to_vec();
                let spec = StreamSpec {
                    name: names.events_stream(),
                    subjects,
                    max_bytes: bound(sizes.event_bytes),
                };
                nats.prepare(&spec).await?;
            }
            None => {}
        }
        if let (Some(nats), Some(Bus::Kafka(_))) = (&self.nats, &self.bus) {
            let spec = StreamSpec {
                name: names.notifications_stream(),
                subjects: vec![names.notifications_subject()],
                max_bytes: bound(sizes.notifications * 1024),
            };
            nats.prepare(&spec).await?;
        }
        Ok(())
    }
}

/// Buckets, and objects that readers find before the first batch is stored.
async fn prepare_objects(
    s3: &S3Driver,
    names: &Names,
    catalog: &Catalog,
    seed: u64,
) -> Result<(), DriverError> {
    for layer in Layer::ALL {
        s3.ensure_bucket(&names.bucket(layer)).await?;
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
        s3.put(&names.bucket(Layer::Bronze), &key, Bytes::from(object)).await?;
        catalog.add(Known { layer: Layer::Bronze, key, bytes });
    }
    Ok(())
}

/// The schema, and every dataset, so that each look-up finds its row.
async fn prepare_rows(postgres: &PostgresDriver) -> Result<(), DriverError> {
    postgres.prepare().await?;
    let datasets = (0..DATASETS)
        .map(|dataset| DatasetRow {
            dataset_id: dataset_id(dataset),
            domain_id: domain_of(dataset).into(),
            layer: Layer::Bronze.name().into(),
            events: 0,
            bytes: 0,
        })
        .collect();
    postgres.register(&Batch { datasets, ..Batch::default() }).await.map(drop)
}
