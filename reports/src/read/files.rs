//! The readers of `run.json` and `series.csv`.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::lines::{check_version, lines, plain, torn};
use super::plausible;
use crate::error::RecordError;
use crate::record::{RunRecord, SeriesRow};
use crate::store::series;

#[derive(Deserialize)]
struct Version {
    schema_version: String,
}

/// Reads `run.json`; the version first, so that a newer record is named as such.
pub(super) fn run_json(path: &Path) -> Result<RunRecord, RecordError> {
    let text = fs::read_to_string(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::InvalidData => RecordError::corrupt(path, 1, "not UTF-8 text"),
        _ => RecordError::io(path, e),
    })?;
    let wrong = |e: serde_json::Error| RecordError::corrupt(path, e.line().max(1), plain(&e));
    let version: Version = serde_json::from_str(&text).map_err(wrong)?;
    check_version(path, 1, &version.schema_version)?;
    let record = serde_json::from_str(&text).map_err(wrong)?;
    match plausible::figure(&record) {
        Some(what) => Err(RecordError::implausible(path, what)),
        None => Ok(record),
    }
}

pub(super) fn series(path: &Path, notes: &mut Vec<String>) -> Result<Vec<SeriesRow>, RecordError> {
    let mut rows = Vec::new();
    lines(path, |number, line, whole| {
        if !whole {
            notes.push(torn(path, number));
        } else if number == 1 {
            if line != series::HEADER.trim_end() {
                return Err(RecordError::corrupt(path, 1, "not the header of a series.csv"));
            }
        } else {
            rows.push(series::parse_row(line).map_err(|e| RecordError::corrupt(path, number, e))?);
        }
        Ok(())
    })?;
    Ok(rows)
}
