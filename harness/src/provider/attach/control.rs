//! A stack that is somebody else's: it is neither stopped nor disturbed.

use std::io;
use std::path::{Path, PathBuf};

use futures::future::BoxFuture;
use nix::sys::signal::Signal;
use odg_profiles::Component;

use crate::provider::{Control, Death};

/// No process of it is ours.
pub(super) struct AttachControl {
    logs: PathBuf,
}

impl AttachControl {
    pub(super) fn new(logs: Option<PathBuf>) -> Self {
        Self { logs: logs.unwrap_or_default() }
    }
}

impl Control for AttachControl {
    fn stop(self: Box<Self>) -> BoxFuture<'static, Vec<String>> {
        Box::pin(async { Vec::new() })
    }

    fn died(&mut self) -> Option<Death> {
        None
    }

    fn processes(&self) -> Vec<(Component, Vec<i32>)> {
        Vec::new()
    }

    fn log_dir(&self) -> &Path {
        &self.logs
    }

    fn data_dir(&self) -> &Path {
        Path::new("")
    }

    fn signal(&self, component: Component, _signal: Signal) -> io::Result<()> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            format!("{} is not odg-bench's to disturb: it was attached to", component.name()),
        ))
    }
}
