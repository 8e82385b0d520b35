//! Changes that people know of, so that they raise no alarm.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::HistoryError;
use super::era::Era;
use super::series::{Change, Series};
use crate::error::RecordError;
use crate::record::RunRecord;

/// Points by which the first bad run of a change may move as more runs come in.
const WANDERS: usize = 2;

/// Which changes are known: lines of a run id, and perhaps an operation and a metric.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Acknowledged {
    lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    run: String,
    operation: Option<String>,
    metric: Option<String>,
}

impl Line {
    fn names(&self, run: &str, series: &Series) -> bool {
        self.run == run
            && self.operation.as_ref().is_none_or(|o| *o == series.name)
            && self.metric.as_ref().is_none_or(|m| *m == series.metric.label())
    }
}

impl Acknowledged {
    /// Reads a file: a line per change, of a run id, and perhaps an operation and a metric (`p99`); what follows a
    /// `#` is a comment.
    ///
    /// # Errors
    /// The file cannot be read, or a line has more words.
    pub fn read(path: &Path) -> Result<Self, HistoryError> {
        let text = fs::read_to_string(path).map_err(|e| RecordError::io(path, e))?;
        let mut lines = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let mut words = line.split('#').next().unwrap_or("").split_whitespace();
            let Some(run) = words.next().map(str::to_owned) else { continue };
            let mut next = || words.next().map(str::to_owned);
            let (operation, metric) = (next(), next());
            if let Some(more) = next() {
                let what = format!("{more:?} is one word too many");
                return Err(HistoryError::Acknowledged {
                    path: path.to_path_buf(),
                    line: number,
                    what,
                });
            }
            lines.push(Line { run, operation, metric });
        }
        Ok(Self { lines })
    }

    /// Whether the change of `series` at point `at` of its era is known.
    pub(super) fn knows(
        &self,
        era: &Era,
        records: &[RunRecord],
        series: &Series,
        at: usize,
    ) -> bool {
        let near = at.saturating_sub(WANDERS)..(at + WANDERS + 1).min(era.points.len());
        let mut runs = era.points[near].iter().flat_map(|point| &point.runs);
        runs.any(|i| self.lines.iter().any(|line| line.names(&records[*i].run_id, series)))
    }

    /// Lines that name no change, as they were written.
    pub(super) fn unmatched(&self, eras: &[Era], records: &[RunRecord]) -> Vec<String> {
        let named = |line: &Line| {
            let one = Self { lines: vec![line.clone()] };
            let of =
                |era: &Era, series: &Series, c: &Change| one.knows(era, records, series, c.point);
            eras.iter().any(|e| e.series.iter().any(|s| s.changes.iter().any(|c| of(e, s, c))))
        };
        let words = |line: &Line| {
            let parts = [Some(&line.run), line.operation.as_ref(), line.metric.as_ref()];
            parts.into_iter().flatten().cloned().collect::<Vec<_>>().join(" ")
        };
        self.lines.iter().filter(|line| !named(line)).map(words).collect()
    }
}
