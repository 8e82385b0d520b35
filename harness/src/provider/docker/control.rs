//! A started stack of containers: watched, disturbed, stopped.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::{KillContainerOptionsBuilder, StopContainerOptionsBuilder};
use futures::future::{BoxFuture, join_all};
use nix::sys::signal::Signal;
use odg_profiles::Component;
use odg_reports::record::ResourceRow;
use tempfile::TempDir;

use super::blocking::block_on;
use super::container::Container;
use super::engine::Engine;
use super::error::words;
use super::sweep;
use crate::provider::stack::STOP_ORDER;
use crate::provider::{Control, Death};

/// How long a container that was being created when its run ended may take to show.
const LATE: Duration = Duration::from_secs(3);

/// Removes everything of a run when dropped, unless it was told that nothing is left.
pub(super) struct Guard {
    run: String,
    clean: bool,
    late: Duration,
}

impl Guard {
    /// Guards a run whose containers are still being created.
    pub(super) fn new(run: &str) -> Self {
        Self { run: run.to_owned(), clean: false, late: LATE }
    }

    /// Every container is there: none can come up late.
    pub(super) fn complete(&mut self) {
        self.late = Duration::ZERO;
    }

    /// Removes everything now; says what could not be removed.
    pub(super) async fn remove(mut self, docker: &Docker) -> Vec<String> {
        let problems = sweep::remove_run(docker, &self.run, self.late).await;
        self.clean = true;
        problems
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.clean {
            return;
        }
        let (run, late) = (self.run.clone(), self.late);
        block_on(async move {
            let problems = match Engine::connect().await {
                Ok(engine) => sweep::remove_run(&engine.docker, &run, late).await,
                Err(error) => vec![error.to_string()],
            };
            for problem in problems {
                tracing::error!(%problem, "containers of a run were left; `odg-bench clean` removes them");
            }
        });
    }
}

/// Fields are dropped in this order, so that the guard finds what a container's own removal has missed.
pub(super) struct DockerControl {
    parts: Vec<Container>,
    guard: Option<Guard>,
    engine: Engine,
    logs: PathBuf,
    /// Where logs go that nobody named a directory for.
    _own_logs: Option<TempDir>,
}

impl DockerControl {
    pub(super) fn new(
        engine: Engine,
        parts: Vec<Container>,
        guard: Guard,
        logs: PathBuf,
        own_logs: Option<TempDir>,
    ) -> Self {
        Self { parts, guard: Some(guard), engine, logs, _own_logs: own_logs }
    }

    fn id(&self, component: Component) -> io::Result<String> {
        let part = self.parts.iter().find(|part| part.component == component);
        part.map(|part| part.handle.id().to_owned()).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                format!("{} is not part of this stack", component.name()),
            )
        })
    }
}

impl Drop for DockerControl {
    fn drop(&mut self) {
        let handles: Vec<_> = self.parts.drain(..).map(Container::into_handle).collect();
        if !handles.is_empty() {
            // The library's own way out needs the runtime that may be ending just now.
            block_on(async move {
                join_all(handles.into_iter().map(|handle| handle.rm())).await;
            });
        }
    }
}

impl Control for DockerControl {
    fn stop(mut self: Box<Self>) -> BoxFuture<'static, Vec<String>> {
        Box::pin(async move {
            let docker = self.engine.docker.clone();
            let mut parts: Vec<Container> = self.parts.drain(..).collect();
            parts.sort_by_key(|part| STOP_ORDER.iter().position(|&c| c == part.component));
            // Asked in order; no server needs another to stop, so the slowest one sets the time.
            let stopping = parts.into_iter().map(|part| stop_one(&docker, part));
            let mut problems: Vec<String> =
                join_all(stopping).await.into_iter().flatten().collect();
            if let Some(guard) = self.guard.take() {
                problems.extend(guard.remove(&docker).await);
            }
            problems
        })
    }

    fn died(&mut self) -> Option<Death> {
        self.parts.iter().find_map(|part| {
            let ended = part.watch.ended()?;
            Some(Death {
                component: part.component,
                status: ended.status,
                last_log_lines: ended.last_log_lines,
            })
        })
    }

    fn processes(&self) -> Vec<(Component, Vec<i32>)> {
        self.parts.iter().map(|part| (part.component, Vec::new())).collect()
    }

    fn resources(&self, t_s: f64) -> Vec<ResourceRow> {
        let row = |part: &Container| Some(part.watch.usage()?.row(t_s, part.component.name()));
        self.parts.iter().filter_map(row).collect()
    }

    fn log_dir(&self) -> &Path {
        &self.logs
    }

    fn data_dir(&self) -> &Path {
        self.engine.root.as_deref().unwrap_or(Path::new("/"))
    }

    /// SIGSTOP freezes the whole container and SIGCONT thaws it; any other signal goes to its first process.
    fn signal(&self, component: Component, signal: Signal) -> io::Result<()> {
        let (docker, id) = (self.engine.docker.clone(), self.id(component)?);
        let sent = block_on(async move {
            match signal {
                Signal::SIGSTOP => docker.pause_container(&id).await,
                Signal::SIGCONT => docker.unpause_container(&id).await,
                other => {
                    let options = KillContainerOptionsBuilder::new().signal(other.as_str()).build();
                    docker.kill_container(&id, Some(options)).await
                }
            }
        });
        match sent {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(io::Error::other(words(&error))),
            None => Err(io::Error::other("the system gave no thread to ask the engine")),
        }
    }
}

/// Stops one container, keeps the rest of its log, and removes it. Says what went wrong.
async fn stop_one(docker: &Docker, mut part: Container) -> Option<String> {
    let component = part.component;
    let ended = part.watch.ended();
    let id = part.handle.id().to_owned();
    let mut problem = None;
    if let Some(ended) = ended {
        problem = Some(format!("{}: had already ended: {}", component.name(), ended.status));
    } else {
        // A container that a fault test has frozen could not act on the request.
        let _ = docker.unpause_container(&id).await;
        let grace = i32::try_from(part.grace.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::new().t(grace).build();
        if let Err(error) = docker.stop_container(&id, Some(options)).await {
            problem =
                Some(format!("{}: could not be stopped: {}", component.name(), words(&error)));
        }
    }
    part.watch.finish_log().await;
    // What this misses the guard removes, and says what it could not.
    let _ = part.into_handle().rm().await;
    problem
}
