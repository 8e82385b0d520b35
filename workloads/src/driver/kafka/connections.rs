//! What librdkafka says about its connections, outside the answers to any call.
//!
//! A query that finds no usable broker ends in a time-out, whatever the reason. The reason (a password, a
//! certificate) is only logged, so it is kept here and put into the query's error.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;

use super::classify::{SYSTEM, kafka_error};
use crate::driver::{DriverError, ErrorKind};

/// The facility under which librdkafka logs connections that failed.
const FAILED: &str = "FAIL";

/// Counts failed connections of all clients of a driver, and keeps the reason of the last. librdkafka
/// reconnects by itself, without bound, so this is where dead connections show.
#[derive(Debug, Default, Clone)]
pub(super) struct Connections(Arc<State>);

#[derive(Debug, Default)]
struct State {
    failures: AtomicU64,
    last: Mutex<Option<Trouble>>,
}

/// Why a connection failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) kind: ErrorKind,
    /// `host:port` of the broker, where librdkafka names it.
    pub(super) broker: Option<String>,
    pub(super) reason: String,
}

impl Connections {
    pub(super) fn count(&self) -> u64 {
        self.0.failures.load(Ordering::Relaxed)
    }

    pub(super) fn add_one(&self) {
        self.0.failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn saw(&self, error: &KafkaError, reason: &str) {
        if kafka_error("connection", error).kind() == ErrorKind::Connection {
            self.add_one();
        }
        tracing::debug!(%error, reason, "kafka client");
    }

    /// Why the last connection failed, unless a query has succeeded since.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.last().clone()
    }

    /// A query was answered: what went wrong before is over.
    pub(super) fn answered(&self) {
        *self.last() = None;
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Option<Trouble>> {
        self.0.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Connections {
    fn error(&self, error: KafkaError, reason: &str) {
        self.saw(&error, reason);
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(?level, facility, message, "librdkafka");
        if facility == FAILED {
            let mut last = self.last();
            let trouble = Trouble::read(message);
            // Several brokers fail in turn; a closed port must not hide what another one said.
            if trouble.is_final() || !last.as_ref().is_some_and(Trouble::is_final) {
                *last = Some(trouble);
            }
        }
    }
}

impl ConsumerContext for Connections {}

impl Trouble {
    /// Reads a log line such as `[thrd:sasl_ssl://h:9/bootstrap]: sasl_ssl://h:9/bootstrap: SASL
    /// authentication error: … (after 309ms in state AUTH_REQ)`.
    fn read(line: &str) -> Self {
        let text = match line.strip_prefix("[thrd:").and_then(|rest| rest.split_once("]: ")) {
            Some((_, rest)) => rest,
            None => line,
        };
        // The broker's name: `sasl_ssl://h:9/bootstrap`, or `h:9/1` where nothing is encrypted.
        let (broker, text) = match text.split_once(": ") {
            Some((name, rest)) if name.contains('/') && !name.contains(' ') => {
                let address = name.split_once("://").map_or(name, |(_, address)| address);
                (address.split_once('/').map(|(address, _)| address.to_owned()), rest)
            }
            _ => (None, text),
        };
        let text = text.split(" (after ").next().unwrap_or(text);
        let (kind, advice) = judge(text);
        let reason = match advice {
            "" => text.to_owned(),
            advice => format!("{text}; {advice}"),
        };
        Self { kind, broker, reason }
    }

    /// Whether trying again cannot help. That a connection was closed while it was being opened makes librdkafka
    /// guess at the wrong kind of listener; a broker that restarts does the same.
    pub(super) fn is_final(&self) -> bool {
        let guessed = self.reason.contains("listener?");
        matches!(self.kind, ErrorKind::Refused | ErrorKind::Certificate | ErrorKind::Protocol)
            && !guessed
    }

    /// Whether the broker closed the connection without a word: what it does with a protocol that it does not
    /// expect.
    pub(super) fn is_hang_up(&self) -> bool {
        self.kind == ErrorKind::Connection && self.reason.contains("closed by peer")
    }

    pub(super) fn into_error(self, operation: &str) -> DriverError {
        DriverError::new(self.kind, SYSTEM, operation, self.reason)
    }
}

/// Kind of a failed connection, and what to do about it. librdkafka has one error code for most of them.
fn judge(text: &str) -> (ErrorKind, &'static str) {
    let has = |part: &str| text.contains(part);
    if has("certificate") || has("unknown ca") {
        (ErrorKind::Certificate, "")
    } else if has("nsupported SASL mechanism") {
        (ErrorKind::Refused, "use a mechanism that the broker has enabled")
    } else if has("uthentication") {
        (ErrorKind::Refused, "check user, password and mechanism")
    } else if has("connecting to a SSL listener") {
        (ErrorKind::Protocol, "if this is the broker's TLS port, switch TLS on for it")
    } else if has("PLAINTEXT broker listener")
        || has("wrong version number")
        || has("packet length too long")
        || has("record layer failure")
    {
        (ErrorKind::Protocol, "if the broker's port is not a TLS one, switch TLS off for it")
    } else if has("timed out") {
        (ErrorKind::Timeout, "")
    } else {
        (ErrorKind::Connection, "")
    }
}

#[cfg(test)]
mod tests {
    use super::Trouble;
    use crate::driver::ErrorKind;

    #[test]
    fn a_log_line_becomes_broker_kind_and_reason() {
        let trouble = Trouble::read(
            "[thrd:sasl_ssl://kafka:9093/bootstrap]: sasl_ssl://kafka:9093/bootstrap: SASL authentication \
             error: Authentication failed (after 309ms in state AUTH_REQ)",
        );
        assert_eq!(trouble.broker.as_deref(), Some("kafka:9093"));
        assert_eq!(trouble.kind, ErrorKind::Refused);
        assert!(trouble.reason.starts_with("SASL authentication error: Authentication failed; "));
        for (line, kind, last) in [
            (
                "ssl://h:1/1: SSL handshake failed: certificate verify failed",
                ErrorKind::Certificate,
                true,
            ),
            (
                "plaintext://h:1/1: Connect to ipv4#h:1 failed: Connection refused",
                ErrorKind::Connection,
                false,
            ),
            ("ssl://h:1/1: Connection setup timed out in state CONNECT", ErrorKind::Timeout, false),
        ] {
            let trouble = Trouble::read(line);
            assert_eq!((trouble.kind, trouble.is_final()), (kind, last), "{line}");
            assert!(!trouble.reason.contains("h:1/1"), "{}", trouble.reason);
        }
    }
}
