//! The real program, started as a user would.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use odg_reports::Run;
use odg_reports::record::{OperationSummary, RunRecord};
use tempfile::TempDir;

/// Runs that load a whole stack take turns: two at once would measure each other.
static TURN: Mutex<()> = Mutex::new(());

/// Waits for this test's turn to load the machine.
pub fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place of its own for one test: runs and private directories of servers go there.
pub struct Place {
    dir: TempDir,
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

impl Place {
    /// A new, empty place, on disk rather than in memory.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("odg-tests-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .tempdir_in("/var/tmp")
            .unwrap_or_else(|e| panic!("a temporary directory: {e}"));
        for name in ["work", "runs"] {
            fs::create_dir(dir.path().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        }
        Self { dir }
    }

    /// Where the servers' private directories go.
    pub fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    /// Where the run directories go.
    pub fn runs(&self) -> PathBuf {
        self.dir.path().join("runs")
    }

    /// The only run in this place.
    pub fn only_run(&self) -> PathBuf {
        let runs: Vec<PathBuf> =
            fs::read_dir(self.runs()).into_iter().flatten().flatten().map(|e| e.path()).collect();
        assert_eq!(runs.len(), 1, "one run directory, not {runs:?}");
        runs.into_iter().next().unwrap_or_default()
    }

    /// What the servers left in their private directories; empty is right.
    pub fn leftovers(&self) -> Vec<PathBuf> {
        fs::read_dir(self.work()).into_iter().flatten().flatten().map(|e| e.path()).collect()
    }

    /// A program of these shell lines, to take a server's place. Another process writes it: a copy of an open
    /// file that a concurrent fork of this one holds would make starting it fail with ETXTBSY.
    pub fn program(&self, body: &str) -> PathBuf {
        let path = self.dir.path().join("program");
        let write = "printf '#!/bin/sh\\n%s\\n' \"$2\" >\"$1\" && chmod 755 \"$1\"";
        let written = Command::new("sh").args(["-c", write, "sh"]).arg(&path).arg(body).status();
        assert!(written.is_ok_and(|status| status.success()), "write {}", path.display());
        path
    }

    /// A file in this place that its owner alone may read.
    pub fn private_file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(&path, private).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        path
    }

    /// Everything that runs in this place wrote, as text.
    pub fn written(&self) -> String {
        let mut text = String::new();
        collect(&self.runs(), &mut text);
        text
    }

    /// The program with these arguments, in this place.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env("ODG_BENCH_WORK_DIR", self.work())
            .stdin(Stdio::null());
        command
    }

    /// A run with these further arguments, to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(&run_arguments(arguments))
            .output()
            .unwrap_or_else(|e| panic!("start odg-bench: {e}"))
    }

    /// A run with these further arguments, in the background.
    pub fn start(&self, arguments: &[&str]) -> Started {
        Started::new(&mut self.command(&run_arguments(arguments)))
    }

    /// Waits until the run in this place has journalled at least `intervals` intervals.
    pub fn await_intervals(&self, intervals: usize, patience: Duration) {
        let deadline = Instant::now() + patience;
        loop {
            let journal = fs::read_dir(self.runs())
                .into_iter()
                .flatten()
                .flatten()
                .find_map(|run| fs::read_to_string(run.path().join("journal.jsonl")).ok());
            let seen = journal.map_or(0, |j| j.matches(r#"{"type":"interval""#).count());
            if seen >= intervals {
                return;
            }
            assert!(Instant::now() < deadline, "only {seen} of {intervals} intervals came");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn collect(dir: &Path, text: &mut String) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, text);
        } else {
            text.push_str(&String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()));
        }
    }
}

/// A program in the background, its output kept. Dropping it kills it, so that a test that fails leaves
/// nothing running.
pub struct Started(Option<Child>);

impl Started {
    /// Starts it.
    pub fn new(command: &mut Command) -> Self {
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("start odg-bench: {e}"));
        Self(Some(child))
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.0.as_ref().map_or(0, |child| child.id() as i32)
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub fn kill(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Waits for its end.
    pub fn output(mut self) -> Output {
        let child = self.0.take().unwrap_or_else(|| panic!("it was started"));
        child.wait_with_output().unwrap_or_else(|e| panic!("wait for odg-bench: {e}"))
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.kill();
    }
}

fn run_arguments<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["run", "--runs-dir", "runs", "--quiet", "--output", "json"];
    all.extend_from_slice(arguments);
    all
}

/// The program beside this test: `cargo test --workspace` and `cargo build` put it there.
///
/// # Panics
/// Where it is missing or, when first asked for, older than its sources.
pub fn program() -> PathBuf {
    static CHECKED: OnceLock<PathBuf> = OnceLock::new();
    let find = || {
        let test = std::env::current_exe().unwrap_or_default();
        let program = test.ancestors().nth(2).unwrap_or(Path::new("")).join("odg-bench");
        let shown = program.display();
        assert!(program.exists(), "{shown} is missing: run `cargo build` first");
        if let Some(source) = newer_source(&program) {
            panic!("{shown} is older than {}: run `cargo build` first", source.display());
        }
        program
    };
    CHECKED.get_or_init(find).clone()
}

/// A file that the program was built from and that has changed since, by the list that cargo leaves beside it.
fn newer_source(program: &Path) -> Option<PathBuf> {
    let modified = |path: &Path| path.metadata().and_then(|meta| meta.modified()).ok();
    let built = modified(program)?;
    let list = fs::read_to_string(program.with_extension("d")).ok()?;
    let (_, sources) = list.lines().next()?.split_once(": ")?;
    let sources = sources.replace("\\ ", "\0");
    let mut sources = sources.split(' ').map(|path| PathBuf::from(path.replace('\0', " ")));
    sources.find(|source| modified(source).is_some_and(|changed| changed > built))
}

/// Standard error of a finished program.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The record of a run that printed it.
pub fn record(output: &Output) -> RunRecord {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("no record on standard output: {e}; {}", stderr(output)))
}

/// The record in a run directory.
pub fn read(dir: &Path) -> RunRecord {
    Run::open(dir).unwrap_or_else(|e| panic!("{e}")).record
}

/// An operation of a record.
pub fn operation<'a>(record: &'a RunRecord, name: &str) -> &'a OperationSummary {
    record
        .operations
        .iter()
        .find(|o| o.name == name)
        .unwrap_or_else(|| panic!("the record has no operation {name}"))
}
