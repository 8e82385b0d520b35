//! What can go wrong while a stack comes up.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use odg_profiles::Component;
use odg_profiles::units::format_bytes;

/// Why a stack could not be planned or started. `Display` is one line; the server's last words are kept
/// apart, in [`ProviderError::log_tail`].
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// No implementation of a component is on this machine.
    #[error("{}: not found (looked for {}); to add it: {install_hint}", component.name(), tried.join(", "))]
    MissingComponent {
        /// Component.
        component: Component,
        /// Where it was looked for.
        tried: Vec<String>,
        /// Command that would add it.
        install_hint: String,
    },
    /// An implementation was asked for by a name that does not exist.
    #[error("{}: no implementation is called {asked:?}; there are: {}", component.name(), known.join(", "))]
    UnknownImplementation {
        /// Component.
        component: Component,
        /// Name that was asked for.
        asked: String,
        /// Names that exist.
        known: Vec<&'static str>,
    },
    /// A server ended before it was ready.
    #[error("{}: {implementation} did not start: it ended with {status}", component.name())]
    FailedToStart {
        /// Component.
        component: Component,
        /// Product.
        implementation: String,
        /// Exit status or signal, for people.
        status: String,
        /// Last lines of its log.
        log_tail: Vec<String>,
    },
    /// A server runs and does not answer.
    #[error(
        "{}: {implementation} did not answer within {:.0} s ({last_error})",
        component.name(), after.as_secs_f64()
    )]
    NotReady {
        /// Component.
        component: Component,
        /// Product.
        implementation: String,
        /// How long it was waited for.
        after: Duration,
        /// What the last attempt said.
        last_error: String,
        /// Last lines of its log.
        log_tail: Vec<String>,
    },
    /// Endpoints of a stack that was attached to do not answer, or refuse: one line each.
    #[error("{}", lines(.0))]
    Unreachable(Vec<Unreachable>),
    /// The disk has not enough room for what is planned.
    #[error(
        "{}: {} free and {} needed; {remedy}",
        path.display(), format_bytes(*free_bytes), format_bytes(*needed_bytes)
    )]
    DiskFull {
        /// Directory that was looked at.
        path: PathBuf,
        /// Bytes free for this user.
        free_bytes: u64,
        /// Bytes needed.
        needed_bytes: u64,
        /// What to do.
        remedy: &'static str,
    },
    /// A container engine, an image or a container.
    #[error(transparent)]
    Docker(#[from] super::docker::DockerError),
    /// The system refused a file, a port or a process.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried, with its path.
        what: String,
        /// The system's answer.
        source: io::Error,
    },
}

/// An endpoint that did not answer as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreachable {
    /// Component, as a record names it.
    pub component: String,
    /// Address, without credentials.
    pub address: String,
    /// What went wrong.
    pub reason: String,
}

fn lines(all: &[Unreachable]) -> String {
    let line = |one: &Unreachable| format!("{} at {}: {}", one.component, one.address, one.reason);
    all.iter().map(line).collect::<Vec<_>>().join("\n")
}

impl ProviderError {
    /// The last lines of the log of the server that failed; empty where no server is to blame.
    pub fn log_tail(&self) -> &[String] {
        match self {
            Self::FailedToStart { log_tail, .. } | Self::NotReady { log_tail, .. } => log_tail,
            _ => &[],
        }
    }

    pub(crate) fn io(what: impl Into<String>, source: io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }
}
