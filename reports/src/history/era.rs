//! Runs that may be compared with each other, in order of time.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Per, Series, usable};
use crate::compare::comparable::{may_differ, must_be_equal};
use crate::record::RunRecord;

/// Marks that say how a run ended, not under which conditions it ran.
const ENDINGS: [&str; 2] = ["interrupted", "aborted"];

/// Runs of equal conditions.
#[derive(Debug, Clone, Serialize)]
pub struct Era {
    /// Profile.
    pub profile: String,
    /// Provider.
    pub provider: String,
    /// Whether no other era of this profile and provider has a newer run.
    pub current: bool,
    /// Whether its last usable run is among the newest of this profile and provider: only then can a change in it be
    /// news. Two machines that take turns both are.
    pub live: bool,
    /// The conditions, by name.
    pub conditions: BTreeMap<String, String>,
    /// What is other than in the era of this profile and provider that began before: `cores: 2, before 4`.
    pub differs: Vec<String>,
    /// All its runs, by their place in the history, in order of time.
    pub runs: Vec<usize>,
    /// What trends are made of, in order of time.
    pub points: Vec<Point>,
    /// Versions that changed from a point to the next.
    pub versions: Vec<VersionChange>,
    /// The trends.
    pub series: Vec<Series>,
}

/// A point of a trend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Point {
    /// The day, `2026-11-24`.
    pub day: String,
    /// The runs behind it, by their place in the history.
    pub runs: Vec<usize>,
}

/// A version that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VersionChange {
    /// First point with the new version.
    pub point: usize,
    /// Of what.
    pub what: String,
    /// The version before.
    pub before: String,
    /// The version from here on.
    pub after: String,
}

/// Sorts runs, which are in order of time, into eras; the era with the newest run first.
pub(super) fn eras(records: &[RunRecord], per: Per, recent: usize) -> Vec<Era> {
    let mut eras: Vec<Era> = Vec::new();
    // The newest era of each set of conditions, and the hash of profile and load that each seed had there: of equal
    // seeds, equal profiles have equal hashes.
    let mut newest: BTreeMap<BTreeMap<String, String>, (usize, BTreeMap<u64, String>)> =
        BTreeMap::new();
    for (index, record) in records.iter().enumerate() {
        let conditions = conditions(record);
        let (seed, hash) = (record.config.seed, &record.config.hash);
        let known = newest.get_mut(&conditions);
        let at = match known {
            Some((at, hashes)) if hashes.get(&seed).is_none_or(|h| h == hash) => {
                hashes.insert(seed, hash.clone());
                *at
            }
            other => {
                let mut differs = differs(&eras, record, &conditions);
                if other.is_some() {
                    differs.push("the profile or the load that it makes is another".to_owned());
                }
                eras.push(Era {
                    profile: record.profile.clone(),
                    provider: record.provider.clone(),
                    current: false,
                    live: false,
                    conditions: conditions.clone(),
                    differs,
                    runs: Vec::new(),
                    points: Vec::new(),
                    versions: Vec::new(),
                    series: Vec::new(),
                });
                let at = eras.len() - 1;
                newest.insert(conditions, (at, BTreeMap::from([(seed, hash.clone())])));
                at
            }
        };
        eras[at].runs.push(index);
    }
    for era in &mut eras {
        era.points = points(&era.runs, records, per);
        era.versions = versions(&era.points, records);
    }
    eras.sort_by_key(|era| std::cmp::Reverse(era.runs.last().copied()));
    let mut seen = BTreeSet::new();
    for era in &mut eras {
        era.current = seen.insert((era.profile.clone(), era.provider.clone()));
    }
    let newest = among_newest(records, per, recent);
    for era in &mut eras {
        era.live = era.points.last().is_some_and(|p| p.runs.iter().any(|r| newest.contains(r)));
    }
    eras
}

/// The newest `recent` usable runs, or days with such, of each profile and provider.
fn among_newest(records: &[RunRecord], per: Per, recent: usize) -> BTreeSet<usize> {
    let mut of_each: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
    let mut newest = BTreeSet::new();
    for (index, record) in records.iter().enumerate().rev().filter(|(_, r)| usable(r)) {
        let points =
            of_each.entry((record.profile.as_str(), record.provider.as_str())).or_default();
        let point = match per {
            Per::Run => index.to_string(),
            Per::Day => day(record),
        };
        if points.contains(&point) || points.len() < recent {
            points.insert(point);
            newest.insert(index);
        }
    }
    newest
}

fn day(record: &RunRecord) -> String {
    record.started_at.chars().take(10).collect()
}

fn conditions(record: &RunRecord) -> BTreeMap<String, String> {
    let mut all = must_be_equal(record);
    let marks = record.marks.iter().filter(|mark| !ENDINGS.contains(&mark.as_str()));
    all.insert("marks".into(), marks.cloned().collect::<Vec<_>>().join(", "));
    all
}

/// How these conditions differ from those of the era that was the newest of this profile and provider.
fn differs(eras: &[Era], record: &RunRecord, conditions: &BTreeMap<String, String>) -> Vec<String> {
    let same = |e: &&Era| e.profile == record.profile && e.provider == record.provider;
    let Some(before) = eras.iter().filter(same).max_by_key(|e| e.runs.last()) else {
        return Vec::new();
    };
    let names: BTreeSet<&String> = conditions.keys().chain(before.conditions.keys()).collect();
    let value = |of: &BTreeMap<String, String>, name: &String| {
        of.get(name).filter(|v| !v.is_empty()).cloned().unwrap_or_else(|| "none".into())
    };
    names
        .into_iter()
        .map(|name| (name, value(conditions, name), value(&before.conditions, name)))
        .filter(|(_, now, before)| now != before)
        .map(|(name, now, before)| format!("{name}: {now}, before {before}"))
        .collect()
}

fn points(runs: &[usize], records: &[RunRecord], per: Per) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::new();
    for &run in runs.iter().filter(|run| usable(&records[**run])) {
        let day = day(&records[run]);
        match points.last_mut() {
            Some(last) if per == Per::Day && last.day == day => last.runs.push(run),
            _ => points.push(Point { day, runs: vec![run] }),
        }
    }
    points
}

fn versions(points: &[Point], records: &[RunRecord]) -> Vec<VersionChange> {
    let of = |point: &Point| {
        let mut all = point.runs.first().map(|run| may_differ(&records[*run])).unwrap_or_default();
        // Seeds differ between repeats by design.
        all.remove("seed");
        all
    };
    let mut changes = Vec::new();
    for (i, pair) in points.windows(2).enumerate() {
        let (before, after) = (of(&pair[0]), of(&pair[1]));
        for (what, now) in after {
            let was = before.get(&what).cloned().unwrap_or_else(|| "none".into());
            if was != now {
                let what = what.strip_prefix("version of ").unwrap_or(&what).to_owned();
                changes.push(VersionChange { point: i + 1, what, before: was, after: now });
            }
        }
    }
    changes
}
