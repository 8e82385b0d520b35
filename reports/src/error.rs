//! What can go wrong with a run record on disk.

use std::io;
use std::path::{Path, PathBuf};

/// An error of writing, reading or rendering a run record. Its message is one line: what, where,
/// what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The file system is full.
    #[error("{}: no space left on the device; free some and run again", path.display())]
    DiskFull {
        /// What was being written.
        path: PathBuf,
    },
    /// Not allowed to read or write.
    #[error("{}: permission denied; choose a directory that this user may use", path.display())]
    Permission {
        /// What was being opened or written.
        path: PathBuf,
    },
    /// The directory holds a run already.
    #[error("{}: there is a run here already; choose a new directory", path.display())]
    Exists {
        /// The file that was in the way.
        path: PathBuf,
    },
    /// Another input or output error.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or directory.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The path is not a directory, or there is no such path.
    #[error("{}: not a directory; name the directory that a run left behind", path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// The directory holds neither `run.json` nor `journal.jsonl`.
    #[error(
        "{}: not a run record (no run.json and no journal.jsonl); name the directory that a run \
         left behind",
        path.display()
    )]
    NotARun {
        /// The directory.
        path: PathBuf,
    },
    /// The directory holds groups of runs, and it is not known which is meant.
    #[error(
        "{}: holds {}; name the one that is meant",
        path.display(),
        groups_named(*runs, groups)
    )]
    Groups {
        /// The directory.
        path: PathBuf,
        /// Single runs in it.
        runs: usize,
        /// Names of the groups.
        groups: Vec<String>,
    },
    /// A file of the record holds what no run can have, or does not belong to the others.
    #[error("{}: {what}; the file was cut, edited, or belongs to another run", path.display())]
    Implausible {
        /// The file.
        path: PathBuf,
        /// What cannot be.
        what: String,
    },
    /// A file of the record cannot be understood.
    #[error("{}, line {line}: {what}; the file was cut or edited", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// What is wrong there.
        what: String,
    },
    /// The record was written by a newer odg-bench.
    #[error(
        "{}: schema version {found} is newer than {known}; read it with the odg-bench that wrote it",
        path.display()
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Version in the file.
        found: String,
        /// Version that this reader knows.
        known: &'static str,
    },
    /// An operation's name cannot be written into `series.csv` and `latency.hlog`.
    #[error(
        "operation name {name:?}: use 1 to 64 letters, digits, dots, hyphens and underscores only"
    )]
    BadOperationName {
        /// The name.
        name: String,
    },
    /// A histogram could not be encoded.
    #[error("{}: histogram of {operation}: {what}", path.display())]
    Histogram {
        /// The file.
        path: PathBuf,
        /// The operation.
        operation: String,
        /// What went wrong.
        what: String,
    },
    /// A chart or a page could not be made.
    #[error("{what} could not be made: {why}")]
    Render {
        /// The chart or page.
        what: String,
        /// Why.
        why: String,
    },
}

/// Groups that a message names.
const NAMED: usize = 5;

fn groups_named(runs: usize, groups: &[String]) -> String {
    let names: Vec<String> =
        groups.iter().take(NAMED).map(|name| crate::escape::terminal(name)).collect();
    let more = match groups.len().saturating_sub(NAMED) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let single = match runs {
        0 => String::new(),
        1 => "1 single run and ".to_owned(),
        n => format!("{n} single runs and "),
    };
    let kind = if groups.len() == 1 { "the group" } else { "the groups" };
    format!("{single}{kind} of runs {}{more}", names.join(", "))
}

impl RecordError {
    /// Sorts an input or output error on `path` into the kinds that a person can act on.
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::Permission { path }
            }
            io::ErrorKind::AlreadyExists => Self::Exists { path },
            _ => Self::Io { path, source },
        }
    }

    /// A figure or a file that cannot be. What is quoted may be anybody's.
    pub(crate) fn implausible(path: &Path, what: impl AsRef<str>) -> Self {
        Self::Implausible { path: path.to_path_buf(), what: crate::escape::terminal(what.as_ref()) }
    }

    /// A file that cannot be understood at a line. What a parser says may quote the file.
    pub(crate) fn corrupt(path: &Path, line: usize, what: impl AsRef<str>) -> Self {
        let what = crate::escape::terminal(what.as_ref());
        Self::Corrupt { path: path.to_path_buf(), line, what }
    }
}
