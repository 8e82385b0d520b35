//! What can go wrong at a driver, as kinds that can be counted.

use std::error::Error;
use std::fmt;

use crate::tls;

/// Why an operation failed, coarse enough to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorKind {
    /// No answer within the operation's time-out.
    Timeout,
    /// The connection could not be opened, or broke.
    Connection,
    /// The server turned the request down: wrong password, missing permission, bad argument.
    Refused,
    /// A certificate is not accepted: the server's not by this client, or this client's not by the server.
    Certificate,
    /// The server asked for less load.
    Throttled,
    /// The named thing does not exist.
    NotFound,
    /// The thing exists already, or another transaction got in the way.
    Conflict,
    /// An answer that the protocol does not allow, or that this client cannot read.
    Protocol,
    /// The server failed.
    Server,
    /// A queue, a stream or a disk is full.
    Full,
    /// Given up on purpose before it ended.
    Cancelled,
}

impl ErrorKind {
    /// Every kind, in the order of declaration.
    pub const ALL: [Self; 11] = [
        Self::Timeout,
        Self::Connection,
        Self::Refused,
        Self::Certificate,
        Self::Throttled,
        Self::NotFound,
        Self::Conflict,
        Self::Protocol,
        Self::Server,
        Self::Full,
        Self::Cancelled,
    ];

    /// The word under which errors of this kind are counted.
    pub fn label(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::Refused => "refused",
            Self::Certificate => "certificate",
            Self::Throttled => "throttled",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Protocol => "protocol",
            Self::Server => "server",
            Self::Full => "full",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

/// A failed operation: which system, what was asked, why it failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{system}: {operation}: {reason} ({kind})")]
pub struct DriverError {
    kind: ErrorKind,
    system: &'static str,
    operation: String,
    reason: String,
    retryable: bool,
    retries: u32,
}

impl DriverError {
    /// A failure of `kind`. Broken connections and throttling may be tried again; the rest may not.
    pub(crate) fn new(
        kind: ErrorKind,
        system: &'static str,
        operation: impl Into<String>,
        reason: impl fmt::Display,
    ) -> Self {
        // One line, whatever the client library put into its text.
        let reason = reason.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        Self {
            kind,
            system,
            operation: operation.into(),
            reason,
            retryable: matches!(kind, ErrorKind::Connection | ErrorKind::Throttled),
            retries: 0,
        }
    }

    /// An operation that was given up `after` so long.
    pub fn timeout(
        system: &'static str,
        operation: impl Into<String>,
        after: std::time::Duration,
    ) -> Self {
        let reason = format!("no answer within {:.1} s", after.as_secs_f64());
        Self::new(ErrorKind::Timeout, system, operation, reason)
    }

    /// An answer that came and is not what must be.
    pub fn wrong_answer(
        system: &'static str,
        operation: impl Into<String>,
        reason: impl fmt::Display,
    ) -> Self {
        Self::new(ErrorKind::Protocol, system, operation, reason)
    }

    pub(crate) fn retryable(mut self, retryable: bool) -> Self {
        self.retryable = retryable;
        self
    }

    /// The same error, with what to do about it.
    pub(crate) fn advise(mut self, advice: &str) -> Self {
        self.reason = format!("{}; {advice}", self.reason);
        self
    }

    pub(crate) fn after_retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Why it failed.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the same operation may be tried again without doing it twice.
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }

    /// How often the driver tried again before it gave up.
    pub fn retries(&self) -> u32 {
        self.retries
    }

    /// The system that was asked, in the profile's spelling (`kafka`, `postgresql` …).
    pub fn system(&self) -> &'static str {
        self.system
    }
}

impl From<crate::audit::AuditError> for DriverError {
    fn from(error: crate::audit::AuditError) -> Self {
        Self::new(ErrorKind::Refused, "postgresql", "chain audit event", error)
    }
}

/// The error and all its causes on one line: client libraries keep the reason in the source.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// The error and all its causes. The `source` of an I/O error or of a shared one skips the error that it wraps,
/// which is where TLS libraries put theirs; here it is visited.
pub(crate) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    type Shared = std::sync::Arc<dyn Error + Send + Sync>;
    std::iter::successors(Some(error), |&error| {
        if let Some(shared) = error.downcast_ref::<Shared>() {
            return Some(&**shared as &(dyn Error + 'static));
        }
        match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(wrapped) => Some(wrapped as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

/// The first I/O error among the causes, if any.
pub(crate) fn io_cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a std::io::Error> {
    causes(error).find_map(|cause| cause.downcast_ref::<std::io::Error>())
}

/// What a TLS library among the causes has to say, as a driver error.
pub(crate) fn tls_error(
    system: &'static str,
    operation: &str,
    error: &(dyn Error + 'static),
) -> Option<DriverError> {
    let tls = causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>())?;
    let trouble = tls::explain(tls)?;
    Some(DriverError::new(trouble.kind(), system, operation, trouble))
}

#[cfg(test)]
mod tests {
    use super::{DriverError, ErrorKind};

    #[test]
    fn an_error_is_one_line_that_names_system_operation_and_kind() {
        let error = DriverError::new(ErrorKind::Refused, "redis", "SET k", "WRONGPASS\n  invalid");
        assert_eq!(error.to_string(), "redis: SET k: WRONGPASS invalid (refused)");
    }

    #[test]
    fn only_broken_connections_and_throttling_are_retryable_by_themselves() {
        for kind in ErrorKind::ALL {
            let expected = matches!(kind, ErrorKind::Connection | ErrorKind::Throttled);
            assert_eq!(DriverError::new(kind, "s3", "get", "x").is_retryable(), expected, "{kind}");
        }
    }
}
