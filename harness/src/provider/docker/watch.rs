//! What goes on in the background while a container runs: its log is kept, its use counted, its end noticed.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::models::ContainerState;
use bollard::query_parameters::{
    InspectContainerOptions, LogsOptionsBuilder, StatsOptionsBuilder, WaitContainerOptions,
};
use futures::StreamExt;
use tokio::fs::OpenOptions;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinHandle;

use super::error::{is_missing, one_line};
use super::stats::Usage;

/// Pause before a broken stream is asked for again.
const PAUSE: Duration = Duration::from_millis(200);
/// Most counts that are kept until somebody takes them: an hour of them.
const MOST_KEPT: usize = 3600;
/// Time for the rest of a log once its container has ended.
const LOG_REST: Duration = Duration::from_secs(2);
const TAIL_LINES: usize = 20;
/// What a signal's number is added to in an exit code.
const KILLED: i64 = 128;
/// The exit codes of what a signal ended: Linux has 64 of them.
const OF_SIGNALS: RangeInclusive<i64> = KILLED + 1..=KILLED + 64;

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    /// Exit code and reason, for people.
    pub status: String,
    /// Last lines of its log.
    pub last_log_lines: Vec<String>,
}

#[derive(Default)]
struct Seen {
    ended: Option<Ended>,
    /// Counts that nobody has taken yet, oldest first.
    usage: VecDeque<Usage>,
}

/// Watches one container until dropped.
pub(super) struct Watch {
    seen: Arc<Mutex<Seen>>,
    log: Option<JoinHandle<()>>,
    others: Vec<JoinHandle<()>>,
}

impl Watch {
    /// Starts to watch the container `id`; its log goes to `log`.
    pub(super) fn start(docker: &Docker, id: &str, log: PathBuf) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let of = || (docker.clone(), id.to_owned(), Arc::clone(&seen));
        let (log_docker, log_id, _) = of();
        let (stats_docker, stats_id, stats_seen) = of();
        let (end_docker, end_id, end_seen) = of();
        Self {
            log: Some(tokio::spawn(keep_log(log_docker, log_id, log))),
            others: vec![
                tokio::spawn(count(stats_docker, stats_id, stats_seen)),
                tokio::spawn(notice_end(end_docker, end_id, end_seen)),
            ],
            seen,
        }
    }

    /// How it ended, once it has.
    pub(super) fn ended(&self) -> Option<Ended> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).ended.clone()
    }

    /// What it used, one for each answer of the engine since the last call.
    pub(super) fn take_usage(&self) -> VecDeque<Usage> {
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner).usage)
    }

    /// Waits until the log of a container that has ended is complete.
    pub(super) async fn finish_log(&mut self) {
        if let Some(log) = self.log.take() {
            let abort = log.abort_handle();
            if tokio::time::timeout(LOG_REST, log).await.is_err() {
                abort.abort();
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for task in self.log.iter().chain(&self.others) {
            task.abort();
        }
    }
}

async fn keep_log(docker: Docker, id: String, path: PathBuf) {
    let file = OpenOptions::new().create(true).append(true).open(&path).await;
    let mut file = match file {
        Ok(file) => file,
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "cannot keep a container's log");
            return;
        }
    };
    let options = LogsOptionsBuilder::new().follow(true).stdout(true).stderr(true).build();
    let mut lines = docker.logs(&id, Some(options));
    while let Some(Ok(output)) = lines.next().await {
        if let Err(error) = file.write_all(&output.into_bytes()).await {
            tracing::warn!(%error, path = %path.display(), "cannot keep a container's log");
            return;
        }
    }
    let _ = file.flush().await;
}

/// The engine sends counters once a second.
async fn count(docker: Docker, id: String, seen: Arc<Mutex<Seen>>) {
    let mut before: Option<Usage> = None;
    loop {
        let options = StatsOptionsBuilder::new().stream(true).build();
        let mut answers = docker.stats(&id, Some(options));
        while let Some(answer) = answers.next().await {
            let answer = match answer {
                Ok(answer) => answer,
                Err(error) if is_missing(&error) => return,
                Err(_) => break,
            };
            if let Some(usage) = Usage::new(&answer, before.as_ref()) {
                before = Some(usage.clone());
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                if seen.usage.len() == MOST_KEPT {
                    seen.usage.pop_front();
                }
                seen.usage.push_back(usage);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn notice_end(docker: Docker, id: String, seen: Arc<Mutex<Seen>>) {
    let ended = loop {
        // Answers when the container ends; what it says is asked for again, with the reason.
        let mut waiting = docker.wait_container(&id, None::<WaitContainerOptions>);
        let _ = waiting.next().await;
        match docker.inspect_container(&id, None::<InspectContainerOptions>).await {
            Ok(inspected) => {
                let state = inspected.state.unwrap_or_default();
                if state.running != Some(true) {
                    break Ended {
                        status: status(&state),
                        last_log_lines: log_tail(&docker, &id).await,
                    };
                }
            }
            Err(error) if is_missing(&error) => {
                let status = "its container was removed".to_owned();
                break Ended { status, last_log_lines: Vec::new() };
            }
            // The engine itself may be restarting; containers can survive that.
            Err(_) => {}
        }
        tokio::time::sleep(PAUSE).await;
    };
    seen.lock().unwrap_or_else(PoisonError::into_inner).ended = Some(ended);
}

/// How a container ended, for people.
pub(super) fn status(state: &ContainerState) -> String {
    let code = state.exit_code.unwrap_or_default();
    let mut text = if OF_SIGNALS.contains(&code) {
        format!("killed by signal {} (exit code {code})", code - KILLED)
    } else {
        format!("exit code {code}")
    };
    if state.oom_killed == Some(true) {
        text = format!("out of memory: killed at the container's memory limit ({text})");
    }
    if let Some(error) = state.error.as_deref().filter(|error| !error.is_empty()) {
        text = format!("{text}: {}", one_line(error));
    }
    text
}

/// The last lines of a container's log.
pub(super) async fn log_tail(docker: &Docker, id: &str) -> Vec<String> {
    let tail = TAIL_LINES.to_string();
    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail(&tail).build();
    let mut bytes = Vec::new();
    let mut output = docker.logs(id, Some(options));
    while let Some(Ok(part)) = output.next().await {
        bytes.extend_from_slice(LogOutput::into_bytes(part).as_ref());
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<String> =
        text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_names_signal_and_memory_limit() {
        let state = |exit_code, oom_killed| ContainerState {
            exit_code: Some(exit_code),
            oom_killed: Some(oom_killed),
            ..ContainerState::default()
        };
        assert_eq!(status(&state(1, false)), "exit code 1");
        assert_eq!(status(&state(137, false)), "killed by signal 9 (exit code 137)");
        assert_eq!(status(&state(192, false)), "killed by signal 64 (exit code 192)");
        for code in [128, 193, 255] {
            assert_eq!(status(&state(code, false)), format!("exit code {code}"));
        }
        assert!(status(&state(137, true)).starts_with("out of memory"));
    }
}
