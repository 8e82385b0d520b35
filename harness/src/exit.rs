//! Exit codes, and errors that carry one.

use std::fmt;

use crate::provider::ProviderError;

/// Everything required passed.
pub const PASS: u8 = 0;
/// A requirement failed.
pub const FAIL: u8 = 1;
/// Bad usage or bad input; nothing was started.
pub const USAGE: u8 = 2;
/// The stack could not be brought up or reached.
pub const STACK: u8 = 3;
/// INVALID or INCONCLUSIVE.
pub const UNCERTAIN: u8 = 4;

/// Why the program ends without a result: one line (one for each endpoint, where several are to blame), the exit
/// code, and a server's last words where one is to blame.
#[derive(Debug)]
pub struct Failure {
    /// Exit code.
    pub code: u8,
    /// One line for each problem.
    pub message: String,
    /// Last log lines of the server that failed.
    pub log_tail: Vec<String>,
}

impl Failure {
    /// Bad usage or bad input.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self { code: USAGE, message: message.to_string(), log_tail: Vec::new() }
    }

    /// The stack could not be brought up or reached.
    pub fn stack(message: impl fmt::Display) -> Self {
        Self { code: STACK, message: message.to_string(), log_tail: Vec::new() }
    }
}

impl Failure {
    /// The record of a run could not be written.
    pub fn record(error: odg_reports::RecordError) -> Self {
        Self::stack(format!("cannot write the run's record: {error}"))
    }

    /// Ended by a signal before there was anything to keep.
    pub fn interrupted(when: &str) -> Self {
        Self {
            code: UNCERTAIN,
            message: format!("interrupted {when}; everything was stopped"),
            log_tail: Vec::new(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        let code = match error {
            ProviderError::UnknownImplementation { .. } => USAGE,
            _ => STACK,
        };
        Self { code, message: error.to_string(), log_tail: error.log_tail().to_vec() }
    }
}

/// A record that was named and cannot be read. One that cannot be written is no bad usage: see
/// [`Failure::record`].
impl From<odg_reports::RecordError> for Failure {
    fn from(error: odg_reports::RecordError) -> Self {
        Self::usage(error)
    }
}

impl From<crate::provider::attach::EndpointsError> for Failure {
    fn from(error: crate::provider::attach::EndpointsError) -> Self {
        Self::usage(error)
    }
}

impl From<odg_profiles::ProfileError> for Failure {
    fn from(error: odg_profiles::ProfileError) -> Self {
        Self::usage(error)
    }
}
