//! The runs that are to be published.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::manifest::RunEntry;
use super::{PublishError, agree, rules, secrets};
use crate::compare::comparable::{may_differ, must_be_equal};
use crate::error::RecordError;
use crate::history::{self, Broken};
use crate::read::Run;
use crate::record::{RunRecord, RunState};
use crate::store::{JOURNAL, LATENCY_LOG, RUN_JSON, SERIES};

/// The files that are the record; every page follows from them.
pub(super) const RECORD: [&str; 4] = [RUN_JSON, JOURNAL, SERIES, LATENCY_LOG];
/// Longest part of a run's id in its directory's name.
const LONGEST_NAME: usize = 80;

/// What was named.
pub(super) struct Inputs {
    /// Newest first.
    pub(super) runs: Vec<SiteRun>,
    pub(super) broken: Vec<Broken>,
}

/// A run of a site.
pub(super) struct SiteRun {
    /// Where its files are now.
    pub(super) source: PathBuf,
    pub(super) record: RunRecord,
    pub(super) entry: RunEntry,
}

/// Conditions and versions: runs that agree in them are repeats of each other.
pub(super) fn kind(record: &RunRecord) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let mut versions = may_differ(record);
    versions.remove("seed");
    (must_be_equal(record), versions)
}

/// Finds and reads the runs.
pub(super) fn read(inputs: &[PathBuf]) -> Result<Inputs, PublishError> {
    let (mut found, mut broken) = (Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for input in inputs {
        let here = history::find(input)?;
        let alone = input.join(RUN_JSON).exists() || input.join(JOURNAL).exists();
        let side = match input.file_name() {
            Some(name) if !alone => name.to_string_lossy().into_owned(),
            _ => String::new(),
        };
        broken.extend(here.broken);
        for (source, record) in here.runs {
            // A run that is named twice is published once.
            if seen.insert(record.run_id.clone()) {
                found.push((source, record, side.clone()));
            }
        }
    }
    found.sort_by(|(_, a, _), (_, b, _)| {
        b.started_at.cmp(&a.started_at).then_with(|| b.run_id.cmp(&a.run_id))
    });
    let mut places = BTreeSet::new();
    let mut runs: Vec<SiteRun> = found
        .into_iter()
        .map(|(source, record, side)| {
            let place = place(&record.run_id, &mut places);
            let entry = RunEntry::new(&record, place, side);
            SiteRun { source, record, entry }
        })
        .collect();
    judge(&mut runs);
    Ok(Inputs { runs, broken })
}

/// Notes for each run what it may not be published as, as far as its record alone says.
pub(super) fn judge(runs: &mut [SiteRun]) {
    let mut repeats = BTreeMap::new();
    for run in runs.iter().filter(|run| run.record.state == RunState::Complete) {
        *repeats.entry(kind(&run.record)).or_insert(0) += 1;
    }
    for run in runs {
        let repeats = repeats.get(&kind(&run.record)).copied().unwrap_or(1);
        run.entry.violations = rules::violations(&run.record, repeats);
    }
}

/// The directory of a run in the site: letters, digits, dots, hyphens and underscores only, and no other run's.
fn place(run_id: &str, taken: &mut BTreeSet<String>) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let name: String = run_id.chars().take(LONGEST_NAME).map(kept).collect();
    // Neither hidden nor a way up.
    let name = match name.trim_start_matches('.') {
        "" => "run",
        name => name,
    };
    let mut place = format!("runs/{name}");
    let mut number = 2;
    while !taken.insert(place.to_lowercase()) {
        place = format!("runs/{name}-{number}");
        number += 1;
    }
    place
}

impl SiteRun {
    /// Copies the record into a site, looks through it, and notes what its files say against each other.
    pub(super) fn copy_to(&mut self, root: &Path) -> Result<(), PublishError> {
        let dir = root.join(&self.entry.place);
        fs::create_dir_all(&dir).map_err(|e| RecordError::io(&dir, e))?;
        for name in RECORD {
            let from = self.source.join(name);
            if !from.exists() {
                continue;
            }
            secrets::none_in(&from)?;
            let to = dir.join(name);
            fs::copy(&from, &to).map_err(|e| RecordError::io(&from, e))?;
        }
        self.source = dir;
        self.look_closer()
    }

    /// Notes what the files of the record say against each other, and what is missing of them.
    pub(super) fn look_closer(&mut self) -> Result<(), PublishError> {
        let run = Run::open(&self.source)?;
        self.entry.violations.extend(run.notes.iter().map(|note| format!("of its files: {note}")));
        let against = agree::contradictions(&run).into_iter();
        self.entry.violations.extend(against.map(|what| format!("{}{what}", agree::CONTRADICTS)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_run_id_stays_inside_the_site_and_takes_nobodys_place() {
        let mut taken = BTreeSet::new();
        assert_eq!(place("../../etc/passwd", &mut taken), "runs/-..-etc-passwd");
        assert_eq!(place("..", &mut taken), "runs/run");
        assert_eq!(place("a<b>", &mut taken), "runs/a-b-");
        assert_eq!(place("A/b/", &mut taken), "runs/A-b--2", "file systems may ignore case");
        assert!(place(&"x".repeat(500), &mut taken).len() < 100);
    }
}
