//! Charts as SVG text, with the table behind each.
//!
//! Colours are CSS classes, so that a chart follows the light or dark scheme of the page around
//! it; a chart saved as a file of its own carries the style sheet inside.

mod axis;
mod canvas;
mod heat;
mod latency;
mod rates;
mod resources;
mod rows;
mod series;
pub(crate) mod trend;

use std::collections::BTreeMap;

use rows::Rows;

use crate::error::RecordError;
use crate::read::Run;
use crate::record::{OperationSummary, RunRecord, Verdict};
use crate::words;

pub(crate) use canvas::STYLE;

/// A chart with what a page needs to show it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Chart {
    /// File name without `.svg`: letters, digits and hyphens only.
    pub slug: String,
    /// What it shows, for people.
    pub title: String,
    /// The operation that it is about; empty for one of the whole run.
    pub operation: String,
    /// How to read it: what a point is, what was left out.
    pub note: String,
    /// SVG text without a style sheet, for a page that has the style sheet already.
    pub svg: String,
    /// The figures behind it.
    pub table: ChartTable,
}

impl Chart {
    /// SVG text that stands on its own.
    #[must_use]
    pub fn standalone(&self) -> String {
        match self.svg.find('>') {
            Some(at) => {
                let (head, body) = self.svg.split_at(at + 1);
                format!("{head}<style>{STYLE}</style>{body}")
            }
            None => self.svg.clone(),
        }
    }
}

/// The table behind a chart. Every row has as many cells as there are headers.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct ChartTable {
    /// Column headers, with units.
    pub headers: Vec<String>,
    /// Cells.
    pub rows: Vec<Vec<String>>,
}

/// The charts of a run, by section of the report.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Charts {
    /// Throughput over time, one per operation.
    pub throughput: Vec<Chart>,
    /// Latency over time and percentile curve, side by side, one pair per operation.
    pub latency: Vec<Chart>,
    /// CPU per component, backlog.
    pub resources: Vec<Chart>,
    /// What was left out, where anything was.
    pub left_out: Vec<String>,
}

impl Charts {
    /// Every chart, in the order of the report.
    pub fn iter(&self) -> impl Iterator<Item = &Chart> {
        self.throughput.iter().chain(&self.latency).chain(&self.resources)
    }
}

/// Most operations that get charts of their own.
pub(crate) const MOST: usize = 16;

/// The operations that get charts, in the record's order: all, or of more than [`MOST`] those with
/// an objective (missed ones first), then those with errors, then the busiest.
pub(crate) fn charted(record: &RunRecord) -> impl Iterator<Item = &OperationSummary> {
    let mut worst: BTreeMap<&str, Verdict> = BTreeMap::new();
    for objective in &record.objectives {
        let verdict = worst.entry(&objective.operation).or_insert(objective.verdict);
        *verdict = objective.verdict.max(*verdict);
    }
    let weight = |o: &OperationSummary| {
        (worst.get(o.name.as_str()).copied(), words::errors(o) > 0, o.completed)
    };
    let mut chosen: Vec<(usize, &OperationSummary)> =
        record.operations.iter().enumerate().collect();
    if chosen.len() > MOST {
        chosen.sort_by(|a, b| weight(b.1).cmp(&weight(a.1)).then(a.0.cmp(&b.0)));
        chosen.truncate(MOST);
        chosen.sort_by_key(|(place, _)| *place);
    }
    chosen.into_iter().map(|(_, operation)| operation)
}

/// Draws every chart of a run.
///
/// # Errors
/// A chart cannot be drawn; its name is in the error.
pub fn charts(run: &Run) -> Result<Charts, RecordError> {
    let mut charts = Charts::default();
    let operations = run.record.operations.len();
    if operations > MOST {
        charts.left_out.push(format!(
            "Charts are drawn for {MOST} of {operations} operations: those with objectives, then \
             those with errors, then the busiest. The figures of all are in run.json."
        ));
    }
    let rows = Rows::new(run);
    for (index, operation) in charted(&run.record).enumerate() {
        charts.throughput.push(rates::throughput(run, &rows, &operation.name, index)?);
        charts.latency.push(latency::over_time(run, &rows, operation, index)?);
        charts.latency.push(heat::map(run, rows.end_s, operation, index)?);
        charts.latency.push(latency::percentiles(run, operation, index)?);
    }
    charts.resources.push(resources::cpu(run, rows.end_s)?);
    charts.resources.push(rates::backlog(run, &rows)?);
    Ok(charts)
}

/// A name as part of a file name; the index keeps two names apart that read alike.
pub(crate) fn slug(prefix: &str, name: &str, index: usize) -> String {
    let mut out = format!("{prefix}-{:02}-", index + 1);
    for c in name.chars().take(40) {
        out.push(if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    }
    out
}

/// Prefixes of charts of one operation, as given to [`slug`].
const OF_OPERATIONS: [&str; 4] = ["throughput", "latency", "heat", "percentiles"];
/// Charts of the whole run.
const OF_THE_RUN: [&str; 2] = ["cpu", "backlog"];

/// Whether a file name without `.svg` is one that [`charts`] gives.
pub(crate) fn is_slug(name: &str) -> bool {
    let numbered = |rest: &str| {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let kept = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        digits >= 2 && rest[digits..].starts_with('-') && rest[digits..].bytes().all(kept)
    };
    OF_THE_RUN.contains(&name)
        || OF_OPERATIONS
            .iter()
            .filter_map(|prefix| name.strip_prefix(prefix)?.strip_prefix('-'))
            .any(numbered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chart_is_named_as_one_and_foreign_files_are_not() {
        for chart in charts(&crate::testing::run()).unwrap().iter() {
            assert!(is_slug(&chart.slug), "{}", chart.slug);
        }
        for foreign in
            ["", "latency", "latency-1", "latency-x-y", "notes", "cpu-2", "latency-01-../a"]
        {
            assert!(!is_slug(foreign), "{foreign}");
        }
    }

    #[test]
    fn file_names_cannot_leave_the_directory_or_collide() {
        assert_eq!(slug("latency", "../../etc/passwd", 0), "latency-01-------etc-passwd");
        assert_ne!(slug("latency", "a.b", 0), slug("latency", "a-b", 1));
    }
}
