//! The runs that are to be published.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::manifest::RunEntry;
use super::{PublishError, agree, rules, secrets};
use crate::compare::comparable::{may_differ, must_be_equal};
use crate::error::RecordError;
use crate::history::{self, Broken};
use crate::read::Run;
use crate::record::{RunRecord, RunState, Verdict};
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
    /// What else a reader must know, a line each.
    pub(super) notes: Vec<String>,
}

/// A run of a site.
pub(super) struct SiteRun {
    /// Where its files are now.
    pub(super) source: PathBuf,
    pub(super) record: RunRecord,
    pub(super) entry: RunEntry,
    /// What its files say against it, once they were looked through.
    pub(super) against: Vec<String>,
}

/// Conditions and versions: runs that agree in them are repeats of each other.
pub(super) fn kind(record: &RunRecord) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let mut versions = may_differ(record);
    versions.remove("seed");
    (must_be_equal(record), versions)
}

/// Finds and reads the runs.
pub(super) fn read(inputs: &[PathBuf]) -> Result<Inputs, PublishError> {
    let (mut found, mut broken) = (Vec::<(PathBuf, RunRecord, String)>::new(), Vec::new());
    let mut notes = Vec::new();
    let mut seen = BTreeMap::new();
    for (input, side) in inputs.iter().zip(sides(inputs)) {
        let here = history::find(input)?;
        broken.extend(here.broken);
        let differing = here.twice.into_iter().filter(|b| b.why.contains(history::DIFFERS));
        notes.extend(differing.map(|b| b.why));
        for (source, record) in here.runs {
            // A run that is named twice is published once.
            match seen.get(&record.run_id) {
                None => {
                    seen.insert(record.run_id.clone(), found.len());
                    found.push((source, record, side.clone()));
                }
                Some(&first) if found[first].1 != record => notes.push(format!(
                    "run {} was named twice, and {}; the first is published",
                    record.run_id,
                    history::DIFFERS
                )),
                Some(_) => {}
            }
        }
    }
    found.sort_by(|(_, a, _), (_, b, _)| {
        b.started_at.cmp(&a.started_at).then_with(|| b.run_id.cmp(&a.run_id))
    });
    let mut places = BTreeSet::new();
    let runs: Vec<SiteRun> = found
        .into_iter()
        .map(|(source, record, side)| {
            let place = place(&record.run_id, &mut places);
            let entry = RunEntry::new(&record, place, side);
            SiteRun { source, record, entry, against: Vec::new() }
        })
        .collect();
    Ok(Inputs { runs, broken, notes })
}

/// A name for each input's side: as much of the end of its path as tells it from the others, and none for a run alone.
fn sides(inputs: &[PathBuf]) -> Vec<String> {
    let parts = |path: &PathBuf| -> Vec<String> {
        let names = path.components().filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
            _ => None,
        });
        names.collect()
    };
    let all: Vec<Vec<String>> = inputs.iter().map(parts).collect();
    let end = |of: &[String], n: usize| of[of.len().saturating_sub(n)..].join("/");
    let name = |(input, own): (&PathBuf, &Vec<String>)| {
        if input.join(RUN_JSON).exists() || input.join(JOURNAL).exists() {
            return String::new();
        }
        let mut n = 1;
        while n < own.len() && all.iter().any(|other| other != own && end(other, n) == end(own, n))
        {
            n += 1;
        }
        end(own, n)
    };
    inputs.iter().zip(&all).map(name).collect()
}

/// Notes for each run what it may not be published as; its files were looked through before.
pub(super) fn judge(runs: &mut [SiteRun]) {
    let groups = groups(runs);
    // Only what shows something, and does not contradict itself, says how much runs differ.
    let counts = |run: &SiteRun| {
        let shown = matches!(run.record.verdict, Verdict::Pass | Verdict::Fail);
        run.record.state == RunState::Complete && shown && run.against.is_empty()
    };
    let mut repeats = BTreeMap::new();
    for (_, group) in runs.iter().zip(&groups).filter(|(run, _)| counts(run)) {
        *repeats.entry(*group).or_insert(0) += 1;
    }
    for (run, group) in runs.iter_mut().zip(&groups) {
        let repeats = repeats.get(group).copied().unwrap_or(0);
        run.entry.violations = rules::violations(&run.record, repeats);
        run.entry.violations.extend(run.against.iter().cloned());
    }
}

/// The number of each run's group: equal conditions and versions, and of equal seeds the same hash of profile and load.
fn groups(runs: &[SiteRun]) -> Vec<usize> {
    let mut groups = vec![0; runs.len()];
    let mut count = 0;
    let mut known: BTreeMap<_, Vec<(usize, BTreeMap<u64, &str>)>> = BTreeMap::new();
    // Oldest first: what comes later with another hash is the newcomer.
    for (run, own) in runs.iter().zip(&mut groups).rev() {
        let (seed, hash) = (run.record.config.seed, run.record.config.hash.as_str());
        let alike = known.entry(kind(&run.record)).or_default();
        let fits = alike.iter_mut().find(|(_, seen)| seen.get(&seed).is_none_or(|h| *h == hash));
        match fits {
            Some((group, seen)) => {
                seen.insert(seed, hash);
                *own = *group;
            }
            None => {
                alike.push((count, BTreeMap::from([(seed, hash)])));
                *own = count;
                count += 1;
            }
        }
    }
    groups
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
        self.against = run.notes.iter().map(|note| format!("of its files: {note}")).collect();
        let against = agree::contradictions(&run).into_iter();
        self.against.extend(against.map(|what| format!("{}{what}", agree::CONTRADICTS)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_named_by_as_much_of_their_paths_as_tells_them_apart() {
        let named = |paths: &[&str]| sides(&paths.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(named(&["runs/before", "runs/after/"]), ["before", "after"]);
        assert_eq!(
            named(&["/n/01/dev", "/n/01/small", "/n/02/dev"]),
            ["01/dev", "small", "02/dev"]
        );
        assert_eq!(named(&["dev", "x/dev", "."]), ["dev", "x/dev", ""]);
    }

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
