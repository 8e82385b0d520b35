//! A comparison for the terminal, for a pull request and for a browser.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use minijinja::Value;
use minijinja::value::Serde;
use serde::Serialize;

use super::{Change, Comparison, Mismatch, Row, Side};
use crate::error::RecordError;
use crate::record::Verdict;
use crate::store::write_atomically;
use crate::units;
use crate::{escape, html};

const TEMPLATE: &str = include_str!("../templates/compare.html");
/// GitHub's limit is 65,536 characters.
const MOST_BYTES: usize = 60_000;

/// Rows that a page shows; a browser is slow with more, and what changed comes first.
const MOST_ROWS: usize = 2_000;

/// Lost promises that a page shows, and characters of each: one is enough to say that it is worse.
const MOST_LOST: usize = 100;
const LONGEST_LOST: usize = 500;
/// Reasons for which a forced comparison should not have been made, likewise.
const MOST_FORCED: usize = 50;
/// Bytes of a Markdown page that is left to its rows and its end, whatever stands before them.
const FOR_ROWS: usize = 20_000;
/// Runs of a side that one line names.
const MOST_NAMED: usize = 10;

/// What a reader must know of the method.
const METHOD: &str = "Within a run, the error of a percentile is by bootstrap over batches of seconds, that of a mean by \
    batch means. Intervals are 95 %, each for its comparison alone. A regression is worse by more than the noise \
    threshold with a p-value under 5 % after Holm's correction, so that a change of just the threshold is called about \
    every other time at best. Unclear: neither a change beyond the threshold nor its absence could be shown; more or \
    longer runs would.";
const UNPAIRED: &str = "Runs are the unit: Welch's t-test over the runs' values; a side with one run borrows the other's \
    variation between runs.";
const PAIRED: &str = "Pairs of runs are the unit: Student's t-test over the differences within pairs. A pair was made \
    one run directly after the other with the same seed, so that schedule and slow drift are the same for both.";
const SINGLE: &str = "One run a side: how much runs of the same system differ from each other is unknown here, so \
    intervals are too narrow by that. What differs within these two runs is no regression yet; repeat them to know \
    (run --repeat, compare --interleave).";
const SINGLE_COUNTS: &str = "One run a side, and a difference is called a regression all the same (--allow-single): how \
    much runs of the same system differ from each other is unknown here, so intervals are too narrow by that.";

/// Where [`render`] put things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparePaths {
    /// `compare.html`.
    pub html: PathBuf,
    /// `compare.md`.
    pub markdown: PathBuf,
    /// `compare.json`.
    pub json: PathBuf,
}

/// Writes `compare.html`, `compare.md` and `compare.json` into `dir`.
///
/// # Errors
/// A page cannot be made or written.
pub fn render(comparison: &Comparison, dir: &Path) -> Result<ComparePaths, RecordError> {
    fs::create_dir_all(dir).map_err(|e| RecordError::io(dir, e))?;
    let paths = ComparePaths {
        html: dir.join("compare.html"),
        markdown: dir.join("compare.md"),
        json: dir.join("compare.json"),
    };
    let json = serde_json::to_string_pretty(comparison)
        .map_err(|e| RecordError::Render { what: "compare.json".to_owned(), why: e.to_string() })?;
    write_atomically(&paths.json, json.as_bytes(), false)?;
    write_atomically(&paths.markdown, markdown(comparison).as_bytes(), false)?;
    write_atomically(&paths.html, page(comparison)?.as_bytes(), false)?;
    Ok(paths)
}

/// The comparison as lines for a terminal: what changed first, then the rest.
#[must_use]
pub fn text(comparison: &Comparison) -> String {
    let view = View::of(comparison);
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = writeln!(out, "{}", view.sentence);
    for (role, side) in [("base     ", &view.sides[0]), ("candidate", &view.sides[1])] {
        let _ = writeln!(
            out,
            "  {role}  {}  ({})",
            escape::terminal(&side.name),
            escape::terminal(&side.runs)
        );
    }
    for note in &view.notes {
        let _ = writeln!(out, "  ! {}", escape::terminal(note));
    }
    let _ = writeln!(
        out,
        "\n{:<13} {:<20} {:<12} {:>12} {:>12} {:>9}  95 % interval",
        "", "operation", "metric", "base", "candidate", "change"
    );
    for row in &view.rows {
        let _ = writeln!(
            out,
            "{:<13} {:<20} {:<12} {:>12} {:>12} {:>9}  {}",
            row.label,
            escape::terminal(&row.operation),
            row.metric,
            row.base,
            row.candidate,
            row.relative,
            row.ci95
        );
    }
    for lost in &view.lost {
        let _ = writeln!(out, "LOST          {}", escape::terminal(lost));
    }
    if view.more_lost > 0 {
        let _ = writeln!(out, "LOST          {} more, see compare.json (--out)", view.more_lost);
    }
    out
}

