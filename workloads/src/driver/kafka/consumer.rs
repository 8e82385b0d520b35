//! Reading as a member of a group, with offsets committed by hand.

use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::classify::{SYSTEM, kafka_error};
use super::client::client_config;
use super::connections::Connections;
use super::{KafkaOptions, QUERY_TIMEOUT};
use crate::driver::{DriverError, ErrorKind};
use crate::endpoint::KafkaEndpoint;

/// Where a group goes on reading a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextOffset {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset of the first message not yet dealt with.
    pub offset: i64,
}

/// A message, still in librdkafka's buffer: nothing is copied until the caller does.
pub struct KafkaMessage<'a>(BorrowedMessage<'a>);

impl KafkaMessage<'_> {
    /// Topic.
    pub fn topic(&self) -> &str {
        self.0.topic()
    }

    /// Partition.
    pub fn partition(&self) -> i32 {
        self.0.partition()
    }

    /// Offset in the partition.
    pub fn offset(&self) -> i64 {
        self.0.offset()
    }

    /// Key; empty if there is none.
    pub fn key(&self) -> &[u8] {
        self.0.key().unwrap_or_default()
    }

    /// Payload; empty if there is none.
    pub fn payload(&self) -> &[u8] {
        self.0.payload().unwrap_or_default()
    }

    /// Milliseconds since the Unix epoch, as the producer or the broker stamped it.
    pub fn timestamp_ms(&self) -> Option<i64> {
        self.0.timestamp().to_millis()
    }
}

/// A member of a consumer group. Its calls block: give it a thread.
pub struct KafkaConsumer {
    consumer: BaseConsumer<Connections>,
    connections: Connections,
}

impl KafkaConsumer {
    pub(super) fn new(
        endpoint: &KafkaEndpoint,
        options: &KafkaOptions,
        connections: Connections,
        group: &str,
        topics: &[&str],
    ) -> Result<Self, DriverError> {
        let consumer: BaseConsumer<Connections> = client_config(endpoint)
            .set("group.id", group)
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("session.timeout.ms", "30000")
            // Long enough to write a multipart object and register it between two polls.
            .set("max.poll.interval.ms", "300000")
            .set("fetch.wait.max.ms", "50")
            // What is fetched ahead is the consumer's memory: bound it (the defaults allow 64 MiB queued).
            .set("queued.max.messages.kbytes", options.prefetch_kbytes.to_string())
            .set("queued.min.messages", "10000")
            .set("max.partition.fetch.bytes", "1048576")
            .set("fetch.max.bytes", "8388608")
            .create_with_context(connections.clone())
            .map_err(|e| kafka_error("open consumer", &e))?;
        consumer
            .subscribe(topics)
            .map_err(|e| kafka_error(format!("subscribe to {}", topics.join(", ")), &e))?;
        Ok(Self { consumer, connections })
    }

    /// The next message, or `None` if none came within `timeout`. Call it at least every 5 minutes,
    /// or the group takes the partitions away.
    ///
    /// # Errors
    /// Inside the `Some`. The consumer goes on after it; a broken connection ([`ErrorKind::Connection`]) is
    /// opened again by librdkafka and counted in `KafkaDriver::connection_failures`.
    pub fn poll(&self, timeout: Duration) -> Option<Result<KafkaMessage<'_>, DriverError>> {
        self.consumer.poll(timeout).map(|polled| {
            polled.map(KafkaMessage).map_err(|error| {
                self.connections.saw(&error, "poll");
                kafka_error("poll", &error)
            })
        })
    }

    /// Commits where the group goes on, and waits for the broker's answer.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if a partition has moved to another member; anything else as classified.
    pub fn commit(&self, next: &[NextOffset]) -> Result<(), DriverError> {
        if next.is_empty() {
            return Ok(());
        }
        let mut offsets = TopicPartitionList::with_capacity(next.len());
        for next in next {
            offsets
                .add_partition_offset(&next.topic, next.partition, Offset::Offset(next.offset))
                .map_err(|e| kafka_error(format!("commit {}", next.topic), &e))?;
        }
        self.consumer.commit(&offsets, CommitMode::Sync).map_err(|e| kafka_error("commit", &e))
    }

    /// Partitions that this member reads at the moment.
    ///
    /// # Errors
    /// Where the client has no assignment to show.
    pub fn assigned(&self) -> Result<usize, DriverError> {
        let assignment = self.consumer.assignment().map_err(|e| kafka_error("assignment", &e))?;
        Ok(assignment.count())
    }
}

/// Reads the message at `offset` and compares its payload.
pub(super) fn read_back(
    endpoint: &KafkaEndpoint,
    connections: Connections,
    topic: &str,
    partition: i32,
    offset: i64,
    expected: &[u8],
) -> Result<(), DriverError> {
    let operation = format!("read back {topic}[{partition}]@{offset}");
    let consumer: BaseConsumer<Connections> = client_config(endpoint)
        // librdkafka wants a group even where partitions are assigned by hand; it is never joined.
        .set("group.id", "odgbench-probe")
        .set("enable.auto.commit", "false")
        .create_with_context(connections)
        .map_err(|e| kafka_error(&operation, &e))?;
    let mut assignment = TopicPartitionList::new();
    assignment
        .add_partition_offset(topic, partition, Offset::Offset(offset))
        .and_then(|()| consumer.assign(&assignment))
        .map_err(|e| kafka_error(&operation, &e))?;
    let deadline = Instant::now() + QUERY_TIMEOUT;
    while let Some(left) = deadline.checked_duration_since(Instant::now()) {
        let Some(polled) = consumer.poll(left) else { continue };
        let message = polled.map_err(|e| kafka_error(&operation, &e))?;
        if message.offset() == offset && message.payload() == Some(expected) {
            return Ok(());
        }
        let reason = format!("offset {} holds other bytes", message.offset());
        return Err(DriverError::new(ErrorKind::Protocol, SYSTEM, operation, reason));
    }
    Err(DriverError::timeout(SYSTEM, operation, QUERY_TIMEOUT))
}
