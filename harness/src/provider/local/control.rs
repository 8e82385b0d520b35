//! A started local stack: watched, disturbed, stopped.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use futures::future::{BoxFuture, join_all};
use nix::sys::signal::Signal;
use odg_profiles::Component;

use crate::host::procfs;
use crate::provider::stack::STOP_ORDER;
use crate::provider::{Control, Death};

use super::candidate::Running;
use super::process::log_tail;
use super::reaper::Reaper;
use super::workdir::WorkDir;

fn named(component: Component, problem: &str) -> String {
    format!("{}: {problem}", component.name())
}

/// One component of the stack.
pub(super) struct Part {
    pub component: Component,
    pub running: Running,
    pub log: PathBuf,
}

/// Fields are dropped in this order: servers first, then their directory, then the reaper is sent home.
pub(super) struct LocalControl {
    parts: Vec<Part>,
    logs: PathBuf,
    work: WorkDir,
    reaper: Reaper,
}

impl LocalControl {
    pub(super) fn new(parts: Vec<Part>, logs: PathBuf, work: WorkDir, reaper: Reaper) -> Self {
        Self { parts, logs, work, reaper }
    }
}

impl Control for LocalControl {
    fn stop(self: Box<Self>) -> BoxFuture<'static, Vec<String>> {
        Box::pin(async move {
            let Self { mut parts, work, reaper, .. } = *self;
            parts.sort_by_key(|part| STOP_ORDER.iter().position(|&c| c == part.component));
            let mut problems = Vec::new();
            for part in &mut parts {
                if let Running::Process(process) = &mut part.running {
                    problems.extend(process.ask_to_stop().map(|p| named(part.component, &p)));
                }
            }
            // Asked in order; no server needs another to stop, so the slowest one sets the time.
            let stopping = parts.into_iter().map(|part| async move {
                let problem = match part.running {
                    Running::Process(process) => process.stopped().await,
                    Running::Inside(_) => None,
                };
                problem.map(|problem| named(part.component, &problem))
            });
            problems.extend(join_all(stopping).await.into_iter().flatten());
            let path = work.path().to_path_buf();
            drop(work);
            if path.exists() {
                problems.push(format!("{}: could not be removed", path.display()));
            }
            drop(reaper);
            problems
        })
    }

    fn died(&mut self) -> Option<Death> {
        self.parts.iter_mut().find_map(|part| {
            let status = match &mut part.running {
                Running::Process(process) => process.status()?.to_string(),
                Running::Inside(inside) if inside.has_ended() => "its task ended".to_owned(),
                Running::Inside(_) => return None,
            };
            Some(Death { component: part.component, status, last_log_lines: log_tail(&part.log) })
        })
    }

    fn processes(&self) -> Vec<(Component, Vec<i32>)> {
        let all = procfs::processes();
        let known: HashMap<i32, bool> =
            all.iter().map(|stat| (stat.pid, stat.is_alive())).collect();
        self.parts
            .iter()
            .map(|part| {
                let mut pids: Vec<i32> = match &part.running {
                    Running::Process(process) => procfs::trees(&all, &[process.pid()])
                        .into_iter()
                        .filter(|pid| known.get(pid) == Some(&true))
                        .collect(),
                    Running::Inside(_) => Vec::new(),
                };
                pids.sort_unstable();
                (part.component, pids)
            })
            .collect()
    }

    fn log_dir(&self) -> &Path {
        &self.logs
    }

    fn data_dir(&self) -> &Path {
        self.work.path()
    }

    fn signal(&self, component: Component, signal: Signal) -> io::Result<()> {
        let part = self.parts.iter().find(|part| part.component == component);
        match part.map(|part| &part.running) {
            Some(Running::Process(process)) => process.signal(signal),
            Some(Running::Inside(_)) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!("{} is a fake inside this process and takes no signals", component.name()),
            )),
            None => Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("{} is not part of this stack", component.name()),
            )),
        }
    }
}
