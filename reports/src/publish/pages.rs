//! Every page of a site, from the records in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use minijinja::Value;
use minijinja::value::Serde;
use serde::Serialize;

use super::input::{SiteRun, kind};
use super::manifest::{MANIFEST, Manifest, RunEntry, SUMS};
use super::{PublishError, REPEATS, SHORTEST_S, rules};
use crate::compare::{self, Sample};
use crate::error::RecordError;
use crate::history::{Found, History};
use crate::read::Run;
use crate::record::{RunState, Verdict};
use crate::{escape, history, html, markdown, plots, schema, units, words};

const TEMPLATE: &str = include_str!("../templates/site.html");
/// Comparisons that a site makes; with more sides than that nobody reads them all.
const MOST_COMPARISONS: usize = 12;

/// Marks and violations of a run that the index lists; the manifest has all.
const MOST_LISTED: usize = 40;

/// Takes a page: its path below the site, and its content.
pub(super) type Sink<'a> = &'a mut dyn FnMut(&str, &[u8]) -> Result<(), PublishError>;

/// Writes every page; `root` is where the records are, by their places. Returns how many comparisons there are.
pub(super) fn all(
    manifest: &Manifest,
    runs: &[SiteRun],
    root: &Path,
    sink: Sink<'_>,
) -> Result<usize, PublishError> {
    for run in runs {
        let read = Run::open(&root.join(&run.entry.place))?;
        let charts = plots::charts(&read)?;
        let page = html::html_report(&read, charts)?;
        let mark = mark_of(&[&run.entry]);
        let at = |name: &str| format!("{}/{name}", run.entry.place);
        sink(&at("report.html"), framed(&page, "../../", &mark)?.as_bytes())?;
        sink(&at("report.md"), marked(&markdown::markdown_report(&read), &mark).as_bytes())?;
    }
    let entries: Vec<&RunEntry> = runs.iter().map(|run| &run.entry).collect();
    let mark = mark_of(&entries);
    let found = Found {
        runs: runs.iter().rev().map(|r| (r.source.clone(), r.record.clone())).collect(),
        ..Found::default()
    };
    let history = History::of(found, &manifest.history);
    sink("history.html", framed(&history::html(&history)?, "", &mark)?.as_bytes())?;
    sink("history.md", marked(&history::markdown(&history), &mark).as_bytes())?;
    let json = serde_json::to_string_pretty(&history)
        .map_err(|e| RecordError::Render { what: "history.json".to_owned(), why: e.to_string() })?;
    sink("history.json", json.as_bytes())?;
    let (comparisons, notes) = comparisons(runs, manifest.history.noise, sink)?;
    sink("schema/run-1.json", schema::run_schema().as_bytes())?;
    sink(MANIFEST, manifest.text()?.as_bytes())?;
    sink("index.html", index(manifest, runs, &comparisons, &notes)?.as_bytes())?;
    Ok(comparisons.iter().filter(|c| c.place.is_some()).count())
}

/// What stands on a page of these runs; empty where all are publishable.
fn mark_of(entries: &[&RunEntry]) -> String {
    let kept_back: Vec<&&RunEntry> =
        entries.iter().filter(|entry| !entry.violations.is_empty()).collect();
    match (kept_back.as_slice(), entries.len()) {
        ([], _) => String::new(),
        ([only], 1) => rules::mark(&only.violations),
        (some, all) => {
            format!(
                "NOT PUBLISHABLE: {} of the {all} runs on this page; the index says why",
                some.len()
            )
        }
    }
}

/// A page with the way back to the index and, where there is one, the mark above everything else.
fn framed(page: &str, up: &str, mark: &str) -> Result<String, PublishError> {
    let body = "<body>";
    let Some(at) = page.find(body) else {
        let what = "a page of the site".to_owned();
        return Err(RecordError::Render { what, why: "it has no body".to_owned() }.into());
    };
    let (head, rest) = page.split_at(at + body.len());
    let mut bar = format!(
        "\n<div style=\"padding:.625rem 1.5rem;border-bottom:1px solid var(--line);font-size:.875rem\">\
         <a href=\"{up}index.html\">All runs of this site</a></div>"
    );
    if !mark.is_empty() {
        bar.push_str(&format!(
            "\n<div role=\"note\" style=\"padding:.75rem 1.5rem;font-weight:600;color:var(--mark);\
             background:var(--mark-bg);border-bottom:1px solid var(--mark-line)\">{}</div>",
            escape::xml(mark)
        ));
    }
    Ok(format!("{head}{bar}{rest}"))
}

fn marked(text: &str, mark: &str) -> String {
    if mark.is_empty() {
        return text.to_owned();
    }
    format!("> **{}**\n\n{text}", escape::markdown(mark, 2_000))
}

/// A comparison of the site, as its index shows it.
#[derive(Serialize)]
struct ComparisonView {
    title: String,
    /// Its page; none where the sides cannot be compared.
    place: Option<String>,
    note: String,
    mark: bool,
}

