//! Reading a run directory, whole or cut short.

mod files;
mod heat;
mod histogram;
mod hlog;
mod journal;
mod lines;
mod plausible;
mod rebuild;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::{Builder, ScopedJoinHandle};

use hdrhistogram::Histogram;

use crate::error::RecordError;
use crate::record::{ResourceRow, RunRecord, SeriesRow};
use crate::stats::Counts;
use crate::store::{JOURNAL, LATENCY_LOG, RUN_JSON, SERIES};
use crate::{plots, summary};

pub(crate) use heat::Heat;
pub(crate) use histogram::Decoder;
#[cfg(test)]
pub(crate) use hlog::each_interval;

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

impl Intervals {
    /// Checks that the files of the run in `dir` belong together.
    ///
    /// # Errors
    /// [`RecordError::Implausible`] with the file that does not add up to `run.json`.
    pub(crate) fn reconcile(&self, dir: &Path) -> Result<(), RecordError> {
        let rows = plausible::rows(&self.record, &self.series).into_iter().next();
        if let Some(what) = rows {
            return Err(RecordError::implausible(&dir.join(SERIES), what));
        }
        let total = |(name, intervals): (&String, &Vec<Counts>)| {
            (name.clone(), intervals.iter().fold((0, 0), plausible::add))
        };
        let totals = self.response.iter().map(total).collect();
        match plausible::log(self.record.operations.iter(), &totals).into_iter().next() {
            Some(what) => Err(RecordError::implausible(&dir.join(LATENCY_LOG), what)),
            None => Ok(()),
        }
    }
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
    /// Histograms of the measured part, merged, by operation: of those that are charted.
    pub histograms: BTreeMap<String, OperationHistograms>,
    /// How their response times spread over time.
    pub(crate) heat: BTreeMap<String, Heat>,
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
        let written = if has_record { Some(files::run_json(&run_json)?) } else { None };
        // Whoever has thousands of operations is not to have as many histograms in memory.
        let charted = written.as_ref().map(charted_names);
        let files = Files::read(dir, charted.as_ref())?;
        let Files { mut series, mut journal, log, mut notes } = files;
        if !journal_path.exists() {
            notes.push(format!("{JOURNAL} is missing, so resource use over time is not shown"));
        }
        if !dir.join(SERIES).exists() {
            notes.push(format!("{SERIES} is missing; its rows were taken from {JOURNAL}"));
            series = std::mem::take(&mut journal.rows);
        }
        // Of a killed run the record is made from these files.
        if let Some(record) = written.as_ref().filter(|_| dir.join(SERIES).exists()) {
            notes.extend(plausible::few(plausible::rows(record, &series)));
        }
        let log = match log {
            Some(log) => {
                notes.extend(ends_early(&log, &series));
                if let Some(record) = &written {
                    let total = |(name, merged): (&String, &hlog::Merged)| {
                        (name.clone(), plausible::add((0, 0), &merged.response))
                    };
                    let totals = log.operations.iter().map(total).collect();
                    let apart = plausible::log(plots::charted(record), &totals);
                    notes.extend(plausible::few(apart));
                } else if log.operations.is_empty() {
                    notes.push(format!(
                        "{LATENCY_LOG} holds no interval, so percentiles and their curves are not shown"
                    ));
                }
                log
            }
            None => {
                notes.push(format!("{LATENCY_LOG} is missing, so percentile curves are not shown"));
                hlog::Log::default()
            }
        };