fn markdown(comparison: &Comparison) -> String {
    let view = View::of(comparison);
    let cell = |s: &str| escape::markdown(s, 200);
    let icon = match view.class {
        "fail" => "❌",
        "pass" => "✅",
        _ => "❔",
    };
    let mut out = format!("# {icon} {}\n\n", cell(&view.sentence));
    for (role, side) in [("Base", &view.sides[0]), ("Candidate", &view.sides[1])] {
        let _ = writeln!(
            out,
            "- {role}: **{}** ({})",
            cell(&side.name),
            escape::markdown(&side.runs, 1_000)
        );
    }
    out.push('\n');
    let mut more = view.more_lost;
    let full = |out: &String| out.len() > MOST_BYTES - FOR_ROWS;
    for note in &view.notes {
        if full(&out) {
            break;
        }
        let _ = writeln!(out, "> {}\n", cell(note));
    }
    for lost in &view.lost {
        if full(&out) {
            more += 1;
        } else {
            let _ = writeln!(out, "- **LOST** {}", cell(lost));
        }
    }
    if more > 0 {
        let _ = writeln!(out, "- **LOST** {more} more, in compare.json");
    }
    out.push_str("\n| | operation | metric | base | candidate | change | 95 % interval |\n");
    out.push_str("|---|---|---|---:|---:|---:|---:|\n");
    for (i, row) in view.rows.iter().enumerate() {
        let line = format!(
            "| {} | {} | {} | {} | {} | {} | {} |\n",
            row.label,
            cell(&row.operation),
            row.metric,
            row.base,
            row.candidate,
            row.relative,
            row.ci95
        );
        if out.len() + line.len() > MOST_BYTES {
            let _ = writeln!(out, "\n{} more rows are in compare.json.", view.rows.len() - i);
            break;
        }
        out.push_str(&line);
    }
    let _ = writeln!(out, "\n{}", escape::markdown(&method(comparison), 2_000));
    out
}

/// What a comparison comes to, as its own page says it.
pub(crate) fn headline(comparison: &Comparison) -> String {
    let view = View::of(comparison);
    format!("{}: {}", view.label, view.sentence)
}

fn page(comparison: &Comparison) -> Result<String, RecordError> {
    let mut view = View::of(comparison);
    view.rows.truncate(MOST_ROWS);
    let values = minijinja::context! {
        p => Value::from(Serde(view)),
        method => method(comparison),
        hidden => comparison.rows.len().saturating_sub(MOST_ROWS),
        style => html::STYLE,
    };
    html::page("compare.html", TEMPLATE, values)
}

/// The comparison in words.
#[derive(Serialize)]
struct View {
    /// The page's verdict and its colour.
    label: &'static str,
    class: &'static str,
    sentence: String,
    sides: [SideView; 2],
    notes: Vec<String>,
    lost: Vec<String>,
    /// Lost promises that are not among these.
    more_lost: usize,
    rows: Vec<RowView>,
}

#[derive(Serialize)]
struct SideView {
    name: String,
    /// How many, and how each was judged, worst first.
    runs: String,
    /// Each with its verdict, in order of time.
    ids: Vec<String>,
    implementations: Vec<String>,
}

#[derive(Serialize)]
struct RowView {
    label: &'static str,
    class: &'static str,
    operation: String,
    metric: &'static str,
    base: String,
    candidate: String,
    relative: String,
    ci95: String,
    p: String,
    /// Interval and value on an axis of 0–100, for the bar; absent without an interval.
    bar: Option<Bar>,
}

#[derive(Serialize)]
struct Bar {
    left: f64,
    width: f64,
    dot: f64,
}

