//! NATS JetStream, through async-nats: the event bus of the dev profile.

mod classify;
mod connect;
mod leftovers;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::Event;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config as StreamConfig, DiscardPolicy, StorageType};
use async_nats::jetstream::{self, Context};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, TryStreamExt};
use tokio::sync::watch;

use super::error::chain;
use super::retry::with_retries;
use super::{Done, DriverError, ErrorKind, Prefix};
use crate::endpoint::NatsEndpoint;
use classify::{SYSTEM, classify};

/// Time for one request or one publish acknowledgement.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How often an idle connection is tried, so that a dead one is noticed.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// First and longest pause between two attempts to connect again.
const RECONNECT_PAUSE: (Duration, Duration) =
    (Duration::from_millis(20), Duration::from_millis(1000));
/// Publishes that may wait for their acknowledgement; more is [`ErrorKind::Full`].
const MAX_UNACKED: usize = 8192;
/// Messages that one subscription may hold in this process. Larger than any batch asked for below, since
/// the client throws away what does not fit.
const SUBSCRIPTION_CAPACITY: usize = 65_536;
/// Messages asked for ahead of `fetch`.
const PREFETCH: usize = 4096;
/// Time after which an unacknowledged message is delivered again: longer than writing and registering
/// a batch takes, so that a slow batch is not a duplicate.
const ACK_WAIT: Duration = Duration::from_secs(300);
/// Messages that may be delivered and not yet acknowledged.
const MAX_ACK_PENDING: i64 = 200_000;
/// Heartbeat of a pull request: a consumer whose server went silent notices within two of them.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Length of one pull request.
const PULL_EXPIRES: Duration = Duration::from_secs(30);
/// Within it, the server drops a message that it has already stored under the same id.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// A stream to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSpec {
    /// Name; must carry the run's prefix.
    pub name: String,
    /// Subjects, e.g. `odgbench-7f3a.>`; each must carry the prefix.
    pub subjects: Vec<String>,
    /// Most bytes that it stores on disk.
    pub max_bytes: i64,
}

/// What the server said about a published message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Its sequence number in the stream.
    pub sequence: u64,
    /// Whether the server had stored a message with this id before: it keeps one.
    pub duplicate: bool,
}

/// The one field used of JetStream's account information.
#[derive(serde::Deserialize)]
struct AccountInfo {
    streams: usize,
}

/// A NATS server with JetStream.
#[derive(Clone)]
pub struct NatsDriver {
    client: async_nats::Client,
    context: Context,
    prefix: Prefix,
    disconnects: watch::Receiver<u64>,
    dropped: Arc<AtomicU64>,
}

