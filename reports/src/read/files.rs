//! The readers of `run.json`, `series.csv` and `latency.hlog`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use serde::Deserialize;

use super::OperationHistograms;
use crate::error::RecordError;
use crate::record::{RunRecord, SCHEMA_VERSION, SeriesRow};
use crate::stats::Counts;
use crate::store::{Kind, hlog, series};

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
    serde_json::from_str(&text).map_err(wrong)
}

/// serde_json's message without its own "at line … column …".
pub(super) fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

pub(super) fn check_version(path: &Path, line: usize, found: &str) -> Result<(), RecordError> {
    let major = |v: &str| v.split('.').next().and_then(|m| m.parse::<u32>().ok());
    match (major(found), major(SCHEMA_VERSION)) {
        (None, _) => Err(RecordError::corrupt(
            path,
            line,
            format!("schema_version {found:?} is not a version number"),
        )),
        (Some(theirs), Some(ours)) if theirs > ours => Err(RecordError::NewerSchema {
            path: path.to_path_buf(),
            found: found.to_owned(),
            known: SCHEMA_VERSION,
        }),
        _ => Ok(()),
    }
}

/// Calls `each` with every line (number from 1, text, whether it ends in a newline). A file whose
/// last line has no newline was cut by a killed process.
pub(super) fn lines(
    path: &Path,
    mut each: impl FnMut(usize, &str, bool) -> Result<(), RecordError>,
) -> Result<(), RecordError> {
    let file = File::open(path).map_err(|e| RecordError::io(path, e))?;
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let mut buffer = Vec::new();
    let mut number = 0;
    loop {
        buffer.clear();
        if reader.read_until(b'\n', &mut buffer).map_err(|e| RecordError::io(path, e))? == 0 {
            return Ok(());
        }
        number += 1;
        let whole = buffer.last() == Some(&b'\n');
        if whole {
            buffer.pop();
        }
        match std::str::from_utf8(&buffer) {
            Ok(line) => each(number, line, whole)?,
            // A cut can fall inside a character.
            Err(_) if !whole => each(number, "", false)?,
            Err(_) => return Err(RecordError::corrupt(path, number, "not UTF-8 text")),
        }
    }
}

pub(super) fn torn(path: &Path, line: usize) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("line {line} of {name}, the last, was cut off and is left out")
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

/// Merges the intervals of the measured part by operation.
pub(super) fn hlog(
    path: &Path,
    notes: &mut Vec<String>,
) -> Result<BTreeMap<String, OperationHistograms>, RecordError> {
    let mut merged: BTreeMap<String, OperationHistograms> = BTreeMap::new();
    each_interval(
        path,
        notes,
        |_| true,
        |operation, kind, histogram| {
            if !merged.contains_key(operation) {
                let fresh = empty().ok_or("no histogram can be made")?;
                let both = OperationHistograms { response: fresh.clone(), service: fresh };
                merged.insert(operation.to_owned(), both);
            }
            let Some(both) = merged.get_mut(operation) else { return Ok(()) };
            let sum = match kind {
                Kind::Response => &mut both.response,
                Kind::Service => &mut both.service,
            };
            sum.add(histogram).map_err(|e| format!("histogram cannot be merged ({e})"))
        },
    )?;
    Ok(merged)
}

/// What each interval of the measured part recorded of response times, by operation, in order of time.
pub(super) fn response_intervals(
    path: &Path,
    notes: &mut Vec<String>,
) -> Result<BTreeMap<String, Vec<Counts>>, RecordError> {
    let mut intervals: BTreeMap<String, Vec<Counts>> = BTreeMap::new();
    let response = |kind| matches!(kind, Kind::Response);
    each_interval(path, notes, response, |operation, _, histogram| {
        let counts = histogram
            .iter_recorded()
            .map(|v| (v.value_iterated_to(), v.count_since_last_iteration()))
            .collect();
        intervals.entry(operation.to_owned()).or_default().push(counts);
        Ok(())
    })?;
    Ok(intervals)
}

/// Calls `each` with operation, kind and histogram of every interval of the measured part whose kind is
/// `wanted`, in file order.
fn each_interval(
    path: &Path,
    notes: &mut Vec<String>,
    wanted: impl Fn(Kind) -> bool,
    mut each: impl FnMut(&str, Kind, &Histogram<u64>) -> Result<(), String>,
) -> Result<(), RecordError> {
    let mut deserializer = Deserializer::new();
    lines(path, |number, line, whole| {
        if !whole {
            notes.push(torn(path, number));
            return Ok(());
        }
        if line.is_empty() || line.starts_with(['#', '"']) {
            return Ok(());
        }
        let wrong = |what: String| RecordError::corrupt(path, number, what);
        let with_end = format!("{line}\n");
        let Some(Ok(LogEntry::Interval(interval))) =
            IntervalLogIterator::new(with_end.as_bytes()).next()
        else {
            return Err(wrong("not a line of an HdrHistogram log".to_owned()));
        };
        let tag = interval.tag().map_or("", |t| t.as_str());
        if tag.starts_with(hlog::WARMUP) {
            return Ok(());
        }
        let Some((operation, kind)) = split_tag(tag) else {
            return Err(wrong(format!("tag {tag:?} names no operation and kind")));
        };
        if !wanted(kind) {
            return Ok(());
        }
        let bytes = STANDARD
            .decode(interval.encoded_histogram())
            .map_err(|e| wrong(format!("histogram is not base64 ({e})")))?;
        let histogram: Histogram<u64> = deserializer
            .deserialize(&mut bytes.as_slice())
            .map_err(|e| wrong(format!("histogram cannot be decoded ({e})")))?;
        each(operation, kind, &histogram).map_err(wrong)
    })
}

fn split_tag(tag: &str) -> Option<(&str, Kind)> {
    let (operation, kind) = tag.rsplit_once(':')?;
    let kind = [Kind::Response, Kind::Service].into_iter().find(|k| k.label() == kind)?;
    (!operation.is_empty()).then_some((operation, kind))
}

/// An empty histogram that grows as it needs to, three significant digits.
fn empty() -> Option<Histogram<u64>> {
    Histogram::new(3).ok()
}