impl View {
    fn of(comparison: &Comparison) -> Self {
        let mut rows: Vec<&Row> = comparison.rows.iter().collect();
        // What changed comes first; within that the page's own order.
        rows.sort_by_key(|row| match row.change {
            Change::Regression | Change::WorseOnce => 0,
            Change::Improvement | Change::BetterOnce => 1,
            Change::Unclear => 2,
            Change::Equivalent => 3,
            Change::TooFew => 4,
        });
        // The bars share one axis, as wide as the widest interval asks for, in steps that stay comparable.
        let widest = rows
            .iter()
            .filter_map(|r| r.ci95)
            .fold(comparison.noise * 2.0, |w, (low, high)| w.max(-low).max(high))
            .min(1.0);
        // Where something is unclear or could not be compared, "not worse" would say more than was seen.
        let unclear = rows.is_empty()
            || rows.iter().any(|r| matches!(r.change, Change::Unclear | Change::TooFew));
        let (label, class) = match (comparison.is_worse(), comparison.is_undecided(), unclear) {
            (false, _, _) if comparison.is_empty() => ("NOTHING COMPARED", "open"),
            (true, _, _) => ("WORSE", "fail"),
            (false, true, _) => ("WORSE ONCE", "open"),
            (false, false, true) => ("NO REGRESSION SEEN", "open"),
            (false, false, false) => ("NOT WORSE", "pass"),
        };
        Self {
            label,
            class,
            sentence: sentence(comparison),
            sides: [&comparison.base, &comparison.candidate].map(|side| SideView {
                name: side.name.clone(),
                runs: judged(side),
                ids: verdicts(side).map(|(run, verdict)| format!("{run} {verdict}")).collect(),
                implementations: side.implementations.clone(),
            }),
            notes: notes(comparison),
            lost: comparison
                .lost
                .iter()
                .take(MOST_LOST)
                .map(|l| format!("{}: {} in {} ({})", l.what, l.now, l.run, l.evidence))
                .map(|lost| shortened(&lost, LONGEST_LOST))
                .collect(),
            more_lost: comparison.lost.len().saturating_sub(MOST_LOST),
            rows: rows.into_iter().map(|row| RowView::of(row, widest)).collect(),
        }
    }
}

impl RowView {
    fn of(row: &Row, widest: f64) -> Self {
        let value = |v: Option<f64>| v.map_or_else(|| "–".to_owned(), |v| row.metric.show(v));
        let at = |relative: f64| (50.0 + 50.0 * relative / widest).clamp(0.0, 100.0);
        Self {
            label: row.change.label(),
            class: match row.change {
                Change::Regression => "fail",
                Change::Improvement | Change::Equivalent => "pass",
                Change::Unclear | Change::WorseOnce | Change::BetterOnce => "open",
                Change::TooFew => "unseen",
            },
            operation: row.operation.clone(),
            metric: row.metric.label(),
            base: value(row.base),
            candidate: value(row.candidate),
            relative: row.relative.map_or_else(|| "–".to_owned(), signed),
            ci95: row.ci95.map_or_else(
                || "too few operations or seconds".to_owned(),
                |(low, high)| format!("{} to {}", signed(low), signed(high)),
            ),
            p: row.p_adjusted.map_or_else(|| "–".to_owned(), |p| format!("{p:.3}")),
            bar: row.relative.zip(row.ci95).map(|(relative, (low, high))| Bar {
                left: at(low),
                width: at(high) - at(low),
                dot: at(relative),
            }),
        }
    }
}

/// A relative change (`+4.2 %`).
fn signed(relative: f64) -> String {
    if relative.abs() >= 9.995 {
        return format!("×{:.0}", relative + 1.0);
    }
    format!("{:+.1} %", relative * 100.0).replace('-', "−")
}

fn runs(n: usize) -> String {
    if n == 1 { "1 run".to_owned() } else { format!("{n} runs") }
}

/// The runs of a side with their verdicts.
fn verdicts(side: &Side) -> impl Iterator<Item = (&String, &Verdict)> {
    side.runs.iter().zip(&side.verdicts)
}

/// `3 runs: c FAIL, a PASS, b PASS`: the worst come first, since a long list is cut.
fn judged(side: &Side) -> String {
    let mut all: Vec<(&String, &Verdict)> = verdicts(side).collect();
    all.sort_by_key(|(_, verdict)| Reverse(**verdict));
    let named: Vec<String> =
        all.iter().map(|(run, verdict)| format!("{} {verdict}", shortened(run, 80))).collect();
    match named.is_empty() {
        true => runs(side.runs.len()),
        false => format!("{}: {}", runs(side.runs.len()), some_of(&named, MOST_NAMED)),
    }
}

fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn sentence(comparison: &Comparison) -> String {
    let count = |change| comparison.rows.iter().filter(|r| r.change == change).count();
    let things =
        |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    let figures = |n, how| format!("{} {how}", things(n, "figure", "figures"));
    let mut parts = Vec::new();
    let regressions = count(Change::Regression);
    if regressions > 0 {
        parts.push(things(regressions, "regression", "regressions"));
    }
    if !comparison.lost.is_empty() {
        parts.push(things(comparison.lost.len(), "promise lost", "promises lost"));
    }
    let once = count(Change::WorseOnce);
    if once > 0 {
        parts.push(format!("{} within these two runs, repeat to know", figures(once, "worse")));
    }
    if parts.is_empty() {
        let nothing = comparison.is_empty();
        let said = if nothing { "nothing could be compared" } else { "no regression seen" };
        parts.push(said.to_owned());
    }
    let improvements = count(Change::Improvement);
    if improvements > 0 {
        parts.push(things(improvements, "improvement", "improvements"));
    }
    let better = count(Change::BetterOnce);
    if better > 0 {
        parts.push(format!("{} within these two runs", figures(better, "better")));
    }
    parts.push(format!(
        "{} of {} comparisons equivalent within {}, {} unclear, {} not possible",
        count(Change::Equivalent),
        comparison.rows.len(),
        units::percent(comparison.noise),
        count(Change::Unclear),
        comparison.not_compared()
    ));
    parts.join(", ")
}

fn notes(comparison: &Comparison) -> Vec<String> {
    let mut notes = Vec::new();
    if !comparison.forced.is_empty() {
        notes.push("FORCED: the runs are not comparable, for these reasons:".to_owned());
        notes.extend(comparison.forced.iter().take(MOST_FORCED).map(ToString::to_string));
        let more = comparison.forced.len().saturating_sub(MOST_FORCED);
        if more > 0 {
            notes.push(format!("{more} more reasons are in compare.json"));
        }
    }
    if !comparison.left_out.is_empty() {
        notes.push(format!("Left out, since cut off: {}", some(&comparison.left_out)));
    }
    if comparison.single_runs {
        let said = if comparison.allow_single { SINGLE_COUNTS } else { SINGLE };
        notes.push(said.to_owned());
    }
    if let Some(pairs) = &comparison.pairs {
        notes.push(format!(
            "Interleaved: {} pairs of runs, in {} of which the base ran first",
            pairs.count, pairs.base_first
        ));
        if !pairs.alone.is_empty() {
            notes.push(format!("Left out, since without a partner: {}", some(&pairs.alone)));
        }
    }
    if !comparison.differences.is_empty() {
        notes.push(format!("Differs, and may: {}", by_field(&comparison.differences).join("; ")));
    }
    notes
}

/// How the figures came about, for this comparison.
fn method(comparison: &Comparison) -> String {
    let how = if comparison.pairs.is_some() { PAIRED } else { UNPAIRED };
    let corrected = comparison.corrected;
    let of = match corrected.candidates {
        1 => String::new(),
        n => format!(", of all {n} candidates that were compared with this base at once"),
    };
    format!("{how} {METHOD} The correction is over {} comparisons{of}.", corrected.comparisons)
}

/// Values that a line has room for.
const SHOWN: usize = 3;

/// `1, 2, 3 and 4 more`.
fn some<T: AsRef<str>>(values: &[T]) -> String {
    some_of(values, SHOWN)
}

fn some_of<T: AsRef<str>>(values: &[T], most: usize) -> String {
    let shown: Vec<&str> = values.iter().take(most).map(AsRef::as_ref).collect();
    let more = match values.len().saturating_sub(most) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    format!("{}{more}", shown.join(", "))
}

/// `field: 1, 2, 3 and 4 more`, one line per field.
fn by_field(differences: &[Mismatch]) -> Vec<String> {
    let mut fields: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for difference in differences {
        let values = fields.entry(&difference.field).or_insert_with(|| vec![&difference.first]);
        values.push(&difference.other);
    }
    fields.into_iter().map(|(field, values)| format!("{field}: {}", some(&values))).collect()
}
