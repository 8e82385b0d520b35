//! Kafka, through rdkafka.

mod classify;
mod client;
mod connections;
mod consumer;
mod lag;
mod leftovers;
mod producer;
#[cfg(test)]
mod real_tests;
mod release;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::metadata::Metadata;

pub use consumer::{KafkaConsumer, KafkaMessage, NextOffset};
pub use producer::{Delivery, KafkaPublisher, SendError};
pub use rdkafka::util::IntoOpaque;

use super::{DriverError, ErrorKind, Prefix};
use crate::endpoint::KafkaEndpoint;
use classify::{SYSTEM, code_error, kafka_error};
use client::{Reader, check, client_config};
use connections::Connections;

/// Time for one watermark or offset query, or one message. A healthy broker answers in milliseconds; 10 s
/// rides out an election.
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for creating or deleting topics, and for every partition to get a leader.
const ADMIN_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause between two looks at the metadata while leaders are being elected.
const LEADER_POLL: Duration = Duration::from_millis(50);

/// Producer and consumer settings that a profile may tune.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KafkaOptions {
    /// How long a batch waits for company. The large profile documents 10 ms.
    pub linger: Duration,
    /// Largest batch, in bytes.
    pub batch_bytes: u32,
    /// Payload bytes that may wait for delivery in this process, in KiB; more is `SendError::Full`.
    pub queue_kbytes: u32,
    /// Messages that may wait for delivery in this process; more is `SendError::Full`.
    pub queue_messages: u32,
    /// Time for one produce request.
    pub request_timeout: Duration,
    /// Time from `try_send` to acknowledgement, retries included, after which a message has failed.
    pub delivery_timeout: Duration,
    /// Bytes that a consumer fetches ahead, in KiB.
    pub prefetch_kbytes: u32,
}

impl Default for KafkaOptions {
    fn default() -> Self {
        Self {
            linger: Duration::from_millis(5),
            batch_bytes: 65_536,
            // 64 MiB: 0.5 s of the medium profile's 116 MB/s, and a fifth of the generator's memory budget.
            queue_kbytes: 65_536,
            queue_messages: 200_000,
            request_timeout: Duration::from_secs(30),
            delivery_timeout: Duration::from_secs(60),
            prefetch_kbytes: 32_768,
        }
    }
}

/// A topic to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Name; must carry the run's prefix.
    pub name: String,
    /// Number of partitions.
    pub partitions: i32,
    /// Copies of each partition.
    pub replication: i32,
}

/// A topic as the cluster shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Name.
    pub name: String,
    /// Number of partitions, each with a leader.
    pub partitions: i32,
}

/// A Kafka cluster.
pub struct KafkaDriver {
    endpoint: KafkaEndpoint,
    options: KafkaOptions,
    prefix: Prefix,
    connections: Connections,
    reader: Arc<Reader>,
    /// One client per group whose lag has been asked for: making one costs threads and connections.
    groups: Mutex<HashMap<String, Arc<Reader>>>,
}

impl KafkaDriver {
    /// A client of the cluster at `endpoint`. Nothing is sent yet.
    ///
    /// # Errors
    /// Where librdkafka does not accept the settings; [`ErrorKind::Certificate`] for certificates that cannot
    /// be read.
    pub fn new(
        endpoint: &KafkaEndpoint,
        options: KafkaOptions,
        prefix: Prefix,
    ) -> Result<Self, DriverError> {
        check(endpoint)?;
        let connections = Connections::default();
        let reader = client_config(endpoint)
            // A metadata query creates the topic where there is no admin API to do it with.
            .set("allow.auto.create.topics", if endpoint.admin { "false" } else { "true" })
            .create_with_context(connections.clone())
            .map_err(|e| kafka_error("open client", &e))?;
        Ok(Self {
            endpoint: endpoint.clone(),
            options,
            prefix,
            reader: Arc::new(Reader::new(reader, connections.clone(), endpoint.clone())),
            connections,
            groups: Mutex::default(),
        })
    }

    /// Creates the topics, and waits until every partition has a leader.
    ///
    /// Without an admin API (librdkafka's mock cluster) a metadata query makes the cluster create each
    /// topic with its own default number of partitions: the result says how many there are.
    ///
    /// # Errors
    /// A foreign name, a refused creation, or a partition still without a leader after 30 s.
    pub async fn prepare(&self, topics: &[TopicSpec]) -> Result<Vec<TopicInfo>, DriverError> {
        for topic in topics {
            self.prefix.check(SYSTEM, &topic.name)?;
        }
        if self.endpoint.admin {
            // An admin request waits longer for a cluster that never answers, and says less about why.
            self.ping().await?;
            self.create(topics).await?;
        }
        let mut infos = Vec::with_capacity(topics.len());
        for topic in topics {
            let wanted = self.endpoint.admin.then_some(topic.partitions);
            infos.push(self.await_leaders(&topic.name, wanted).await?);
        }
        Ok(infos)
    }

