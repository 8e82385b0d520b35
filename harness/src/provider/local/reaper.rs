//! What cleans up after an odg-bench that was killed.
//!
//! Two nets, because SIGKILL cannot be caught. The *reaper* is this binary started again in its own process
//! group, reading a pipe: when the pipe closes without `done`, it ends the recorded processes and removes the
//! directory. And each server asks the kernel for SIGKILL when its parent dies (see `spawn`), which also
//! covers a `kill -9` that hits the reaper.
//!
//! A server's children may leave its process group (PostgreSQL's do) and lose their parent. Every server works
//! inside the private directory, so its processes are found by working directory as well.

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;

use crate::host::procfs::{self, Identity, ProcessStat};
use crate::provider::ProviderError;

/// The hidden subcommand under which `main` calls [`main`].
pub const SUBCOMMAND: &str = "__reaper";

const ROUND: Duration = Duration::from_millis(20);
const ROUNDS: usize = 250;

/// How the reaper is started. The default is this very binary with [`SUBCOMMAND`].
#[derive(Debug, Clone)]
pub struct ReaperCommand {
    /// Program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its whole environment.
    pub envs: Vec<(OsString, OsString)>,
}

impl Default for ReaperCommand {
    fn default() -> Self {
        // By its path it carries this program's name. The file of a binary that was replaced meanwhile is
        // reachable only through /proc, as `exe`.
        let program = std::env::current_exe().ok().filter(|path| path.exists());
        Self {
            program: program.unwrap_or_else(|| "/proc/self/exe".into()),
            args: vec![SUBCOMMAND.into()],
            envs: Vec::new(),
        }
    }
}

/// The reaper, seen from the process that it watches.
#[derive(Debug)]
pub(super) struct Reaper {
    child: Child,
    pipe: Mutex<Option<ChildStdin>>,
}

impl Reaper {
    pub(super) fn start(command: &ReaperCommand, dir: &Path) -> Result<Self, ProviderError> {
        let what = "start the process that cleans up after a killed run";
        let mut child = Command::new(&command.program)
            .args(&command.args)
            .env_clear()
            .envs(command.envs.iter().map(|(key, value)| (key, value)))
            // Outside the private directory: it must not find itself at work in there.
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| ProviderError::io(what, e))?;
        let pipe = Mutex::new(child.stdin.take());
        let reaper = Self { child, pipe };
        reaper.tell(&format!("dir {}", dir.display())).map_err(|e| ProviderError::io(what, e))?;
        Ok(reaper)
    }

    /// Records a server.
    pub(super) fn watch(&self, server: Identity) -> io::Result<()> {
        self.tell(&format!("process {} {}", server.pid, server.start_ticks))
    }

    fn tell(&self, line: &str) -> io::Result<()> {
        match self.pipe.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(pipe) => writeln!(pipe, "{line}").and_then(|()| pipe.flush()),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Drop for Reaper {
    /// Sends it home: whoever drops it has cleaned up already.
    fn drop(&mut self) {
        let _ = self.tell("done");
        *self.pipe.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let _ = self.child.wait();
    }
}

/// The reaper itself: reads its standard input to the end and, without `done`, ends and removes what it was
/// told of.
pub fn main() -> ExitCode {
    // It ends when the pipe does; what the terminal sends to everybody is not meant for it.
    let mut ignored = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
        ignored.add(signal);
    }
    let _ = ignored.thread_block();
    let mut dir = None;
    let mut servers = Vec::new();
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        match line.split_once(' ') {
            Some(("dir", path)) => dir = Some(PathBuf::from(path)),
            Some(("process", rest)) => servers.extend(parse_identity(rest)),
            _ if line == "done" => return ExitCode::SUCCESS,
            _ => {}
        }
    }
    let Some(dir) = dir else { return ExitCode::SUCCESS };
    match end_everything(&dir, &servers) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn parse_identity(text: &str) -> Option<Identity> {
    let (pid, start) = text.split_once(' ')?;
    Some(Identity { pid: pid.parse().ok()?, start_ticks: start.parse().ok()? })
}

/// Living processes that belong to a stack: the servers, their descendants and process groups, and whatever
/// works in the private directory. Never this process.
pub(super) fn at_work(dir: &Path, servers: &[Identity]) -> Vec<i32> {
    let all: Vec<ProcessStat> = procfs::processes();
    let roots: Vec<i32> =
        all.iter().filter(|stat| servers.contains(&stat.identity())).map(|stat| stat.pid).collect();
    let trees = procfs::trees(&all, &roots);
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    all.iter()
        .filter(|stat| stat.is_alive() && stat.pid != own)
        .filter(|stat| {
            trees.contains(&stat.pid)
                || roots.contains(&stat.group)
                || procfs::works_in(stat.pid, dir)
        })
        .map(|stat| stat.pid)
        .collect()
}

/// Kills what is at work until nothing is, then removes the directory.
pub(super) fn end_everything(dir: &Path, servers: &[Identity]) -> io::Result<()> {
    for _ in 0..ROUNDS {
        let living = at_work(dir, servers);
        if living.is_empty() {
            break;
        }
        for pid in living {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        thread::sleep(ROUND);
    }
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
