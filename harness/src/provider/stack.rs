//! A running stack.

use std::io;
use std::path::Path;

use futures::future::BoxFuture;
use nix::sys::signal::Signal;
use odg_profiles::Component;
use odg_reports::record::Implementation;
use odg_workloads::endpoint::Endpoints;

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
    /// All processes of each component; empty for what runs inside this process.
    fn processes(&self) -> Vec<(Component, Vec<i32>)>;
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
        Self { endpoints, implementations, ready_ms, control }
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