        let resources = std::mem::take(&mut journal.resources);
        let record = match written {
            Some(record) => record,
            None => rebuild::record(&journal_path, journal, &series, &resources, &log)?,
        };
        let charted = charted_names(&record);
        let (mut histograms, mut heat) = (BTreeMap::new(), BTreeMap::new());
        for (name, merged) in log.operations {
            if charted.contains(name.as_str()) {
                let both = hlog::histograms(&merged)
                    .ok_or_else(|| rebuild::too_large(&dir.join(LATENCY_LOG), &name))?;
                heat.insert(name.clone(), merged.heat);
                histograms.insert(name, both);
            }
        }
        Ok(Self { dir: dir.to_path_buf(), record, series, resources, histograms, heat, notes })
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
        let response = hlog::response_intervals(&dir.join(LATENCY_LOG), &mut notes)?;
        Ok(Intervals { record, series, response })
    }

    /// Reads `run.json` and nothing else, of a run that ended in order.
    ///
    /// # Errors
    /// The file cannot be read, was cut or edited, or is of a newer schema.
    pub(crate) fn record_only(dir: &Path) -> Result<RunRecord, RecordError> {
        files::run_json(&dir.join(RUN_JSON))
    }

    /// Length of the measured part in seconds, see [`summary::measured_s`]; 0 where nothing was.
    #[must_use]
    pub fn measured_s(&self) -> f64 {
        summary::measured_s(&self.record, &self.series)
    }
}

/// Names of the operations that get charts.
fn charted_names(record: &RunRecord) -> BTreeSet<&str> {
    plots::charted(record).map(|o| o.name.as_str()).collect()
}

/// What the files beside `run.json` hold.
struct Files {
    series: Vec<SeriesRow>,
    journal: journal::Journal,
    log: Option<hlog::Log>,
    notes: Vec<String>,
}

impl Files {
    /// Reads those that are there, side by side: a day's record is a gigabyte.
    fn read(dir: &Path, charted: Option<&BTreeSet<&str>>) -> Result<Self, RecordError> {
        let path = |name: &str| Some(dir.join(name)).filter(|path| path.exists());
        let (series_path, journal_path, log_path) =
            (path(SERIES), path(JOURNAL), path(LATENCY_LOG));
        let rows_wanted = series_path.is_none();
        let read_log = || {
            let mut notes = Vec::new();
            let log = log_path.map(|path| hlog::read(&path, &mut notes, charted)).transpose()?;
            Ok((log, notes))
        };
        let read_journal = || {
            let mut notes = Vec::new();
            let journal = journal_path
                .map(|path| journal::read(&path, rows_wanted, &mut notes))
                .transpose()?;
            Ok((journal.unwrap_or_default(), notes))
        };
        let mut notes = Vec::new();
        let (series, journal, log) = std::thread::scope(|scope| {
            let log = Builder::new().spawn_scoped(scope, read_log);
            let journal = Builder::new().spawn_scoped(scope, read_journal);
            let series = series_path.map(|path| files::series(&path, &mut notes)).transpose();
            (series, joined(dir, journal), joined(dir, log))
        });
        // Of several files that cannot be read, the one is named that was always named first.
        let series = series?.unwrap_or_default();
        let (journal, journal_notes) = journal?;
        let (log, log_notes) = log?;
        notes.extend(journal_notes);
        notes.extend(log_notes);
        Ok(Self { series, journal, log, notes })
    }
}

/// What a thread that reads in `dir` returned; its panic goes on here.
fn joined<T>(
    dir: &Path,
    thread: io::Result<ScopedJoinHandle<'_, Result<T, RecordError>>>,
) -> Result<T, RecordError> {
    let thread = thread.map_err(|e| RecordError::io(dir, e))?;
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Says where the log of a killed run lacks its last, unfinished interval.
fn ends_early(log: &hlog::Log, series: &[SeriesRow]) -> Option<String> {
    let completed =
        series.iter().filter(|r| r.completed > 0 && log.operations.contains_key(&r.operation));
    let last_s = completed.map(|r| r.t_s).fold(0.0, f64::max);
    (last_s > log.end_s + 1.5).then(|| {
        format!(
            "{LATENCY_LOG} ends {:.0} s before {SERIES}; what completed after is in no percentile",
            last_s - log.end_s
        )
    })
}
