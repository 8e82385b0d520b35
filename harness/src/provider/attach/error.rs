//! What can be wrong with endpoints, each in one line. No message repeats a value: it may be a secret in the
//! wrong place.

use std::path::PathBuf;

/// Endpoints that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointsError {
    /// The file could not be read.
    #[error("{}: cannot be read: {reason}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// A line of the file is wrong.
    #[error("{}:{line}: {message}", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: u64,
        /// What is wrong and what would be right.
        message: String,
    },
    /// An environment variable is wrong.
    #[error("environment variable {variable}: {message}")]
    Variable {
        /// Its name.
        variable: String,
        /// What is wrong and what would be right.
        message: String,
    },
    /// Neither a file nor a variable gives an endpoint.
    #[error(
        "no endpoint is given; name a file with --endpoints (`odg-bench endpoints sample` prints one), or \
         set variables such as ODG_BENCH_ATTACH_POSTGRES_URL"
    )]
    Nothing,
}
