//! What a site holds: `manifest.json` says what, `SHA256SUMS` (as `sha256sum -c` reads it) lists every file.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::input::{RECORD, SiteRun};
use crate::error::RecordError;
use crate::history::{self, Broken};
use crate::record::{RunRecord, RunState, SCHEMA_VERSION, Verdict};

/// The file that says what a site is.
pub const MANIFEST: &str = "manifest.json";
/// The list of checksums.
pub const SUMS: &str = "SHA256SUMS";
/// What makes a manifest ours.
const SITE: &str = "odg-bench";

/// `manifest.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// Always `odg-bench`.
    pub(super) site: String,
    pub(super) tool_version: String,
    pub(super) schema_version: String,
    pub(super) history: history::Options,
    pub(super) runs: Vec<RunEntry>,
    /// Records that could not be read, and runs with two records that differ, in one line each, without the paths of
    /// the machine.
    pub(super) broken: Vec<String>,
}

/// A run as the site's manifest lists it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunEntry {
    /// Its id.
    pub run_id: String,
    /// Its directory in the site.
    pub place: String,
    /// The directory of runs that it was published from, if it was one.
    pub side: String,
    /// How it ended.
    pub state: RunState,
    /// Its verdict.
    pub verdict: Verdict,
    /// Why it is not publishable; empty where it is.
    pub violations: Vec<String>,
    /// SHA-256 of each file of the record.
    pub sha256: BTreeMap<String, String>,
}

impl RunEntry {
    pub(super) fn new(record: &RunRecord, place: String, side: String) -> Self {
        Self {
            run_id: record.run_id.clone(),
            place,
            side,
            state: record.state,
            verdict: record.verdict,
            violations: Vec::new(),
            sha256: BTreeMap::new(),
        }
    }
}

impl Manifest {
    pub(super) fn of(
        runs: &[SiteRun],
        history: &history::Options,
        broken: &[Broken],
        notes: &[String],
    ) -> Self {
        let unread = broken.iter().map(|b| format!("{} could not be read", b.path));
        Self {
            site: SITE.to_owned(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            schema_version: SCHEMA_VERSION.to_owned(),
            history: history.clone(),
            runs: runs.iter().map(|run| run.entry.clone()).collect(),
            broken: unread.chain(notes.iter().cloned()).collect(),
        }
    }

    pub(super) fn text(&self) -> Result<String, RecordError> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|e| RecordError::Render { what: MANIFEST.to_owned(), why: e.to_string() })?;
        Ok(text + "\n")
    }

    /// Reads the manifest of a site; `None` where there is none of ours.
    pub(super) fn read(dir: &Path) -> Option<Self> {
        let text = fs::read_to_string(dir.join(MANIFEST)).ok()?;
        let manifest: Self = serde_json::from_str(&text).ok()?;
        (manifest.site == SITE && dir.join(SUMS).is_file()).then_some(manifest)
    }
}

/// Whether a directory is a site that [`super::publish`] wrote.
#[must_use]
pub fn is_site(dir: &Path) -> bool {
    #[derive(Deserialize)]
    struct Mark {
        site: String,
    }
    let text = fs::read_to_string(dir.join(MANIFEST)).unwrap_or_default();
    let mark = serde_json::from_str::<Mark>(&text);
    mark.is_ok_and(|mark| mark.site == SITE) && dir.join(SUMS).is_file()
}

/// Notes the hashes of the files of each run's record.
pub(super) fn hash_records(runs: &mut [SiteRun]) -> Result<(), RecordError> {
    for run in runs {
        for name in RECORD {
            let path = run.source.join(name);
            if path.exists() {
                run.entry.sha256.insert(name.to_owned(), sha256(&path)?);
            }
        }
    }
    Ok(())
}

/// Writes the list of checksums of everything below `root`, and returns its own.
pub(super) fn write_sums(root: &Path) -> Result<String, RecordError> {
    let mut text = String::new();
    for place in files(root)? {
        text.push_str(&format!("{}  {place}\n", sha256(&root.join(&place))?));
    }
    let path = root.join(SUMS);
    fs::write(&path, &text).map_err(|e| RecordError::io(&path, e))?;
    Ok(hex(&Sha256::digest(text.as_bytes())))
}

/// Reads a list of checksums: a hash per path below the site. Lines that are none come back as they are.
pub(super) fn read_sums(
    root: &Path,
) -> Result<(BTreeMap<String, String>, Vec<String>), RecordError> {
    let path = root.join(SUMS);
    let text = fs::read_to_string(&path).map_err(|e| RecordError::io(&path, e))?;
    let (mut sums, mut strange) = (BTreeMap::new(), Vec::new());
    for line in text.lines() {
        match line.split_once("  ") {
            Some((hash, place)) if hash.len() == 64 && is_inside(place) => {
                sums.insert(place.to_owned(), hash.to_owned());
            }
            _ => strange.push(line.to_owned()),
        }
    }
    Ok((sums, strange))
}

/// Whether a path stays below the site.
pub(super) fn is_inside(place: &str) -> bool {
    let mut parts = Path::new(place).components();
    !place.is_empty() && parts.all(|part| matches!(part, std::path::Component::Normal(_)))
}

/// Every file below `root` but the list of checksums, by its path from there with slashes. Links count as files.
pub(super) fn files(root: &Path) -> Result<Vec<String>, RecordError> {
    let mut found = Vec::new();
    let mut directories: Vec<PathBuf> = vec![root.to_path_buf()];
    while let Some(dir) = directories.pop() {
        for entry in fs::read_dir(&dir).map_err(|e| RecordError::io(&dir, e))? {
            let entry = entry.map_err(|e| RecordError::io(&dir, e))?;
            let path = entry.path();
            let kind = entry.file_type().map_err(|e| RecordError::io(&path, e))?;
            if kind.is_dir() {
                directories.push(path);
                continue;
            }
            let place = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            if place != SUMS {
                found.push(place);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// SHA-256 of a file, in hexadecimal.
pub(super) fn sha256(path: &Path) -> Result<String, RecordError> {
    let hash = || -> io::Result<String> {
        let mut file = File::open(path)?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(hex(&hasher.finalize())),
                n => hasher.update(&buffer[..n]),
            }
        }
    };
    hash().map_err(|e| RecordError::io(path, e))
}

/// SHA-256 of a text, in hexadecimal.
pub(super) fn sha256_of(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
