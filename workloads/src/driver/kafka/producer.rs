//! Publishing without blocking.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::Message;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::util::IntoOpaque;

use super::KafkaOptions;
use super::classify::kafka_error;
use super::client::client_config;
use super::connections::Connections;
use crate::driver::DriverError;
use crate::endpoint::KafkaEndpoint;

/// The fate of one message.
#[derive(Debug)]
pub struct Delivery<D> {
    /// What the caller gave to `try_send`.
    pub token: D,
    /// Partition and offset, or why the message was not stored.
    pub result: Result<(i32, i64), DriverError>,
}

/// Why a message was not accepted. The token comes back with it.
#[derive(Debug)]
pub enum SendError<D> {
    /// The local queue is full: keep the intended start and try again.
    Full(D),
    /// The message cannot be sent.
    Failed(D, DriverError),
}

impl<D> SendError<D> {
    /// The error without its token.
    pub fn into_error(self) -> DriverError {
        match self {
            Self::Full(_) => {
                kafka_error("send", &KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull))
            }
            Self::Failed(_, error) => error,
        }
    }
}

type OnDelivery<D> = Box<dyn Fn(Delivery<D>) + Send + Sync>;

struct Deliveries<D> {
    connections: Connections,
    on_delivery: OnDelivery<D>,
}

impl<D: IntoOpaque> ClientContext for Deliveries<D> {
    fn error(&self, error: KafkaError, reason: &str) {
        self.connections.error(error, reason);
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.connections.log(level, facility, message);
    }
}

impl<D: IntoOpaque> ProducerContext for Deliveries<D> {
    type DeliveryOpaque = D;

    fn delivery(&self, delivered: &DeliveryResult<'_>, token: D) {
        let result = match delivered {
            Ok(message) => Ok((message.partition(), message.offset())),
            Err((error, message)) => {
                Err(kafka_error(format!("deliver to {}", message.topic()), error))
            }
        };
        (self.on_delivery)(Delivery { token, result });
    }
}

/// A producer with the platform's settings: idempotent, snappy, acknowledged by all replicas.
///
/// `D` travels with each message and comes back in its [`Delivery`]: a `usize`, a `Box` or an `Arc`.
/// Clones share one queue.
pub struct KafkaPublisher<D: IntoOpaque + 'static> {
    producer: Arc<ThreadedProducer<Deliveries<D>>>,
}

impl<D: IntoOpaque + 'static> Clone for KafkaPublisher<D> {
    fn clone(&self) -> Self {
        Self { producer: Arc::clone(&self.producer) }
    }
}

impl<D: IntoOpaque + 'static> KafkaPublisher<D> {
    pub(super) fn new(
        endpoint: &KafkaEndpoint,
        options: &KafkaOptions,
        connections: Connections,
        on_delivery: impl Fn(Delivery<D>) + Send + Sync + 'static,
    ) -> Result<Self, DriverError> {
        let context = Deliveries { connections, on_delivery: Box::new(on_delivery) };
        let producer = client_config(endpoint)
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("compression.type", "snappy")
            // The same key to the same partition as the platform's Java and Python clients.
            .set("partitioner", "murmur2_random")
            .set("linger.ms", options.linger.as_millis().to_string())
            .set("batch.size", options.batch_bytes.to_string())
            .set("queue.buffering.max.kbytes", options.queue_kbytes.to_string())
            .set("queue.buffering.max.messages", options.queue_messages.to_string())
            .set("request.timeout.ms", options.request_timeout.as_millis().to_string())
            .set("delivery.timeout.ms", options.delivery_timeout.as_millis().to_string())
            .create_with_context(context)
            .map_err(|e| kafka_error("open producer", &e))?;
        Ok(Self { producer: Arc::new(producer) })
    }

    /// Queues a message, without blocking. Key and payload are copied.
    ///
    /// # Errors
    /// [`SendError::Full`] if the local queue has no room; [`SendError::Failed`] if the message can
    /// never be sent. Neither calls the delivery function.
    pub fn try_send(
        &self,
        topic: &str,
        key: &[u8],
        payload: &[u8],
        headers: &[(&str, &[u8])],
        token: D,
    ) -> Result<(), SendError<D>> {
        let mut record = BaseRecord::with_opaque_to(topic, token).key(key).payload(payload);
        if !headers.is_empty() {
            let owned = headers
                .iter()
                .fold(OwnedHeaders::new_with_capacity(headers.len()), |owned, (key, value)| {
                    owned.insert(Header { key, value: Some(*value) })
                });
            record = record.headers(owned);
        }
        self.producer.send(record).map_err(|(error, record)| {
            let token = record.delivery_opaque;
            if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) {
                SendError::Full(token)
            } else {
                SendError::Failed(token, kafka_error(format!("send to {topic}"), &error))
            }
        })
    }

    /// Sends what is queued and waits until everything is delivered or has failed.
    ///
    /// # Errors
    /// A time-out, with messages still in flight.
    pub fn flush(&self, timeout: Duration) -> Result<(), DriverError> {
        self.producer.flush(timeout).map_err(|e| kafka_error("flush", &e))
    }

    /// Messages accepted and not yet delivered or failed.
    pub fn in_flight(&self) -> usize {
        usize::try_from(self.producer.in_flight_count()).unwrap_or(0)
    }
}
