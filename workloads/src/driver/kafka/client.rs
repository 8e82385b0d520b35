//! How clients are configured, and the one that asks the cluster about itself.

use std::time::{Duration, Instant};

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::Metadata;

use super::classify::{SYSTEM, kafka_error};
use super::connections::{Connections, Trouble};
use crate::driver::{DriverError, ErrorKind};
use crate::endpoint::{KafkaEndpoint, SaslMechanism};
use crate::tls::try_handshake;

/// Time for one metadata query, the connection included.
const METADATA_TIMEOUT: Duration = Duration::from_secs(10);
/// A query without a usable broker waits in steps, so that a refused password ends it early. This is the first;
/// each is twice as long as the one before, so that a slow broker is not asked again and again.
const FIRST_STEP: Duration = Duration::from_secs(1);
/// Time in which what librdkafka has to say about a failed step is collected.
const PAUSE: Duration = Duration::from_millis(20);
/// Time for a connection to be set up, TLS and login included: less than a query's, so that the query's error
/// can say that this was it.
const SETUP_TIMEOUT_MS: &str = "8000";
/// Time per step of the handshake that finds out what is wrong with a certificate.
const DIAGNOSIS_TIMEOUT: Duration = Duration::from_secs(1);

/// Whether the certificates can be read, in clearer words than librdkafka's.
pub(super) fn check(endpoint: &KafkaEndpoint) -> Result<(), DriverError> {
    let Some(tls) = &endpoint.tls else { return Ok(()) };
    tls.check().map_err(|e| {
        DriverError::new(ErrorKind::Certificate, SYSTEM, format!("open {}", endpoint.bootstrap), e)
    })
}

/// Settings shared by every client: whom to ask, as whom, how encrypted, and how long to wait for a connection.
pub(super) fn client_config(endpoint: &KafkaEndpoint) -> ClientConfig {
    let mut config = ClientConfig::new();
    // A connection that the broker closed on our first words is logged at this level, and nowhere else.
    config.set_log_level(RDKafkaLogLevel::Info);
    config
        .set("bootstrap.servers", &endpoint.bootstrap)
        .set("client.id", "odg-bench")
        .set("socket.keepalive.enable", "true")
        .set("socket.nagle.disable", "true")
        .set("socket.connection.setup.timeout.ms", SETUP_TIMEOUT_MS)
        // Quick first reconnects, so that a broker that closes idle connections costs milliseconds.
        .set("reconnect.backoff.ms", "20")
        .set("reconnect.backoff.max.ms", "1000")
        .set(
            "security.protocol",
            match (&endpoint.login, &endpoint.tls) {
                (None, None) => "plaintext",
                (Some(_), None) => "sasl_plaintext",
                (None, Some(_)) => "ssl",
                (Some(_), Some(_)) => "sasl_ssl",
            },
        );
    if let Some(login) = &endpoint.login {
        config
            .set(
                "sasl.mechanisms",
                match login.mechanism {
                    SaslMechanism::Plain => "PLAIN",
                    SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
                    SaslMechanism::ScramSha512 => "SCRAM-SHA-512",
                },
            )
            .set("sasl.username", &login.user)
            .set("sasl.password", login.password.expose());
    }
    if let Some(tls) = &endpoint.tls {
        config.set("ssl.endpoint.identification.algorithm", "https");
        match &tls.ca_pem {
            Some(ca) => config.set("ssl.ca.pem", ca),
            // The usual places of a system's authorities, wherever this OpenSSL was built.
            None => config.set("ssl.ca.location", "probe"),
        };
        if let Some(identity) = &tls.identity {
            config
                .set("ssl.certificate.pem", &identity.certificate_pem)
                .set("ssl.key.pem", identity.key_pem.expose());
        }
    }
    config
}

/// A client that asks, and reads no messages.
pub(super) struct Reader {
    consumer: BaseConsumer<Connections>,
    connections: Connections,
    endpoint: KafkaEndpoint,
}

impl Reader {
    pub(super) fn new(
        consumer: BaseConsumer<Connections>,
        connections: Connections,
        endpoint: KafkaEndpoint,
    ) -> Self {
        Self { consumer, connections, endpoint }
    }

    pub(super) fn consumer(&self) -> &BaseConsumer<Connections> {
        &self.consumer
    }

    /// The cluster's brokers, and one topic or all. Blocks.
    pub(super) fn metadata(&self, topic: Option<&str>) -> Result<Metadata, DriverError> {
        let deadline = Instant::now() + METADATA_TIMEOUT;
        let mut step = FIRST_STEP;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let error = match self.consumer.fetch_metadata(topic, left.min(step)) {
                Ok(metadata) => {
                    self.listen(Duration::ZERO);
                    self.connections.answered();
                    return Ok(metadata);
                }
                Err(error) => error,
            };
            let operation = match topic {
                Some(topic) => format!("metadata of {topic} from {}", self.endpoint.bootstrap),
                None => format!("metadata from {}", self.endpoint.bootstrap),
            };
            let plain = kafka_error(&operation, &error);
            if !matches!(plain.kind(), ErrorKind::Timeout | ErrorKind::Connection) {
                return Err(plain);
            }
            self.listen(PAUSE);
            let trouble = self.connections.trouble();
            let over = Instant::now() + PAUSE >= deadline;
            match trouble {
                Some(trouble) if over || trouble.is_final() => {
                    return Err(self.diagnose(trouble).into_error(&operation));
                }
                _ if over => return Err(plain),
                _ => step *= 2,
            }
        }
    }

    /// Takes up what librdkafka has queued: logs and errors, which go to `connections`. Messages never come,
    /// since nothing is subscribed to.
    fn listen(&self, timeout: Duration) {
        let until = Instant::now() + timeout;
        while self.consumer.poll(until.saturating_duration_since(Instant::now())).is_some()
            && Instant::now() < until
        {}
    }

    /// Adds what to do to a connection closed without a word, and asks the broker itself what is wrong where
    /// librdkafka only knows that a certificate or the protocol is.
    fn diagnose(&self, trouble: Trouble) -> Trouble {
        if self.endpoint.tls.is_none() && trouble.is_hang_up() {
            let reason = format!(
                "{}; if this is the broker's TLS port, switch TLS on for it; if it asks for a login, give one",
                trouble.reason
            );
            return Trouble { reason, ..trouble };
        }
        let (Some(tls), Some(broker)) = (&self.endpoint.tls, &trouble.broker) else {
            return trouble;
        };
        // A broker without TLS may also answer a handshake by closing the connection.
        let hang_up = trouble.is_hang_up();
        if !hang_up && !matches!(trouble.kind, ErrorKind::Certificate | ErrorKind::Protocol) {
            return trouble;
        }
        let address = broker
            .rsplit_once(':')
            .and_then(|(host, port)| Some((host.trim_matches(['[', ']']), port.parse().ok()?)));
        let found =
            address.and_then(|(host, port)| try_handshake(host, port, tls, DIAGNOSIS_TIMEOUT));
        match found {
            Some(found) => {
                Trouble { kind: found.kind(), broker: trouble.broker, reason: found.to_string() }
            }
            None if hang_up => {
                let reason = format!(
                    "{}; if the broker's port is not a TLS one, switch TLS off for it",
                    trouble.reason
                );
                Trouble { reason, ..trouble }
            }
            None => trouble,
        }
    }
}
