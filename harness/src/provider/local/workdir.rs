//! The private directory of a stack.

use std::env;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::host::procfs::{Identity, ProcessStat};
use crate::provider::ProviderError;

use super::reaper;

const PREFIX: &str = "odg-bench-";
const LABEL: &str = "odg-bench.json";

/// Whose directory it is: enough to tell a dead run's from a living one's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// The run's id.
    pub run_id: String,
    /// Process of odg-bench.
    pub pid: i32,
    /// Its start, in clock ticks since boot.
    pub start_ticks: u64,
}

/// A private directory, removed when dropped.
#[derive(Debug)]
pub(super) struct WorkDir {
    path: PathBuf,
}

/// Where private directories are made: `ODG_BENCH_WORK_DIR`, else `TMPDIR`, else `/var/tmp` (on disk, where
/// `/tmp` often is memory and durable writes would cost nothing), else the system's temporary directory.
pub fn default_parent() -> PathBuf {
    for name in ["ODG_BENCH_WORK_DIR", "TMPDIR"] {
        if let Some(dir) = env::var_os(name).filter(|dir| !dir.is_empty()) {
            return PathBuf::from(dir);
        }
    }
    let disk = Path::new("/var/tmp");
    if disk.is_dir() { disk.to_path_buf() } else { env::temp_dir() }
}

impl WorkDir {
    /// Makes the directory. Others may pass through it (PostgreSQL runs as another user under root) and
    /// list nothing.
    pub(super) fn create(parent: &Path, run_id: &str) -> Result<Self, ProviderError> {
        let what = || format!("make a private directory in {}", parent.display());
        let dir = tempfile::Builder::new()
            .prefix(PREFIX)
            .rand_bytes(10)
            .permissions(Permissions::from_mode(0o711))
            .tempdir_in(parent)
            .map_err(|e| ProviderError::io(what(), e))?;
        // The path is compared with what /proc says, which knows no symbolic links.
        let path = dir.path().canonicalize().map_err(|e| ProviderError::io(what(), e))?;
        let pid = i32::try_from(std::process::id()).unwrap_or(0);
        let start_ticks = ProcessStat::read(pid).map_or(0, |stat| stat.start_ticks);
        let label = Label { run_id: run_id.to_owned(), pid, start_ticks };
        let text =
            serde_json::to_string(&label).map_err(|e| ProviderError::io(what(), e.into()))?;
        write_private(&path.join(LABEL), &text)?;
        let _ = dir.keep();
        Ok(Self { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a directory of one component, closed to others.
    pub(super) fn subdir(&self, name: &str) -> Result<PathBuf, ProviderError> {
        let path = self.path.join(name);
        make_private_dir(&path)?;
        Ok(path)
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Makes a directory that only its owner can enter.
pub(super) fn make_private_dir(path: &Path) -> Result<(), ProviderError> {
    fs::create_dir(path)
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o700)))
        .map_err(|e| ProviderError::io(format!("make {}", path.display()), e))
}

/// Writes a new file that only its owner can read.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), ProviderError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|e| ProviderError::io(format!("write {}", path.display()), e))
}

/// What [`sweep`] found of a run that no longer lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// Its private directory.
    pub path: PathBuf,
    /// Whose it was.
    pub label: Label,
    /// Processes that were still at work in it.
    pub processes: usize,
    /// Why it could not be removed, where it could not.
    pub problem: Option<String>,
}

/// Finds the private directories of dead runs under `parent` and, unless `dry_run`, ends what still works in
/// them and removes them. A directory without a readable label is not ours and stays.
///
/// # Errors
/// `parent` cannot be listed.
pub fn sweep(parent: &Path, dry_run: bool) -> io::Result<Vec<Leftover>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(parent)? {
        let path = entry?.path();
        let ours = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        let Some(label) = ours.then(|| read_label(&path)).flatten() else { continue };
        if (Identity { pid: label.pid, start_ticks: label.start_ticks }).is_alive() {
            continue;
        }
        let path = path.canonicalize()?;
        let processes = reaper::at_work(&path, &[]).len();
        let problem = if dry_run {
            None
        } else {
            reaper::end_everything(&path, &[]).err().map(|e| e.to_string())
        };
        found.push(Leftover { path, label, processes, problem });
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn read_label(dir: &Path) -> Option<Label> {
    serde_json::from_str(&fs::read_to_string(dir.join(LABEL)).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_directory_is_closed_to_others_and_gone_when_dropped() {
        let parent = tempfile::tempdir().unwrap();
        let dir = WorkDir::create(parent.path(), "run").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(dir.path()), 0o711);
        assert_eq!(mode(&dir.path().join(LABEL)), 0o600);
        assert_eq!(mode(&dir.subdir("kafka").unwrap()), 0o700);
        let path = dir.path().to_path_buf();
        drop(dir);
        assert!(!path.exists());
    }

    #[test]
    fn sweeping_takes_dead_runs_and_leaves_living_and_foreign_ones() {
        let parent = tempfile::tempdir().unwrap();
        let living = WorkDir::create(parent.path(), "living").unwrap();
        let dead = parent.path().join(format!("{PREFIX}dead"));
        fs::create_dir(&dead).unwrap();
        let label = Label { run_id: "dead".into(), pid: living_pid(), start_ticks: 1 };
        fs::write(dead.join(LABEL), serde_json::to_string(&label).unwrap()).unwrap();
        let foreign = parent.path().join(format!("{PREFIX}foreign"));
        fs::create_dir(&foreign).unwrap();

        let shown = sweep(parent.path(), true).unwrap();
        assert_eq!(shown.len(), 1);
        assert!(dead.exists(), "a dry run removes nothing");
        let swept = sweep(parent.path(), false).unwrap();
        assert_eq!((swept.len(), &swept[0].label, &swept[0].problem), (1, &label, &None));
        assert!(!dead.exists() && foreign.exists() && living.path().exists());
    }

    fn living_pid() -> i32 {
        i32::try_from(std::process::id()).unwrap()
    }
}