impl NatsDriver {
    /// Connects.
    ///
    /// # Errors
    /// [`ErrorKind::Connection`] where nothing answers, [`ErrorKind::Refused`] on a wrong password,
    /// [`ErrorKind::Certificate`] for a certificate that is not accepted.
    pub async fn connect(endpoint: &NatsEndpoint, prefix: Prefix) -> Result<Self, DriverError> {
        let (disconnected, disconnects) = watch::channel(0);
        let disconnected = Arc::new(disconnected);
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&dropped);
        let options = connect::options(endpoint)?
            .name("odg-bench")
            .request_timeout(Some(REQUEST_TIMEOUT))
            .ping_interval(PING_INTERVAL)
            .subscription_capacity(SUBSCRIPTION_CAPACITY)
            .reconnect_delay_callback(|attempts| {
                let pause = RECONNECT_PAUSE.0 * u32::try_from(attempts).unwrap_or(u32::MAX).max(1);
                pause.min(RECONNECT_PAUSE.1)
            })
            .event_callback(move |event| {
                match event {
                    Event::Disconnected => disconnected.send_modify(|n| *n += 1),
                    Event::SlowConsumer(_) => {
                        counter.fetch_add(1, Ordering::Relaxed);
                    }
                    other => tracing::debug!(event = %other, "nats client"),
                }
                std::future::ready(())
            });
        let client = connect::open(endpoint, options).await?;
        let context = ContextBuilder::new()
            .timeout(REQUEST_TIMEOUT)
            .ack_timeout(REQUEST_TIMEOUT)
            .max_ack_inflight(MAX_UNACKED)
            .backpressure_on_inflight(false)
            .build(client.clone());
        Ok(Self { client, context, prefix, disconnects, dropped })
    }

    /// Creates the stream: on disk, bounded, and full means refused. Discarding the oldest instead
    /// would lose events without a word.
    ///
    /// # Errors
    /// A foreign name, or a server that refuses.
    pub async fn prepare(&self, spec: &StreamSpec) -> Result<(), DriverError> {
        self.prefix.check(SYSTEM, &spec.name)?;
        for subject in &spec.subjects {
            self.prefix.check(SYSTEM, subject)?;
        }
        let config = StreamConfig {
            name: spec.name.clone(),
            subjects: spec.subjects.clone(),
            max_bytes: spec.max_bytes,
            discard: DiscardPolicy::New,
            storage: StorageType::File,
            duplicate_window: DUPLICATE_WINDOW,
            ..StreamConfig::default()
        };
        self.context
            .create_stream(config)
            .await
            .map(drop)
            .map_err(|e| classify(format!("create stream {}", spec.name), &e))
    }

    /// Publishes and waits until the server has stored the message. `message_id` makes it safe to try
    /// again after a connection broke: the server keeps one message per id.
    ///
    /// # Errors
    /// [`ErrorKind::Full`] where the stream has reached its size; anything else as classified.
    pub async fn publish(
        &self,
        subject: &str,
        payload: Bytes,
        message_id: &str,
    ) -> Result<Done<Published>, DriverError> {
        self.prefix.check(SYSTEM, subject)?;
        with_retries(|_| self.publish_once(subject, payload.clone(), message_id)).await
    }

    async fn publish_once(
        &self,
        subject: &str,
        payload: Bytes,
        message_id: &str,
    ) -> Result<Published, DriverError> {
        let operation = || format!("publish to {subject}");
        let mut disconnects = self.disconnects.clone();
        disconnects.mark_unchanged();
        let message = PublishMessage::build().payload(payload).message_id(message_id);
        let ack = self
            .context
            .send_publish(subject.to_owned(), message)
            .await
            .map_err(|e| classify(operation(), &e))?;
        tokio::select! {
            biased;
            ack = ack.into_future() => ack
                .map(|ack| Published { sequence: ack.sequence, duplicate: ack.duplicate })
                .map_err(|e| classify(operation(), &e)),
            // The acknowledgement went with the connection. Waiting for it would cost the whole time-out.
            Ok(()) = disconnects.changed() => Err(DriverError::new(
                ErrorKind::Connection, SYSTEM, operation(), "connection lost before the answer",
            )),
        }
    }

    /// A durable consumer that reads the stream from its start and acknowledges each message.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] without such a stream; anything else as classified.
    pub async fn consumer(&self, stream: &str, durable: &str) -> Result<NatsConsumer, DriverError> {
        let operation = format!("consumer {durable} on {stream}");
        let config = pull::Config {
            durable_name: Some(durable.to_owned()),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            max_ack_pending: MAX_ACK_PENDING,
            ..pull::Config::default()
        };
        let consumer: jetstream::consumer::PullConsumer = self
            .context
            .create_consumer_on_stream(config, stream)
            .await
            .map_err(|e| classify(&operation, &e))?;
        let messages = consumer
            .stream()
            .max_messages_per_batch(PREFETCH)
            .expires(PULL_EXPIRES)
            .heartbeat(HEARTBEAT)
            .messages()
            .await
            .map_err(|e| classify(&operation, &e))?;
        Ok(NatsConsumer { client: self.client.clone(), messages, failed: None })
    }

    /// Messages that the stream holds.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] without such a stream; anything else as classified.
    pub async fn stored(&self, stream: &str) -> Result<u64, DriverError> {
        let operation = format!("look at stream {stream}");
        let stream = self.context.get_stream(stream).await.map_err(|e| classify(&operation, &e))?;
        Ok(stream.cached_info().state.messages)
    }

    /// A real question to JetStream: how many streams the account has.
    ///
    /// # Errors
    /// Where JetStream does not answer.
    pub async fn ping(&self) -> Result<Done<usize>, DriverError> {
        // Not the client's own call: it wants fields that servers before 2.10 do not send.
        let ask = |_| async {
            let operation = "account information";
            let answer = self.client.request("$JS.API.INFO", Bytes::new()).await;
            let answer = answer.map_err(|e| classify(operation, &e))?;
            serde_json::from_slice::<AccountInfo>(&answer.payload)
                .map(|account| account.streams)
                .map_err(|e| DriverError::new(ErrorKind::Protocol, SYSTEM, operation, e))
        };
        with_retries(ask).await
    }

    /// The server's version as it reports it.
    pub fn version(&self) -> String {
        self.client.server_info().version
    }

    /// Connections lost so far. The client opens them again by itself.
    pub fn disconnects(&self) -> u64 {
        *self.disconnects.borrow()
    }

    /// Times the client threw a message away because the consumer did not keep up.
    pub fn slow_consumer_events(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Deletes the streams that carry the run's prefix, and says which.
    ///
    /// # Errors
    /// A stream that cannot be deleted.
    pub async fn clean_up(&self) -> Result<Vec<String>, DriverError> {
        let own = self.streams(|name| self.prefix.owns(name)).await?;
        for name in &own {
            self.context
                .delete_stream(name)
                .await
                .map_err(|e| classify(format!("delete stream {name}"), &e))?;
        }
        Ok(own)
    }

    async fn streams(&self, wanted: impl Fn(&str) -> bool) -> Result<Vec<String>, DriverError> {
        let names: Result<Vec<String>, _> = self.context.stream_names().try_collect().await;
        let names = names.map_err(|e| classify("list streams", &e))?;
        Ok(names.into_iter().filter(|name| wanted(name)).collect())
    }
}

