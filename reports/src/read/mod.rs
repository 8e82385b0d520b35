//! Reading a run directory, whole or cut short.

mod files;
mod journal;
mod rebuild;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hdrhistogram::Histogram;

use crate::error::RecordError;
use crate::record::{ResourceRow, RunRecord, SeriesRow};
use crate::stats::Counts;
use crate::store::{JOURNAL, LATENCY_LOG, RUN_JSON, SERIES};
use crate::summary;

/// An operation's latencies over the measured part, in nanoseconds.
#[derive(Debug, Clone)]
pub struct OperationHistograms {
    /// End − intended start.
    pub response: Histogram<u64>,
    /// End − actual start.
    pub service: Histogram<u64>,
}

/// A run as comparison reads it.
pub(crate) struct Intervals {
    pub(crate) record: RunRecord,
    pub(crate) series: Vec<SeriesRow>,
    pub(crate) response: BTreeMap<String, Vec<Counts>>,
}

/// A run as read from its directory.
#[derive(Debug, Clone)]
pub struct Run {
    /// The directory.
    pub dir: PathBuf,
    /// The record: `run.json`, or what can be rebuilt of it from the other files.
    pub record: RunRecord,
    /// The rows of `series.csv`, in file order.
    pub series: Vec<SeriesRow>,
    /// Resource use, from the journal.
    pub resources: Vec<ResourceRow>,
    /// Histograms of the measured part, merged, by operation.
    pub histograms: BTreeMap<String, OperationHistograms>,
    /// What a reader must know about the files themselves (a torn last line, a missing file …).
    pub notes: Vec<String>,
}

impl Run {
    /// Reads a run directory.
    ///
    /// Without `run.json` (a killed run) the record is rebuilt from `journal.jsonl`, `series.csv`
    /// and `latency.hlog`: marked interrupted, INCONCLUSIVE, exit code 4. A torn last line of any
    /// of these is left out and noted.
    ///
    /// # Errors
    /// The directory is no run, a file was cut or edited (named with its line), or the record is
    /// of a newer schema.
    pub fn open(dir: &Path) -> Result<Self, RecordError> {
        if !dir.is_dir() {
            return Err(RecordError::NotADirectory { path: dir.to_path_buf() });
        }
        let (run_json, journal_path) = (dir.join(RUN_JSON), dir.join(JOURNAL));
        let has_record = run_json.exists();
        if !has_record && !journal_path.exists() {
            return Err(RecordError::NotARun { path: dir.to_path_buf() });
        }
        let mut notes = Vec::new();
        let record = if has_record { Some(files::run_json(&run_json)?) } else { None };

        let series_path = dir.join(SERIES);
        let mut series = Vec::new();
        let has_series = series_path.exists();
        if has_series {
            series = files::series(&series_path, &mut notes)?;
        }
        let mut journal = journal::Journal::default();
        if journal_path.exists() {
            journal = journal::read(&journal_path, !has_series, &mut notes)?;
        } else {
            notes.push(format!("{JOURNAL} is missing, so resource use over time is not shown"));
        }
        if !has_series {
            notes.push(format!("{SERIES} is missing; its rows were taken from {JOURNAL}"));
            series = std::mem::take(&mut journal.rows);
        }
        let hlog_path = dir.join(LATENCY_LOG);
        let mut histograms = BTreeMap::new();
        if hlog_path.exists() {
            histograms = files::hlog(&hlog_path, &mut notes)?;
        } else {
            notes.push(format!("{LATENCY_LOG} is missing, so percentile curves are not shown"));
        }

        let resources = std::mem::take(&mut journal.resources);
        let record = match record {
            Some(record) => record,
            None => rebuild::record(&journal_path, journal, &series, &resources, &histograms)?,
        };
        Ok(Self { dir: dir.to_path_buf(), record, series, resources, histograms, notes })
    }

    /// Reads what [`crate::compare`] needs of a run that ended in order: the record, the series, and what each
    /// interval of the measured part recorded of response times, by operation.
    ///
    /// # Errors
    /// As [`Run::open`]; also where `run.json`, `series.csv` or `latency.hlog` is missing.
    pub(crate) fn intervals(dir: &Path) -> Result<Intervals, RecordError> {
        if !dir.is_dir() {
            return Err(RecordError::NotADirectory { path: dir.to_path_buf() });
        }
        let mut notes = Vec::new();
        let record = files::run_json(&dir.join(RUN_JSON))?;
        let series = files::series(&dir.join(SERIES), &mut notes)?;
        let response = files::response_intervals(&dir.join(LATENCY_LOG), &mut notes)?;
        Ok(Intervals { record, series, response })
    }

    /// Length of the measured part in seconds, see [`summary::measured_s`]; 0 where nothing was.
    #[must_use]
    pub fn measured_s(&self) -> f64 {
        summary::measured_s(&self.record, &self.series)
    }
}
