//! A reader's check of a site.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;

use super::agree::{CONTRADICTS, is_ours};
use super::input::{RECORD, SiteRun, judge};
use super::manifest::{self, Manifest, SUMS, is_inside, sha256_of};
use super::{PublishError, pages};
use crate::history;

/// What a check found.
#[derive(Debug, Clone, Serialize)]
pub struct Checked {
    /// Files that are as they were published.
    pub unchanged: usize,
    /// Runs of the site.
    pub runs: usize,
    /// Those of them that are publishable.
    pub publishable: usize,
    /// SHA-256 of the list of checksums: compare it with the one that the publisher names elsewhere.
    pub fingerprint: String,
    /// The version of odg-bench that made the site, where it is another and pages could not be made again.
    pub other_version: Option<String>,
    /// Runs that another version recorded, whose verdicts were not judged again.
    pub not_judged: usize,
    /// What is wrong, one line each.
    pub problems: Vec<String>,
}

/// Checks the site at `dir`: every file against its checksum, every record against itself, and every page against
/// the records that it is made of.
///
/// # Errors
/// It is no site, or cannot be read.
pub fn verify(dir: &Path) -> Result<Checked, PublishError> {
    let not_a_site = || PublishError::NotASite { path: dir.to_path_buf() };
    let manifest = Manifest::read(dir).ok_or_else(not_a_site)?;
    let mut problems = Vec::new();
    let (sums, strange) = manifest::read_sums(dir)?;
    problems.extend(strange.iter().map(|line| format!("{SUMS} has a strange line: {line:?}")));
    let there = manifest::files(dir)?;
    let mut unchanged = 0;
    for place in &there {
        let path = dir.join(place);
        let link = path.symlink_metadata().is_ok_and(|m| m.file_type().is_symlink());
        match sums.get(place) {
            None => problems.push(format!("extra: {place}")),
            Some(_) if link => problems.push(format!("edited: {place} is a link")),
            Some(sum) if *sum == manifest::sha256(&path)? => unchanged += 1,
            Some(_) => problems.push(format!("edited: {place}")),
        }
    }
    let missing = sums.keys().filter(|place| there.binary_search(place).is_err());
    problems.extend(missing.map(|place| format!("missing: {place}")));

    let runs = runs(dir, &manifest, &mut problems);
    let ours = env!("CARGO_PKG_VERSION");
    let other_version = (manifest.tool_version != ours).then(|| manifest.tool_version.clone());
    // Pages of records that are gone cannot be made again.
    if other_version.is_none() && runs.len() == manifest.runs.len() {
        let made = derive_again(dir, &manifest, &runs, &mut problems)?;
        // A list of checksums can be made anew of anything: what neither is a record nor follows from one is not ours.
        let record = |place: &str| {
            let (dir, name) = place.rsplit_once('/').unwrap_or(("", place));
            RECORD.contains(&name) && manifest.runs.iter().any(|run| run.place == dir)
        };
        let strange = there.iter().filter(|place| !made.contains(*place) && !record(place));
        let strange = strange.filter(|place| sums.contains_key(*place));
        problems.extend(strange.map(|place| format!("neither a record nor made of one: {place}")));
    }
    let not_judged = runs.iter().filter(|run| !is_ours(&run.record)).count();
    let fingerprint = manifest::sha256(&dir.join(SUMS))?;
    Ok(Checked {
        unchanged,
        runs: manifest.runs.len(),
        publishable: manifest.runs.iter().filter(|run| run.violations.is_empty()).count(),
        fingerprint,
        other_version,
        not_judged,
        problems,
    })
}

/// The runs of the site as their records say, with what is wrong with the manifest's account of them.
fn runs(dir: &Path, manifest: &Manifest, problems: &mut Vec<String>) -> Vec<SiteRun> {
    let mut runs = Vec::new();
    for entry in &manifest.runs {
        let place = &entry.place;
        if !is_inside(place) {
            problems.push(format!("the manifest names a place outside the site: {place:?}"));
            continue;
        }
        match history::read_record(&dir.join(place)) {
            Err(_) => problems.push(format!("not a readable record any more: {place}")),
            Ok(record) => {
                let mut fresh = entry.clone();
                (fresh.state, fresh.verdict) = (record.state, record.verdict);
                fresh.violations.clear();
                fresh.sha256 = BTreeMap::new();
                let source = dir.join(place);
                runs.push(SiteRun { source, record, entry: fresh, against: Vec::new() });
            }
        }
    }
    let mut whole = Vec::new();
    for mut run in runs {
        let place = run.entry.place.clone();
        if run.look_closer().is_err() {
            problems.push(format!("not a readable record any more: {place}"));
            continue;
        }
        let told = run.against.iter().filter_map(|v| v.strip_prefix(CONTRADICTS));
        problems.extend(told.map(|what| format!("{place} contradicts itself: {what}")));
        whole.push(run);
    }
    judge(&mut whole);
    if manifest::hash_records(&mut whole).is_err() {
        problems.push("the records cannot be read to the end".to_owned());
    }
    for run in &whole {
        let told = manifest.runs.iter().find(|entry| entry.place == run.entry.place);
        if let Some(told) = told.filter(|told| **told != run.entry) {
            problems.push(format!(
                "the manifest says another thing of {} than its record: {} against {}",
                run.entry.place, told.verdict, run.entry.verdict
            ));
        }
    }
    whole
}

/// Makes every page again from the records, and names those that are other. Returns the places of all.
fn derive_again(
    dir: &Path,
    manifest: &Manifest,
    runs: &[SiteRun],
    problems: &mut Vec<String>,
) -> Result<BTreeSet<String>, PublishError> {
    let mut other = Vec::new();
    let mut made = BTreeSet::new();
    // What the records say, not what the manifest does.
    let fresh =
        Manifest { runs: runs.iter().map(|r| r.entry.clone()).collect(), ..manifest.clone() };
    pages::all(&fresh, runs, dir, &mut |place, content| {
        let same = manifest::sha256(&dir.join(place)).is_ok_and(|sum| sum == sha256_of(content));
        if !same {
            other.push(format!("does not follow from the records: {place}"));
        }
        made.insert(place.to_owned());
        Ok(())
    })?;
    problems.extend(other);
    Ok(made)
}