/// A message and the right to acknowledge it.
pub struct NatsMessage(jetstream::Message);

impl NatsMessage {
    /// Subject.
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Payload, without a copy.
    pub fn payload(&self) -> &Bytes {
        &self.0.payload
    }

    /// Sequence number in the stream, and how often the server has delivered the message (1 at first).
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] where the message carries no delivery information.
    pub fn delivery(&self) -> Result<(u64, i64), DriverError> {
        self.0
            .info()
            .map(|info| (info.stream_sequence, info.delivered))
            .map_err(|e| DriverError::new(ErrorKind::Protocol, SYSTEM, "delivery information", e))
    }
}

/// A durable consumer.
pub struct NatsConsumer {
    client: async_nats::Client,
    messages: pull::Stream,
    /// An error that came after messages: they are handed out first.
    failed: Option<DriverError>,
}

impl NatsConsumer {
    /// Up to `max` messages: waits up to `timeout` for the first, then takes what has arrived already.
    /// An empty answer means that none came.
    ///
    /// # Errors
    /// What the stream reports; messages that came before it are returned first, and it comes next time.
    pub async fn fetch(
        &mut self,
        max: usize,
        timeout: Duration,
    ) -> Result<Vec<NatsMessage>, DriverError> {
        let mut batch = Vec::new();
        if self.failed.is_none() {
            let Ok(first) = tokio::time::timeout(timeout, self.messages.next()).await else {
                return Ok(batch);
            };
            let mut polled = Some(first);
            while let Some(next) = polled.take() {
                match next {
                    Some(Ok(message)) => batch.push(NatsMessage(message)),
                    Some(Err(error)) => self.failed = Some(classify("fetch", &error)),
                    None => {
                        let reason = "the consumer was deleted";
                        let error = DriverError::new(ErrorKind::NotFound, SYSTEM, "fetch", reason);
                        self.failed = Some(error);
                    }
                }
                if self.failed.is_none() && batch.len() < max {
                    polled = self.messages.next().now_or_never();
                }
            }
        }
        match self.failed.take_if(|_| batch.is_empty()) {
            Some(error) => Err(error),
            None => Ok(batch),
        }
    }

    /// Acknowledges the messages and hands the acknowledgements to the network.
    ///
    /// # Errors
    /// Where the connection does not take them; they are then delivered again.
    pub async fn ack_all(&self, messages: &[NatsMessage]) -> Result<(), DriverError> {
        for message in messages {
            message.0.ack().await.map_err(|e| {
                DriverError::new(ErrorKind::Connection, SYSTEM, "acknowledge", chain(&*e))
            })?;
        }
        self.client.flush().await.map_err(|e| classify("flush acknowledgements", &e))
    }
}
