//! The run records below a directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::HistoryError;
use crate::error::RecordError;
use crate::publish;
use crate::read::Run;
use crate::record::RunRecord;
use crate::store::{JOURNAL, RUN_JSON};

/// Directories below the first one that are looked into.
const DEEPEST: usize = 12;

/// What is said of two records of one run that are not the same.
pub(crate) const DIFFERS: &str = "its two records differ";

/// A record that could not be used at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// Its directory, below the one that was named.
    pub path: String,
    /// What is wrong, in one line.
    pub why: String,
}

/// What was found below a directory.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Records with their directories, in order of time.
    pub(crate) runs: Vec<(PathBuf, RunRecord)>,
    /// What could not be read.
    pub(crate) broken: Vec<Broken>,
    /// Runs that were there more than once: left out after the first.
    pub(crate) twice: Vec<Broken>,
}

/// Reads every run record below `dir`. Links are not followed, and published sites not looked into: they hold
/// copies.
pub(crate) fn find(dir: &Path) -> Result<Found, HistoryError> {
    if !dir.is_dir() {
        return Err(RecordError::NotADirectory { path: dir.to_path_buf() }.into());
    }
    let mut found = Found::default();
    let mut directories = Vec::new();
    collect(dir, dir, 0, &mut directories, &mut found.broken)?;
    directories.sort();
    for path in directories {
        match read(&path) {
            Ok(record) => found.runs.push((path, record)),
            Err(error) => found.broken.push(broken(dir, &path, &error)),
        }
    }
    found.runs.sort_by(|(_, a), (_, b)| {
        a.started_at.cmp(&b.started_at).then_with(|| a.run_id.cmp(&b.run_id))
    });
    let mut first: BTreeMap<String, (String, RunRecord)> = BTreeMap::new();
    let twice = &mut found.twice;
    found.runs.retain(|(path, record)| match first.get(&record.run_id) {
        None => {
            first.insert(record.run_id.clone(), (below(dir, path), record.clone()));
            true
        }
        Some((there, one)) => {
            let differs = if one == record { String::new() } else { format!(", and {DIFFERS}") };
            let why = format!("run {} is in {there} too{differs}; counted once", record.run_id);
            twice.push(Broken { path: below(dir, path), why });
            false
        }
    });
    Ok(found)
}

/// The record of a run directory; of a run that was killed, what can be rebuilt of it.
pub(crate) fn read(dir: &Path) -> Result<RunRecord, RecordError> {
    if dir.join(RUN_JSON).exists() {
        Run::record_only(dir)
    } else {
        Run::open(dir).map(|run| run.record)
    }
}

fn broken(root: &Path, path: &Path, error: &RecordError) -> Broken {
    Broken { path: below(root, path), why: error.to_string().replace('\n', " ") }
}

/// A path as it is called below the directory that was named.
fn below(root: &Path, path: &Path) -> String {
    let part = path.strip_prefix(root).unwrap_or(path);
    if part.as_os_str().is_empty() { ".".to_owned() } else { part.display().to_string() }
}

fn collect(
    root: &Path,
    dir: &Path,
    depth: usize,
    directories: &mut Vec<PathBuf>,
    unreadable: &mut Vec<Broken>,
) -> Result<(), HistoryError> {
    if dir.join(RUN_JSON).exists() || dir.join(JOURNAL).exists() {
        directories.push(dir.to_path_buf());
        return Ok(());
    }
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if depth == 0 => return Err(RecordError::io(dir, e).into()),
        Err(e) => {
            unreadable.push(broken(root, dir, &RecordError::io(dir, e)));
            return Ok(());
        }
    };
    for entry in entries {
        let entry = entry.map_err(|e| RecordError::io(dir, e))?;
        let kind = entry.file_type().map_err(|e| RecordError::io(&entry.path(), e))?;
        let path = entry.path();
        if kind.is_dir() && depth < DEEPEST && !publish::is_site(&path) {
            collect(root, &path, depth + 1, directories, unreadable)?;
        }
    }
    Ok(())
}