/// Runs of equal conditions that differ in versions, or were published from different directories.
///
/// Returns what could not find a place among them too, a line each.
fn comparisons(
    runs: &[SiteRun],
    noise: f64,
    sink: Sink<'_>,
) -> Result<(Vec<ComparisonView>, Vec<String>), PublishError> {
    type Conditions = BTreeMap<String, String>;
    let mut groups: BTreeMap<Conditions, BTreeMap<(Conditions, String), Vec<&SiteRun>>> =
        BTreeMap::new();
    // Oldest first.
    let usable =
        |r: &&SiteRun| r.record.state == RunState::Complete && r.record.verdict != Verdict::Invalid;
    for run in runs.iter().rev().filter(usable) {
        let (conditions, versions) = kind(&run.record);
        let sides = groups.entry(conditions).or_default();
        sides.entry((versions, run.entry.side.clone())).or_default().push(run);
    }
    let mut notes = Vec::new();
    let not_usable = runs.iter().filter(|run| !usable(run)).count();
    if not_usable > 0 {
        let runs = runs.len();
        notes.push(format!(
            "{not_usable} of {runs} runs are INVALID or did not end in order: in no comparison."
        ));
    }
    let mut left_out = 0;
    let mut views = Vec::new();
    for sides in groups.into_values() {
        let mut sides: Vec<((Conditions, String), Vec<&SiteRun>)> = sides.into_iter().collect();
        sides.sort_by(|a, b| a.1[0].record.started_at.cmp(&b.1[0].record.started_at));
        let Some((base, others)) = sides.split_first() else { continue };
        for other in others {
            if views.len() == MOST_COMPARISONS {
                left_out += 1;
                continue;
            }
            views.push(comparison(base, other, views.len() + 1, noise, sink)?);
        }
    }
    if left_out > 0 {
        notes.push(format!(
            "The first {MOST_COMPARISONS} comparisons are made; {left_out} more are left out."
        ));
    }
    Ok((views, notes))
}

type Side<'a> = ((BTreeMap<String, String>, String), Vec<&'a SiteRun>);

fn comparison(
    base: &Side<'_>,
    other: &Side<'_>,
    number: usize,
    noise: f64,
    sink: Sink<'_>,
) -> Result<ComparisonView, PublishError> {
    let name = |side: &Side<'_>| {
        let since: String = side.1[0].record.started_at.chars().take(10).collect();
        let from = if side.0.1.is_empty() { String::new() } else { format!("{}, ", side.0.1) };
        format!("{from}runs since {since}")
    };
    let (a, b) = (name(base), name(other));
    let profile = &base.1[0].record;
    let title = format!("{} on {}: {b} against {a}", profile.profile, profile.provider);
    let read = |side: &Side<'_>| -> Result<Vec<Sample>, RecordError> {
        side.1.iter().map(|run| Sample::read(&run.source)).collect()
    };
    let entries: Vec<&RunEntry> = base.1.iter().chain(&other.1).map(|r| &r.entry).collect();
    let mark = mark_of(&entries);
    let options = compare::Options { noise, ..compare::Options::default() };
    let told = read(base).and_then(|x| read(other).map(|y| (x, y)));
    let compared = told
        .map_err(compare::CompareError::from)
        .and_then(|(x, y)| compare::compare((&a, &x), (&b, &y), options));
    let comparison = match compared {
        Ok(comparison) => comparison,
        Err(why) => {
            // Its text may name where the records were.
            let note = match why {
                compare::CompareError::Record(_) => "a record of it is not whole".to_owned(),
                other => other.to_string(),
            };
            return Ok(ComparisonView { title, place: None, note, mark: !mark.is_empty() });
        }
    };
    let dir = tempfile::tempdir().map_err(|e| RecordError::io(&std::env::temp_dir(), e))?;
    compare::render(&comparison, dir.path())?;
    let place = format!("compare/{number}");
    let mut names: Vec<_> = fs::read_dir(dir.path())
        .map_err(|e| RecordError::io(dir.path(), e))?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    for file in names {
        let path = dir.path().join(&file);
        let text = fs::read_to_string(&path).map_err(|e| RecordError::io(&path, e))?;
        let text = match file.rsplit('.').next() {
            Some("html") => framed(&text, "../../", &mark)?,
            Some("md") => marked(&text, &mark),
            _ => text,
        };
        sink(&format!("{place}/{file}"), text.as_bytes())?;
    }
    let note = compare::headline(&comparison);
    let place = Some(format!("{place}/compare.html"));
    Ok(ComparisonView { title, place, note, mark: !mark.is_empty() })
}

#[derive(Serialize)]
struct RunView {
    place: String,
    id: String,
    started: String,
    name: String,
    side: String,
    label: &'static str,
    class: &'static str,
    sentence: String,
    marks: Vec<String>,
    violations: Vec<String>,
    files: Vec<String>,
}

fn index(
    manifest: &Manifest,
    runs: &[SiteRun],
    comparisons: &[ComparisonView],
    notes: &[String],
) -> Result<String, PublishError> {
    let views: Vec<RunView> = runs
        .iter()
        .map(|run| RunView {
            place: run.entry.place.clone(),
            id: run.record.run_id.clone(),
            started: run.record.started_at.chars().take(19).collect::<String>().replace('T', " "),
            name: format!("{} on {}", run.record.profile, run.record.provider),
            side: run.entry.side.clone(),
            label: run.record.verdict.label(),
            class: history::class(run.record.verdict),
            sentence: words::sentence(&run.record),
            marks: rules::some(&words::marks(&run.record), MOST_LISTED),
            violations: rules::some(&run.entry.violations, MOST_LISTED),
            files: run.entry.sha256.keys().cloned().collect(),
        })
        .collect();
    let good = views.iter().filter(|v| v.violations.is_empty()).count();
    let values = minijinja::context! {
        runs => Value::from(Serde(views)),
        good => good,
        comparisons => Value::from(Serde(comparisons)),
        broken => manifest.broken.clone(),
        notes => notes.to_vec(),
        version => manifest.tool_version.clone(),
        shortest => units::seconds(SHORTEST_S),
        repeats => REPEATS,
        manifest_name => MANIFEST,
        sums => SUMS,
        style => html::STYLE,
    };
    Ok(html::page("index.html", TEMPLATE, values)?)
}
