//! `history.html`, `history.md` and `history.json`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use minijinja::Value;
use minijinja::value::Serde;

use super::words::{METHOD, View, name};
use super::{Era, History, Metric, Series};
use crate::error::RecordError;
use crate::plots::trend::Trend;
use crate::plots::{Chart, ChartTable};
use crate::store::write_atomically;
use crate::{escape, html, plots};

const TEMPLATE: &str = include_str!("../templates/history.html");
/// GitHub's limit is 65,536 characters.
const MOST_BYTES: usize = 60_000;
/// Eras that get charts; each of the others is listed.
const MOST_DRAWN: usize = 6;
/// Operations and components of an era that get charts.
const MOST_SERIES: usize = 120;
/// Marks of one chart; more would hide the lines.
const MOST_MARKS: usize = 12;

/// Where [`render`] put things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPaths {
    /// `history.html`.
    pub html: PathBuf,
    /// `history.md`.
    pub markdown: PathBuf,
    /// `history.json`.
    pub json: PathBuf,
}

/// Writes `history.html`, `history.md` and `history.json` into `dir`.
///
/// # Errors
/// A page cannot be made or written.
pub fn render(history: &History, dir: &Path) -> Result<HistoryPaths, RecordError> {
    fs::create_dir_all(dir).map_err(|e| RecordError::io(dir, e))?;
    let paths = HistoryPaths {
        html: dir.join("history.html"),
        markdown: dir.join("history.md"),
        json: dir.join("history.json"),
    };
    let json = serde_json::to_string_pretty(history)
        .map_err(|e| RecordError::Render { what: "history.json".to_owned(), why: e.to_string() })?;
    write_atomically(&paths.json, format!("{json}\n").as_bytes(), false)?;
    write_atomically(&paths.markdown, markdown(history).as_bytes(), false)?;
    write_atomically(&paths.html, html(history)?.as_bytes(), false)?;
    Ok(paths)
}

/// The HTML text.
pub(crate) fn html(history: &History) -> Result<String, RecordError> {
    let charts = history
        .eras
        .iter()
        .enumerate()
        .map(|(i, era)| if i < MOST_DRAWN { charts(history, era) } else { Ok(Vec::new()) })
        .collect::<Result<Vec<_>, _>>()?;
    let left_out = history.eras.len().saturating_sub(MOST_DRAWN);
    let undrawn: Vec<usize> = history
        .eras
        .iter()
        .zip(&charts)
        .map(|(era, drawn)| worth_drawing(era).count().saturating_sub(drawn.len()))
        .collect();
    let values = minijinja::context! {
        undrawn => undrawn,
        p => Value::from(Serde(View::of(history))),
        charts => Value::from(Serde(charts)),
        left_out => left_out,
        method => METHOD,
        noise => crate::units::percent(history.noise),
        recent => history.recent,
        style => html::STYLE,
        chart_style => plots::STYLE,
    };
    html::page("history.html", TEMPLATE, values)
}

fn charts(history: &History, era: &Era) -> Result<Vec<Chart>, RecordError> {
    let drawn = worth_drawing(era).take(MOST_SERIES).enumerate();
    drawn.map(|(i, s)| chart(history, era, s, i)).collect()
}

fn worth_drawing(era: &Era) -> impl Iterator<Item = &Series> {
    let worth = era.series.iter().filter(|s| s.values.iter().flatten().count() > 1);
    // No errors in any run is said once in the verdicts, not in a chart for each operation.
    worth.filter(|s| s.metric != Metric::Errors || s.values.iter().flatten().any(|v| *v > 0.0))
}

fn chart(
    history: &History,
    era: &Era,
    series: &Series,
    index: usize,
) -> Result<Chart, RecordError> {
    let levels = series.levels();
    let cell = |v: &Option<f64>| v.map_or_else(|| "–".to_owned(), |v| series.metric.text(v));
    let runs = |point: &super::Point| {
        let ids: Vec<&str> = point.runs.iter().map(|i| history.runs[*i].run_id.as_str()).collect();
        ids.join(", ")
    };
    let mut marks: Vec<(usize, String)> =
        series.changes.iter().map(|c| (c.point, c.kind.label().to_lowercase())).collect();
    let room = MOST_MARKS.saturating_sub(marks.len());
    let versions = era.versions.iter().rev().filter(|v| !is_of_host(&v.what)).take(room);
    marks.extend(versions.map(|v| (v.point, format!("{} {}", v.what, v.after))));
    marks.sort_by_key(|(point, _)| *point);
    Trend {
        index,
        title: format!("{}: {}", series.name, series.metric.label()),
        unit: series.metric.unit(),
        labels: era.points.iter().map(|p| p.day.clone()).collect(),
        values: series.values.clone(),
        levels: levels.clone(),
        latency: series.metric.is_latency(),
        share: series.metric == Metric::Errors,
        marks,
        table: ChartTable {
            headers: vec!["run".into(), series.metric.label().into(), "level".into()],
            rows: era
                .points
                .iter()
                .zip(&series.values)
                .zip(&levels)
                .map(|((point, value), level)| vec![runs(point), cell(value), cell(level)])
                .collect(),
        },
    }
    .draw()
}

/// Kernel and operating system are listed with the era; in every chart they would be noise.
fn is_of_host(what: &str) -> bool {
    matches!(what, "kernel" | "operating system")
}

/// The history for a pull request or a job's summary, under 60 kB.
#[must_use]
pub fn markdown(history: &History) -> String {
    let view = View::of(history);
    let cell = |s: &str| escape::markdown(s, 200);
    let icon = match view.class {
        "fail" => "❌",
        "pass" => "✅",
        _ => "❔",
    };
    // Writing into a String cannot fail.
    let mut out = format!("# {icon} {}\n\n{}\n\n", view.label, cell(&view.sentence));
    for note in view.notes.iter().take(20) {
        let _ = writeln!(out, "> {}\n", cell(note));
    }
    let mut rows = Vec::new();
    for change in &view.changes {
        let with = [change.with.as_str(), change.state.as_str()];
        let with: Vec<&str> = with.into_iter().filter(|s| !s.is_empty()).collect();
        rows.push(format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} |\n",
            change.label,
            cell(&change.day),
            cell(&change.series),
            change.before,
            change.after,
            change.by,
            cell(&change.run),
            cell(&with.join("; "))
        ));
    }
    if !rows.is_empty() {
        out.push_str("| | day | what | before | after | change | first run | with |\n");
        out.push_str("|---|---|---|---:|---:|---:|---|---|\n");
    }
    let mut shown = 0;
    for row in &rows {
        if out.len() + row.len() > MOST_BYTES / 2 {
            break;
        }
        out.push_str(row);
        shown += 1;
    }
    if shown < history.changes().len() {
        let _ = writeln!(
            out,
            "\n{} more changes are in history.json.",
            history.changes().len() - shown
        );
    }
    out.push('\n');
    for (era, of) in view.eras.iter().zip(&history.eras) {
        let line = format!("- **{}**: {}; {}\n", cell(&name(of)), cell(&era.span), era.counts);
        if out.len() + line.len() + METHOD.len() > MOST_BYTES {
            break;
        }
        out.push_str(&line);
    }
    let _ = writeln!(out, "\n{METHOD}");
    out
}
