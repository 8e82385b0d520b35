//! One way to have a component on this machine.

use std::path::PathBuf;
use std::time::Duration;

use futures::future::BoxFuture;
use odg_profiles::Component;
use odg_reports::record::Fidelity;

use crate::provider::ProviderError;
pub(super) use crate::provider::answer::Answer;
pub(super) use crate::provider::password::random_password;

use super::process::{Process, log_tail};
use super::reaper::Reaper;
use super::search::{NotFound, Search};

/// What a candidate is, wherever it is found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity {
    /// Component.
    pub component: Component,
    /// Stable identifier, as `ODG_BENCH_IMPLEMENTATION_…` takes it.
    pub id: &'static str,
    /// Product, for people.
    pub product: &'static str,
    /// Real, compatible or fake.
    pub fidelity: Fidelity,
    /// What a reader of its figures must know.
    pub note: Option<&'static str>,
}

/// An implementation of a component that can be started here.
pub(super) trait Candidate: Send + Sync {
    /// What it is.
    fn identity(&self) -> Identity;
    /// Looks for it; starts no server.
    fn find(&self, search: &Search) -> Result<Found, NotFound>;
    /// Starts it and waits until it has answered a real request.
    fn start<'a>(
        &'a self,
        search: &'a Search,
        site: &'a Site<'a>,
    ) -> BoxFuture<'a, Result<Started, ProviderError>>;
}

/// A candidate that is there.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    /// Program or directory; absent for what runs inside this process.
    pub path: Option<PathBuf>,
    /// Version, where the installation tells.
    pub version: Option<String>,
}

/// Where and how a candidate is started.
pub(super) struct Site<'a> {
    /// Component.
    pub component: Component,
    /// Product, for messages.
    pub product: &'static str,
    /// Directory of its own.
    pub dir: PathBuf,
    /// Its log.
    pub log: PathBuf,
    /// Whom to tell of a new process.
    pub reaper: &'a Reaper,
    /// How long it may take until it answers.
    pub ready_timeout: Duration,
}

impl Site<'_> {
    pub(super) fn failed_to_start(&self, status: &str) -> ProviderError {
        ProviderError::FailedToStart {
            component: self.component,
            implementation: self.product.to_owned(),
            status: status.to_owned(),
            log_tail: log_tail(&self.log),
        }
    }

    pub(super) fn not_ready(&self, last_error: &str) -> ProviderError {
        ProviderError::NotReady {
            component: self.component,
            implementation: self.product.to_owned(),
            after: self.ready_timeout,
            last_error: last_error.to_owned(),
            log_tail: log_tail(&self.log),
        }
    }

    pub(super) fn missing(&self, not_found: NotFound) -> ProviderError {
        ProviderError::MissingComponent {
            component: self.component,
            tried: not_found.tried,
            install_hint: not_found.hint,
        }
    }
}

/// A candidate that answers.
pub(super) struct Started {
    /// Where.
    pub answer: Answer,
    /// Version, as it reports it itself.
    pub version: String,
    /// What runs.
    pub running: Running,
}

/// What runs for a component.
pub(super) enum Running {
    /// A server of its own.
    Process(Process),
    /// A fake inside this process.
    Inside(Box<dyn Inside>),
}

/// A fake inside this process. Dropping it ends it.
pub(super) trait Inside: Send {
    /// Whether it has ended by itself.
    fn has_ended(&self) -> bool;
}
