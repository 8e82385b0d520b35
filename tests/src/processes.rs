//! Processes that a run started, found through `/proc`.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A living process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// Its parent's id.
    pub parent: i32,
    /// Short name.
    pub name: String,
    /// When it started, in clock ticks since boot: with the id, it names a process for good.
    pub start_ticks: u64,
}

/// Every living process (zombies are dead).
pub fn all() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(read)
        .collect()
}

fn read(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (head, tail) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = tail.split_whitespace().collect();
    if *fields.first()? == "Z" {
        return None;
    }
    let name = head.split_once('(')?.1.to_owned();
    let parent = fields.get(1)?.parse().ok()?;
    Some(Process { pid, parent, name, start_ticks: fields.get(19)?.parse().ok()? })
}

/// Everything that descends from `ancestor`, itself left out.
pub fn descendants(ancestor: i32) -> Vec<Process> {
    let all = all();
    let mut found: Vec<Process> = Vec::new();
    let mut frontier = vec![ancestor];
    while let Some(parent) = frontier.pop() {
        for process in all.iter().filter(|p| p.parent == parent) {
            frontier.push(process.pid);
            found.push(process.clone());
        }
    }
    found
}

/// Descendants of `ancestor` whose name starts with `name`.
pub fn named(ancestor: i32, name: &str) -> Vec<Process> {
    descendants(ancestor).into_iter().filter(|p| p.name.starts_with(name)).collect()
}

/// Descendants of `ancestor` with this argument on their command line.
pub fn with_argument(ancestor: i32, argument: &str) -> Vec<Process> {
    let has = |p: &Process| {
        let line = fs::read(format!("/proc/{}/cmdline", p.pid)).unwrap_or_default();
        line.split(|&byte| byte == 0).any(|word| word == argument.as_bytes())
    };
    descendants(ancestor).into_iter().filter(has).collect()
}

/// Living processes that work in `dir`.
pub fn working_in(dir: &Path) -> Vec<Process> {
    let works = |p: &Process| {
        fs::read_link(format!("/proc/{}/cwd", p.pid)).is_ok_and(|d| d.starts_with(dir))
    };
    all().into_iter().filter(works).collect()
}

/// Sends a signal to each process; those that are gone already are fine.
pub fn signal(processes: &[Process], signal: Signal) {
    for process in processes {
        let _ = kill(Pid::from_raw(process.pid), signal);
    }
}

/// Those of the processes that are still alive after at most `patience`.
pub fn survivors(processes: &[Process], patience: Duration) -> Vec<Process> {
    let deadline = Instant::now() + patience;
    loop {
        let alive: Vec<Process> = processes
            .iter()
            .filter(|p| read(p.pid).is_some_and(|now| now.start_ticks == p.start_ticks))
            .cloned()
            .collect();
        if alive.is_empty() || Instant::now() > deadline {
            return alive;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
