//! sqlx's errors and PostgreSQL's SQLSTATEs as countable kinds.

use sqlx::Error;

use crate::driver::error::{chain, tls_error};
use crate::driver::{DriverError, ErrorKind};

pub(super) const SYSTEM: &str = "postgresql";

pub(super) fn pg_error(operation: &str, error: &Error) -> DriverError {
    if let Some(error) = tls_error(SYSTEM, operation, error) {
        return error;
    }
    let state = match error {
        Error::Database(database) => database.code(),
        _ => None,
    };
    let (kind, retryable) = match (error, state.as_deref()) {
        (Error::Database(_), Some(state)) => of_state(state),
        (Error::Io(io), _) if io.kind() == std::io::ErrorKind::TimedOut => {
            (ErrorKind::Timeout, false)
        }
        (Error::Io(_) | Error::WorkerCrashed, _) => (ErrorKind::Connection, true),
        (Error::PoolTimedOut, _) => (ErrorKind::Timeout, false),
        (Error::PoolClosed, _) => (ErrorKind::Cancelled, false),
        (Error::RowNotFound, _) => (ErrorKind::NotFound, false),
        (Error::Configuration(_) | Error::Tls(_) | Error::InvalidArgument(_), _) => {
            (ErrorKind::Refused, false)
        }
        (Error::Database(_), None) => (ErrorKind::Server, false),
        _ => (ErrorKind::Protocol, false),
    };
    let reason = match state {
        Some(state) => format!("{} [SQLSTATE {state}]", chain(error)),
        None => chain(error),
    };
    DriverError::new(kind, SYSTEM, operation, reason).retryable(retryable)
}

/// Kind, and whether a fresh transaction may succeed. Classes: PostgreSQL manual, appendix A.
fn of_state(state: &str) -> (ErrorKind, bool) {
    match state {
        // Shut down, crashed, or not up yet.
        "57P01" | "57P02" | "57P03" => (ErrorKind::Connection, true),
        "57014" | "55P03" => (ErrorKind::Timeout, false),
        // Serialization failure, deadlock: the transaction was rolled back whole.
        "40001" | "40P01" => (ErrorKind::Conflict, true),
        "3D000" | "3F000" | "42P01" => (ErrorKind::NotFound, false),
        "53300" => (ErrorKind::Throttled, true),
        _ => match state.get(..2).unwrap_or_default() {
            "08" => (ErrorKind::Connection, true),
            "23" | "40" => (ErrorKind::Conflict, false),
            "53" => (ErrorKind::Full, false),
            "0A" | "22" | "28" | "42" | "P0" => (ErrorKind::Refused, false),
            _ => (ErrorKind::Server, false),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::of_state;
    use crate::driver::ErrorKind;

    #[test]
    fn deadlocks_and_restarts_are_retried_and_constraint_violations_are_not() {
        for (state, expected) in [
            ("40P01", (ErrorKind::Conflict, true)),
            ("40001", (ErrorKind::Conflict, true)),
            ("57P01", (ErrorKind::Connection, true)),
            ("23505", (ErrorKind::Conflict, false)),
            ("28P01", (ErrorKind::Refused, false)),
            ("53100", (ErrorKind::Full, false)),
            ("57014", (ErrorKind::Timeout, false)),
            ("XX000", (ErrorKind::Server, false)),
            ("", (ErrorKind::Server, false)),
        ] {
            assert_eq!(of_state(state), expected, "{state}");
        }
    }
}
