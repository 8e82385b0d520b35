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
use time::OffsetDateTime;

use super::blocking::block_on;
use super::container::Container;
use super::engine::Engine;
use super::error::words;
use super::guard::Guard;
use crate::provider::stack::STOP_ORDER;
use crate::provider::{Control, Death};

/// Longest that asking all servers to stop may take: the slowest one's own time, and an engine that is busy.
const STOP_WITHIN: Duration = Duration::from_secs(60);
/// How long an engine may take to say that it is there.
const PING_WITHIN: Duration = Duration::from_secs(10);

/// Dropping it stops watching, and its guard removes everything.
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
        part.map(|part| part.id.clone()).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                format!("{} is not part of this stack", component.name()),
            )
        })
    }
}

impl Control for DockerControl {
    fn stop(mut self: Box<Self>) -> BoxFuture<'static, Vec<String>> {
        Box::pin(async move {
            let docker = self.engine.docker.clone();
            let guard = self.guard.take();
            let ping = tokio::time::timeout(PING_WITHIN, docker.ping()).await;
            if !matches!(ping, Ok(Ok(_))) {
                return guard.map(Guard::give_up).into_iter().collect();
            }
            let mut parts: Vec<Container> = self.parts.drain(..).collect();
            parts.sort_by_key(|part| STOP_ORDER.iter().position(|&c| c == part.component));
            // Asked in order; no server needs another to stop, so the slowest one sets the time.
            let stopping = join_all(parts.iter_mut().map(|part| stop_one(&docker, part)));
            let mut problems: Vec<String> = match tokio::time::timeout(STOP_WITHIN, stopping).await
            {
                Ok(problems) => problems.into_iter().flatten().collect(),
                Err(_) => vec![format!(
                    "the container engine did not stop every container within {} s; they are removed as they run",
                    STOP_WITHIN.as_secs()
                )],
            };
            if let Some(guard) = guard {
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
        let now = OffsetDateTime::now_utc();
        let rows = |part: &Container| {
            let name = part.component.name();
            let rows: Vec<ResourceRow> = part
                .watch
                .take_usage()
                .iter()
                .filter_map(|usage| usage.row(now, t_s, name))
                .collect();
            rows
        };
        self.parts.iter().flat_map(rows).collect()
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

/// Stops one container and keeps the rest of its log. Says what went wrong.
async fn stop_one(docker: &Docker, part: &mut Container) -> Option<String> {
    let component = part.component;
    let mut problem = None;
    if let Some(ended) = part.watch.ended() {
        problem = Some(format!("{}: had already ended: {}", component.name(), ended.status));
    } else {
        // A container that a fault test has frozen could not act on the request.
        let _ = docker.unpause_container(&part.id).await;
        let grace = i32::try_from(part.grace.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::new().t(grace).build();
        if let Err(error) = docker.stop_container(&part.id, Some(options)).await {
            problem =
                Some(format!("{}: could not be stopped: {}", component.name(), words(&error)));
        }
    }
    part.watch.finish_log().await;
    problem
}
