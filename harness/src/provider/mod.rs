//! Providers: how a stack comes to be.
//!
//! A [`Provider`] resolves the components that a profile promises to implementations ([`Provider::plan`], no
//! side effects) and starts them ([`Provider::start`]). What it hands over is a [`Stack`]: where each component
//! answers, what answered, and the means to watch it, disturb it and stop it.

mod answer;
pub mod attach;
pub mod choose;
pub mod disk;
pub mod docker;
mod error;
mod kafka_node;
pub mod local;
mod password;
mod ports;
mod ready;
mod stack;
mod who;

use std::path::PathBuf;
use std::time::Duration;

use futures::future::BoxFuture;
use odg_profiles::Component;
use odg_reports::record::Fidelity;
use serde::Serialize;

use crate::host;
pub use error::{ProviderError, Unreachable};
pub use stack::{Control, Death, Stack};

/// How long a component may take to answer its first real request.
pub const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// A way to bring up a stack.
pub trait Provider: Send + Sync {
    /// Name, as `--provider` takes it.
    fn name(&self) -> &'static str;

    /// The components that it can bring up, in the order of [`Component::ALL`]. [`Provider::plan`] lists any
    /// other as unsupported.
    fn components(&self) -> Vec<Component>;

    /// The directory on this machine whose disk will hold the components' data when [`StartOptions`] names no
    /// other; `None` where they keep it elsewhere.
    fn data_dir_parent(&self) -> Option<PathBuf>;

    /// What to do where that disk is full, as the end of a sentence.
    fn if_disk_is_full(&self) -> &'static str {
        "free some space or name another disk in ODG_BENCH_WORK_DIR"
    }

    /// Whether the stack is somebody else's and stays when the run ends: then the run removes what it created.
    fn outlives_run(&self) -> bool;

    /// Resolves each wanted component to the best implementation that is there. Starts and writes nothing.
    ///
    /// # Errors
    /// [`ProviderError::MissingComponent`] where a component has no implementation on this machine, and
    /// [`ProviderError::UnknownImplementation`] where one was asked for by a name that does not exist.
    fn plan<'a>(&'a self, wanted: &'a [Component]) -> BoxFuture<'a, Result<Plan, ProviderError>>;

    /// Starts what was planned and waits until every component has answered a real request. On any error,
    /// and when the future is dropped, everything already started is ended and removed again.
    ///
    /// # Errors
    /// A component that fails to start or to answer, named with its last log lines; a full disk; a file or
    /// process that the system refuses.
    fn start<'a>(
        &'a self,
        plan: &'a Plan,
        options: StartOptions,
    ) -> BoxFuture<'a, Result<Stack, ProviderError>>;
}

/// What would start.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Plan {
    /// One choice per component, in the order in which they were wanted.
    pub choices: Vec<Choice>,
    /// Wanted components that this provider cannot bring up at all (a GPU, three zones …).
    pub unsupported: Vec<Component>,
    /// What all of them share; `None` where they are elsewhere.
    pub machine: Option<Machine>,
    /// Whether that machine is only taken to be theirs: an address on it may be a forwarded port of another one.
    #[serde(skip)]
    pub machine_is_presumed: bool,
}

/// What the servers of a stack may use together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Logical CPUs.
    pub cores: u32,
    /// Memory, in bytes; 0 where it is not known.
    pub memory_bytes: u64,
}

impl Machine {
    /// This machine, as far as this process may use it.
    pub fn this() -> Self {
        Self { cores: host::cores(), memory_bytes: host::memory_bytes() }
    }
}

/// The implementation that was chosen for one component.
#[derive(Debug, Clone, Serialize)]
pub struct Choice {
    /// Component.
    pub component: Component,
    /// Stable identifier of the implementation, as `ODG_BENCH_IMPLEMENTATION_…` takes it.
    pub implementation: String,
    /// Product, for people.
    pub name: String,
    /// Version as installed, where the installation tells.
    pub version: Option<String>,
    /// Program or directory; absent for what runs inside this process.
    pub path: Option<PathBuf>,
    /// Real, compatible or fake.
    pub fidelity: Fidelity,
    /// What a reader must know.
    pub note: Option<String>,
}

/// How to start a plan.
#[derive(Debug, Clone)]
pub struct StartOptions {
    /// The run's id; it labels everything that is started.
    pub run_id: String,
    /// Directory under which the private directory is made; [`Provider::data_dir_parent`] without one.
    pub parent_dir: Option<PathBuf>,
    /// Directory for `<component>.log`; a part of the private directory without one. Logs in a directory
    /// named here outlive the stack.
    pub log_dir: Option<PathBuf>,
    /// How the process is started that cleans up after a killed odg-bench.
    pub reaper: local::reaper::ReaperCommand,
    /// How long each component may take until it answers.
    pub ready_timeout: Duration,
}

impl StartOptions {
    /// The usual options for a run.
    pub fn new(run_id: impl Into<String>) -> Self {
        Self {
            run_id: run_id.into(),
            parent_dir: None,
            log_dir: None,
            reaper: local::reaper::ReaperCommand::default(),
            ready_timeout: READY_TIMEOUT,
        }
    }
}
