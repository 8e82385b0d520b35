//! The reader of `journal.jsonl`.

use std::path::Path;

use serde::Deserialize;

use super::lines::{check_version, lines, plain, torn};
use crate::error::RecordError;
use crate::record::{
    FeatureResult, JournalLine, ResourceRow, RunRecord, SeriesRow, TimelineEvent, Verdict,
};

/// What a journal holds.
#[derive(Default)]
pub(super) struct Journal {
    pub(super) start: Option<RunRecord>,
    pub(super) rows: Vec<SeriesRow>,
    pub(super) resources: Vec<ResourceRow>,
    pub(super) events: Vec<TimelineEvent>,
    pub(super) findings: Vec<FeatureResult>,
    pub(super) end: Option<(Verdict, u8)>,
}

/// How the writer begins an interval line. Most of a journal is these, and `series.csv` holds the
/// same rows, so they are passed over unread where it is there.
const INTERVAL: &str = r#"{"type":"interval""#;
/// How it begins most of the others; the tag need not be looked for in these.
const RESOURCES: &str = r#"{"type":"resources","rows":"#;

/// A line of resources behind its tag.
#[derive(Deserialize)]
struct Resources {
    rows: Vec<ResourceRow>,
}

/// Reads a journal; `with_rows` asks for the interval rows too.
pub(super) fn read(
    path: &Path,
    with_rows: bool,
    notes: &mut Vec<String>,
) -> Result<Journal, RecordError> {
    let mut journal = Journal::default();
    lines(path, |number, text, whole| {
        if !whole {
            notes.push(torn(path, number));
            return Ok(());
        }
        if !with_rows && text.starts_with(INTERVAL) {
            return Ok(());
        }
        let wrong = |e| RecordError::corrupt(path, number, plain(&e));
        if text.starts_with(RESOURCES) {
            let Resources { mut rows } = serde_json::from_str(text).map_err(wrong)?;
            journal.resources.append(&mut rows);
            return Ok(());
        }
        let line: JournalLine = serde_json::from_str(text).map_err(wrong)?;
        match line {
            JournalLine::Start { record } => {
                check_version(path, number, &record.schema_version)?;
                journal.start = Some(*record);
            }
            JournalLine::Interval { mut rows } if with_rows => journal.rows.append(&mut rows),
            JournalLine::Interval { .. } => {}
            JournalLine::Resources { mut rows } => journal.resources.append(&mut rows),
            JournalLine::Event(event) => journal.events.push(event),
            JournalLine::Finding(finding) => journal.findings.push(finding),
            JournalLine::End { verdict, exit_code } => journal.end = Some((verdict, exit_code)),
        }
        Ok(())
    })?;
    Ok(journal)
}
