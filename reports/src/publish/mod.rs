//! A static site of runs, and a reader's check that nothing in it was edited.
//!
//! The way: `input` finds the runs that were named, `rules` and `agree` say what each may not be published
//! as, `pages` writes every page from the records alone, `manifest` lists and hashes all files, and `replace` puts
//! the finished directory in its place. `verify` goes the same way again over the records in the site, and
//! compares what comes out with what is there.

mod agree;
mod input;
mod manifest;
mod pages;
mod replace;
mod rules;
mod secrets;
mod verify;

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use manifest::{MANIFEST, RunEntry, SUMS, is_site};
pub use rules::{REPEATS, SHORTEST_S, violations};
pub use verify::{Checked, verify};

use crate::error::RecordError;
use crate::escape;
use crate::history::{self, Broken};

/// How a site is made.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// How its history is made.
    pub history: history::Options,
    /// Refuse where any run is not publishable or cannot be read, and write nothing.
    pub strict: bool,
}

/// Why a site cannot be made or checked.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A record cannot be read, or a file not written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The history cannot be made.
    #[error(transparent)]
    History(#[from] history::HistoryError),
    /// None of what was named holds a run that can be read.
    #[error("no run can be published: {}", listed(.0))]
    NoRuns(Vec<Broken>),
    /// With `strict`: something is not publishable.
    #[error("not publishable: {}", .0.join("; "))]
    Refused(Vec<String>),
    /// A file of a run holds what reads like a credential.
    #[error("{}, line {line}: reads like {what}; nothing was published. Look at the line, and remove it from the record", path.display())]
    Secret {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// What it reads like.
        what: &'static str,
    },
    /// The directory to be replaced is not a site of odg-bench.
    #[error("{}: there, and not a site of odg-bench; name a new directory, or remove it yourself", path.display())]
    NotOurs {
        /// The directory.
        path: PathBuf,
    },
    /// The directory to be replaced holds files that no site put there.
    #[error("{}: not of the site that it lies in; move it away, so that it is not lost with the old site", path.display())]
    Foreign {
        /// The first such file.
        path: PathBuf,
    },
    /// What was to be checked is no site.
    #[error("{}: no site of odg-bench (no {MANIFEST} and {SUMS} of one); name the directory that `publish` wrote", path.display())]
    NotASite {
        /// The directory.
        path: PathBuf,
    },
}

fn listed(broken: &[Broken]) -> String {
    if broken.is_empty() {
        return "there is no run record in what was named".to_owned();
    }
    broken.iter().map(|b| b.why.clone()).collect::<Vec<_>>().join("; ")
}

/// What was published.
#[derive(Debug, Clone, Serialize)]
pub struct Published {
    /// The site.
    pub site: PathBuf,
    /// Its runs, newest first.
    pub runs: Vec<RunEntry>,
    /// Comparisons that were made.
    pub comparisons: usize,
    /// Records that could not be read.
    pub broken: Vec<Broken>,
    /// What else a reader must know: runs that were there twice, with records that differ.
    pub notes: Vec<String>,
    /// SHA-256 of the list of checksums: names the whole site.
    pub fingerprint: String,
}

/// Makes a site of the runs in `inputs`, each a run directory or a directory of them, and puts it in the place of
/// `out`, where there may be nothing, an empty directory, or an older site.
///
/// # Errors
/// Nothing can be read, something reads like a credential, `out` is not ours to replace, or a file cannot be written.
pub fn publish(
    inputs: &[PathBuf],
    out: &Path,
    options: &Options,
) -> Result<Published, PublishError> {
    let input::Inputs { mut runs, broken, notes } = input::read(inputs)?;
    if runs.is_empty() {
        return Err(PublishError::NoRuns(broken));
    }
    replace::check(out)?;
    let staging = replace::Staging::beside(out)?;
    for run in &mut runs {
        run.copy_to(staging.path())?;
    }
    input::judge(&mut runs);
    if options.strict {
        let refused = |r: &RunEntry| {
            let why = || format!("{}: {}", r.run_id, rules::some(&r.violations, 12).join(", "));
            // What a record says must not move a terminal's cursor.
            (!r.violations.is_empty()).then(why).map(|line| escape::terminal(&line))
        };
        let mut why: Vec<String> = runs.iter().filter_map(|run| refused(&run.entry)).collect();
        why.extend(broken.iter().map(|b| b.why.clone()));
        why.extend(notes.iter().map(|note| escape::terminal(note)));
        if !why.is_empty() {
            return Err(PublishError::Refused(why));
        }
    }
    manifest::hash_records(&mut runs)?;
    let manifest = manifest::Manifest::of(&runs, &options.history, &broken, &notes);
    let root = staging.path();
    let comparisons = pages::all(&manifest, &runs, root, &mut |place, content| {
        write(&root.join(place), content)
    })?;
    let fingerprint = manifest::write_sums(root)?;
    staging.take_the_place_of(out)?;
    let runs = runs.into_iter().map(|run| run.entry).collect();
    Ok(Published { site: out.to_path_buf(), runs, comparisons, broken, notes, fingerprint })
}

fn write(path: &Path, content: &[u8]) -> Result<(), PublishError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|e| RecordError::io(parent, e))?;
    }
    fs::write(path, content).map_err(|e| RecordError::io(path, e))?;
    Ok(())
}

#[cfg(test)]
mod tests;
