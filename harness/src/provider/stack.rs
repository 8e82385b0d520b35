//! A running stack.

use std::io;
use std::path::Path;

use futures::future::BoxFuture;
use nix::sys::signal::Signal;
use odg_profiles::Component;
use odg_reports::record::{Implementation, ResourceRow, Warning};
use odg_workloads::endpoint::Endpoints;

/// The way that data flows: what feeds the others first, the database that all is registered in last.
pub(in crate::provider) const STOP_ORDER: [Component; 5] =
    [Component::Kafka, Component::Nats, Component::Minio, Component::Redis, Component::Postgresql];

/// A component that ended while it was needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Death {
    /// Component.
    pub component: Component,
    /// Exit status or signal, for people.
    pub status: String,
    /// Last lines of its log.
    pub last_log_lines: Vec<String>,
}

/// What a provider can do with a stack that it started. Dropping it ends everything at once.
pub trait Control: Send {
    /// Stops every component in order and removes what the provider made; returns what went wrong.
    fn stop(self: Box<Self>) -> BoxFuture<'static, Vec<String>>;
    /// The first component found to have ended by itself.
    fn died(&mut self) -> Option<Death>;
    /// All processes of each component; empty for what runs inside this process or in a container.
    fn processes(&self) -> Vec<(Component, Vec<i32>)>;
    /// What each component used, where the provider counts it itself: a row for every count since the last call,
    /// with its own time. `t_s` is now, in seconds since the run's epoch; what was counted before the epoch is
    /// left out. Empty where [`Control::processes`] tells.
    fn resources(&self, t_s: f64) -> Vec<ResourceRow> {
        let _ = t_s;
        Vec::new()
    }
    /// Directory of `<component>.log`.
    fn log_dir(&self) -> &Path;
    /// Directory in which the components keep their data.
    fn data_dir(&self) -> &Path;
    /// Sends a signal to every process of a component.
    ///
    /// # Errors
    /// The component has no process here, or the system refuses.
    fn signal(&self, component: Component, signal: Signal) -> io::Result<()>;
}

/// A running set of components. Dropping it (a panic, a cancelled run) kills them and removes their data.
pub struct Stack {
    /// Where each component answers.
    pub endpoints: Endpoints,
    /// What answers, one per component, in the plan's order.
    pub implementations: Vec<Implementation>,
    /// Time from the start to the last component's first real answer, in milliseconds.
    pub ready_ms: u64,
    /// What a reader of its figures must know.
    pub warnings: Vec<Warning>,
    control: Box<dyn Control>,
}

impl Stack {
    /// Puts a stack together; for providers.
    pub fn new(
        endpoints: Endpoints,
        implementations: Vec<Implementation>,
        ready_ms: u64,
        control: Box<dyn Control>,
    ) -> Self {
        Self { endpoints, implementations, ready_ms, warnings: Vec::new(), control }
    }

    /// Stops every component in order and removes its data. Returns what went wrong, a line each.
    pub async fn stop(self) -> Vec<String> {
        self.control.stop().await
    }

    /// The first component found to have ended by itself. Cheap enough to ask every second.
    pub fn died(&mut self) -> Option<Death> {
        self.control.died()
    }

    /// All processes of each component, the children of its server included.
    pub fn processes(&self) -> Vec<(Component, Vec<i32>)> {
        self.control.processes()
    }

    /// As [`Control::resources`].
    pub fn resources(&self, t_s: f64) -> Vec<ResourceRow> {
        self.control.resources(t_s)
    }

    /// Directory of `<component>.log`.
    pub fn log_dir(&self) -> &Path {
        self.control.log_dir()
    }

    /// Directory in which the components keep their data.
    pub fn data_dir(&self) -> &Path {
        self.control.data_dir()
    }

    /// Sends a signal to every process of a component; for fault tests.
    ///
    /// # Errors
    /// The component has no process here (absent, or a fake inside this process), or the system refuses.
    pub fn signal(&self, component: Component, signal: Signal) -> io::Result<()> {
        self.control.signal(component, signal)
    }
}

impl std::fmt::Debug for Stack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stack")
            .field("implementations", &self.implementations)
            .field("ready_ms", &self.ready_ms)
            .finish_non_exhaustive()
    }
}