    async fn create(&self, topics: &[TopicSpec]) -> Result<(), DriverError> {
        let new: Vec<NewTopic<'_>> = topics
            .iter()
            .map(|t| NewTopic::new(&t.name, t.partitions, TopicReplication::Fixed(t.replication)))
            .collect();
        let results = self
            .admin_client()?
            .create_topics(&new, &admin_options())
            .await
            .map_err(|e| kafka_error("create topics", &e))?;
        for result in results {
            match result {
                // Ours, from an attempt whose answer got lost; the partition count is checked next.
                Ok(_) | Err((_, rdkafka::types::RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => return Err(code_error(format!("create topic {name}"), code)),
            }
        }
        Ok(())
    }

    async fn await_leaders(
        &self,
        topic: &str,
        wanted: Option<i32>,
    ) -> Result<TopicInfo, DriverError> {
        let deadline = Instant::now() + ADMIN_TIMEOUT;
        let operation = format!("wait for leaders of {topic}");
        loop {
            let name = topic.to_owned();
            let led = self
                .blocking(move |reader| {
                    reader.metadata(Some(&name)).map(|metadata| led_partitions(&metadata, &name))
                })
                .await?;
            if let Some(partitions) = led {
                match wanted {
                    Some(wanted) if partitions > wanted => {
                        let reason = format!("has {partitions} partitions, {wanted} asked for");
                        return Err(DriverError::new(
                            ErrorKind::Conflict,
                            SYSTEM,
                            operation,
                            reason,
                        ));
                    }
                    Some(wanted) if partitions < wanted => {}
                    _ => return Ok(TopicInfo { name: topic.to_owned(), partitions }),
                }
            }
            if Instant::now() >= deadline {
                return Err(DriverError::timeout(SYSTEM, operation, ADMIN_TIMEOUT));
            }
            tokio::time::sleep(LEADER_POLL).await;
        }
    }

    /// A producer that calls `on_delivery` once for every accepted message, from its own thread.
    ///
    /// # Errors
    /// Where librdkafka does not accept the settings.
    pub fn publisher<D: IntoOpaque + 'static>(
        &self,
        on_delivery: impl Fn(Delivery<D>) + Send + Sync + 'static,
    ) -> Result<KafkaPublisher<D>, DriverError> {
        KafkaPublisher::new(&self.endpoint, &self.options, self.connections.clone(), on_delivery)
    }

    /// A member of `group` that reads `topics` from the earliest offset.
    ///
    /// # Errors
    /// Where librdkafka does not accept the settings or the subscription.
    pub fn consumer(&self, group: &str, topics: &[&str]) -> Result<KafkaConsumer, DriverError> {
        let connections = self.connections.clone();
        KafkaConsumer::new(&self.endpoint, &self.options, connections, group, topics)
    }

    /// One message there and back on `topic`: produced, acknowledged, and read at its offset.
    ///
    /// # Errors
    /// Any step that fails, or a message that does not come back within 10 s.
    pub async fn probe(&self, topic: &str) -> Result<(), DriverError> {
        self.prefix.check(SYSTEM, topic)?;
        let (sender, receiver) = std::sync::mpsc::channel();
        let publisher = self.publisher(move |delivery: Delivery<usize>| {
            // The receiver is gone only once the probe has given up.
            let _ = sender.send(delivery.result);
        })?;
        let topic = topic.to_owned();
        let endpoint = self.endpoint.clone();
        let connections = self.connections.clone();
        run_blocking("probe", move || {
            let token = uuid::Uuid::new_v4().into_bytes();
            publisher.try_send(&topic, &token, &token, &[], 0).map_err(SendError::into_error)?;
            let (partition, offset) = receiver.recv_timeout(QUERY_TIMEOUT).map_err(|_| {
                DriverError::timeout(SYSTEM, format!("probe {topic}"), QUERY_TIMEOUT)
            })??;
            consumer::read_back(&endpoint, connections, &topic, partition, offset, &token)
        })
        .await
    }

    /// Messages between the group's committed offsets and the ends of the topics' partitions.
    ///
    /// # Errors
    /// Where offsets or watermarks cannot be read.
    pub async fn lag(&self, group: &str, topics: &[&str]) -> Result<u64, DriverError> {
        let client = self.group_client(group)?;
        let topics: Vec<String> = topics.iter().map(|t| (*t).to_owned()).collect();
        run_blocking("lag", move || lag::of_group(&client, &topics)).await
    }

    /// A real question to a broker: how many brokers there are.
    ///
    /// # Errors
    /// Where no broker answers within 10 s.
    pub async fn ping(&self) -> Result<usize, DriverError> {
        self.blocking(|reader| Ok(reader.metadata(None)?.brokers().len())).await
    }

    /// The broker's version as far as the protocol tells it: `inter.broker.protocol.version` of the
    /// first broker, or, since Kafka 4 no longer has it and not everybody may ask for it, the release that supports
    /// its features. Without an admin API it is the librdkafka that plays the broker.
    ///
    /// # Errors
    /// Where the broker cannot be asked either way.
    pub async fn version(&self) -> Result<String, DriverError> {
        if !self.endpoint.admin {
            return Ok(format!("librdkafka {}", rdkafka::util::get_rdkafka_version().1));
        }
        let failed = match self.configured_version().await {
            Ok(Some(version)) => return Ok(version),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        let endpoint = self.endpoint.clone();
        let release = run_blocking("release", move || Ok(release::of(&endpoint))).await?;
        match (release, failed) {
            (Some(release), _) => Ok(release),
            (None, Some(error)) => Err(error),
            (None, None) => Ok("4 or later (no longer reported)".to_owned()),
        }
    }

    /// `inter.broker.protocol.version` of the first broker, where it has one.
    async fn configured_version(&self) -> Result<Option<String>, DriverError> {
        let broker = self
            .blocking(|reader| {
                let metadata = reader.metadata(None)?;
                metadata.brokers().first().map(|b| b.id()).ok_or_else(|| {
                    DriverError::new(ErrorKind::Protocol, SYSTEM, "metadata", "no broker listed")
                })
            })
            .await?;
        let configs = self
            .admin_client()?
            .describe_configs(&[ResourceSpecifier::Broker(broker)], &admin_options())
            .await
            .map_err(|e| kafka_error("describe broker", &e))?;
        let config = configs
            .into_iter()
            .next()
            .ok_or_else(|| {
                DriverError::new(ErrorKind::Protocol, SYSTEM, "describe broker", "empty answer")
            })?
            .map_err(|code| code_error(format!("describe broker {broker}"), code))?;
        Ok(config.get("inter.broker.protocol.version").and_then(|entry| entry.value.clone()))
    }

    /// Deletes the topics that carry the run's prefix, and says which. Without an admin API nothing
    /// can be deleted: the embedded cluster goes with its process.
    ///
    /// # Errors
    /// A topic that cannot be deleted.
    pub async fn clean_up(&self) -> Result<Vec<String>, DriverError> {
        if !self.endpoint.admin {
            return Ok(Vec::new());
        }
        let prefix = self.prefix.clone();
        let names: Vec<String> = self
            .blocking(move |reader| {
                let metadata = reader.metadata(None)?;
                let names = metadata.topics().iter().map(|t| t.name());
                Ok(names.filter(|name| prefix.owns(name)).map(str::to_owned).collect())
            })
            .await?;
        if names.is_empty() {
            return Ok(names);
        }
        let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
        let results = self
            .admin_client()?
            .delete_topics(&borrowed, &admin_options())
            .await
            .map_err(|e| kafka_error("delete topics", &e))?;
        for result in results {
            match result {
                Ok(_) | Err((_, rdkafka::types::RDKafkaErrorCode::UnknownTopicOrPartition)) => {}
                Err((name, code)) => return Err(code_error(format!("delete topic {name}"), code)),
            }
        }
        Ok(names)
    }

    /// Connections of producers and consumers that broke or could not be opened so far, and queries that
    /// failed for want of one. librdkafka opens them again by itself.
    pub fn connection_failures(&self) -> u64 {
        self.connections.count()
    }

    fn admin_client(&self) -> Result<AdminClient<Connections>, DriverError> {
        client_config(&self.endpoint)
            .create_with_context(self.connections.clone())
            .map_err(|e| kafka_error("open admin client", &e))
    }

    fn group_client(&self, group: &str) -> Result<Arc<Reader>, DriverError> {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = groups.get(group) {
            return Ok(Arc::clone(client));
        }
        let client = client_config(&self.endpoint)
            .set("group.id", group)
            .create_with_context(self.connections.clone())
            .map_err(|e| kafka_error("open client", &e))?;
        let client = Arc::new(Reader::new(client, self.connections.clone(), self.endpoint.clone()));
        groups.insert(group.to_owned(), Arc::clone(&client));
        Ok(client)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Reader) -> Result<T, DriverError> + Send + 'static,
    ) -> Result<T, DriverError> {
        let reader = Arc::clone(&self.reader);
        let answer = run_blocking("query", move || ask(&reader)).await;
        if answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Connection) {
            self.connections.add_one();
        }
        answer
    }
}

/// librdkafka's queries block their thread, so they get one.
async fn run_blocking<T: Send + 'static>(
    operation: &'static str,
    work: impl FnOnce() -> Result<T, DriverError> + Send + 'static,
) -> Result<T, DriverError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(DriverError::new(ErrorKind::Cancelled, SYSTEM, operation, error)),
    }
}

fn admin_options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ADMIN_TIMEOUT)).operation_timeout(Some(ADMIN_TIMEOUT))
}

/// How many partitions the topic has, if it exists and each has a leader.
fn led_partitions(metadata: &Metadata, topic: &str) -> Option<i32> {
    let topic = metadata.topics().iter().find(|t| t.name() == topic)?;
    let partitions = topic.partitions();
    let led = topic.error().is_none()
        && !partitions.is_empty()
        && partitions.iter().all(|p| p.leader() >= 0 && p.error().is_none());
    led.then(|| i32::try_from(partitions.len()).ok()).flatten()
}
