//! A running server process: watching it and ending it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::host::procfs::{self, Identity, ProcessStat};
use crate::provider::ProviderError;

use super::candidate::Site;
use super::reaper;
use super::spawn::{Launch, spawn};
use crate::provider::ports;

const POLL: Duration = Duration::from_millis(10);
/// How long a process that was sent SIGKILL may take to go.
const KILL_GRACE: Duration = Duration::from_secs(5);
const TAIL_BYTES: u64 = 16 * 1024;
const TAIL_LINES: usize = 20;

/// How a server is asked to stop.
#[derive(Debug, Clone, Copy)]
pub(super) struct StopPlan {
    /// Signal that asks.
    pub signal: Signal,
    /// How long it may take before it is killed.
    pub grace: Duration,
}

/// A started server. Dropping it kills it and everything that it started.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    identity: Identity,
    status: Option<ExitStatus>,
    stop: StopPlan,
    dir: PathBuf,
    ports: Vec<u16>,
}

impl Process {
    /// Starts a server and tells the reaper. Takes over the ports that were reserved for it.
    pub(super) fn start(
        launch: &Launch,
        stop: StopPlan,
        ports: Vec<u16>,
        site: &Site<'_>,
    ) -> Result<Self, ProviderError> {
        let what = || format!("start {} ({})", site.component.name(), launch.program.display());
        let child = spawn(launch).map_err(|e| ProviderError::io(what(), e))?;
        let pid = i32::try_from(child.id()).unwrap_or(0);
        // A child that was not waited for keeps its entry, so this cannot be another process.
        let start_ticks = ProcessStat::read(pid).map_or(0, |stat| stat.start_ticks);
        let process = Self {
            child,
            identity: Identity { pid, start_ticks },
            status: None,
            stop,
            dir: launch.cwd.clone(),
            ports,
        };
        site.reaper.watch(process.identity).map_err(|e| ProviderError::io(what(), e))?;
        Ok(process)
    }

    /// Process id of the server.
    pub(super) fn pid(&self) -> i32 {
        self.identity.pid
    }

    /// Its status, once it has ended.
    pub(super) fn status(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().ok().flatten();
        }
        self.status
    }

    /// Waits for a process that ends by itself (a set-up step); refuses any status but success.
    pub(super) async fn finish(mut self, site: &Site<'_>) -> Result<(), ProviderError> {
        let deadline = Instant::now() + site.ready_timeout;
        loop {
            match self.status() {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(site.failed_to_start(&status.to_string())),
                None if Instant::now() >= deadline => {
                    return Err(site.not_ready("its set-up step still runs"));
                }
                None => tokio::time::sleep(POLL).await,
            }
        }
    }

    /// Sends a signal to the server and all its descendants.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        send(self.pid(), signal)?;
        // The server first: once stopped it starts no more children.
        for pid in procfs::trees(&procfs::processes(), &[self.pid()]) {
            if pid != self.pid() {
                match send(pid, signal) {
                    Err(error) if error.raw_os_error() != Some(Errno::ESRCH as i32) => {
                        return Err(error);
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Asks the server to stop; says so where it had ended by itself.
    pub(super) fn ask_to_stop(&mut self) -> Option<String> {
        if let Some(status) = self.status() {
            return Some(format!("had already ended with {status}"));
        }
        // A server that a fault test has stopped could not act on the request.
        let _ = self.signal(Signal::SIGCONT);
        let _ = send(self.pid(), self.stop.signal);
        None
    }

    /// Waits for a server that was asked to stop, and kills it when it takes too long; says so.
    pub(super) async fn stopped(mut self) -> Option<String> {
        let deadline = Instant::now() + self.stop.grace;
        while self.status().is_none() {
            if Instant::now() >= deadline {
                self.kill_all();
                return Some(format!(
                    "did not stop within {} s and was killed",
                    self.stop.grace.as_secs()
                ));
            }
            tokio::time::sleep(POLL).await;
        }
        None
    }

    /// Kills the server and whatever else works in its directory (PostgreSQL's sessions can outlive it).
    fn kill_all(&mut self) {
        let deadline = Instant::now() + KILL_GRACE;
        loop {
            let living = reaper::at_work(&self.dir, &[self.identity]);
            if living.is_empty() && self.status().is_some() || Instant::now() >= deadline {
                return;
            }
            for pid in living {
                let _ = send(pid, Signal::SIGKILL);
            }
            std::thread::sleep(POLL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_all();
        ports::release(&self.ports);
    }
}

fn send(pid: i32, signal: Signal) -> io::Result<()> {
    kill(Pid::from_raw(pid), signal).map_err(io::Error::from)
}

/// The last lines of a log, without reading the whole of it.
pub(super) fn log_tail(path: &Path) -> Vec<String> {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.iter().skip(lines.len().saturating_sub(TAIL_LINES)).map(|&line| line.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_of_a_log_is_its_last_lines_whatever_its_length_and_encoding() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("a.log");
        let mut bytes = vec![0xff; 100_000];
        bytes.extend((0..50).flat_map(|n| format!("\nline {n}\n").into_bytes()));
        std::fs::write(&log, bytes).unwrap();
        let tail = log_tail(&log);
        assert_eq!((tail.len(), tail[19].as_str()), (TAIL_LINES, "line 49"));
        assert!(log_tail(&dir.path().join("none")).is_empty());
    }
}
