//! Writing the run directory while the run goes on, so that a killed process loses at most the
//! interval it was in: a second, and of `latency.hlog` in runs of more than a quarter of an hour up
//! to [`log_interval_s`].

mod appender;
mod finite;
pub(crate) mod hlog;
pub(crate) mod series;

pub use hlog::{MOST_INTERVALS, log_interval_s};

use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use hdrhistogram::Histogram;

use crate::error::RecordError;
use crate::record::{JournalLine, ResourceRow, RunRecord, SeriesRow};
use appender::Appender;

/// The record itself.
pub const RUN_JSON: &str = "run.json";
/// The append-only journal.
pub const JOURNAL: &str = "journal.jsonl";
/// One row per second and operation.
pub const SERIES: &str = "series.csv";
/// The HdrHistogram interval log.
pub const LATENCY_LOG: &str = "latency.hlog";

/// Which of an operation's two times a histogram holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// End − intended start.
    Response,
    /// End − actual start.
    Service,
}

impl Kind {
    /// The word in the log's tags.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Response => "response",
            Self::Service => "service",
        }
    }
}

/// One operation's histogram of one interval.
#[derive(Debug, Clone, Copy)]
pub struct IntervalHistogram<'a> {
    /// Operation.
    pub operation: &'a str,
    /// Response or service time.
    pub kind: Kind,
    /// Start of the interval, in seconds since the run's epoch.
    pub start_s: f64,
    /// Length of the interval in seconds.
    pub dt_s: f64,
    /// Nanoseconds.
    pub histogram: &'a Histogram<u64>,
}

/// Writes a run directory. Every method hands its lines to the kernel before it returns; a write
/// that fails half-way is taken back, so that the files stay readable.
#[derive(Debug)]
pub struct RunWriter {
    dir: PathBuf,
    journal: Appender,
    series: Appender,
    hlog: hlog::HlogWriter,
    /// Figures of rows that were not finite so far.
    not_finite: u64,
}

impl RunWriter {
    /// Creates the directory (mode 0755) and its files.
    ///
    /// # Errors
    /// A run is there already, permission is missing, or the file system is full.
    pub fn create(dir: &Path) -> Result<Self, RecordError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(dir)
            .map_err(|e| RecordError::io(dir, e))?;
        let journal = Appender::create(&dir.join(JOURNAL))?;
        let mut series = Appender::create(&dir.join(SERIES))?;
        series.append(series::HEADER.as_bytes())?;
        let hlog = hlog::HlogWriter::new(Appender::create(&dir.join(LATENCY_LOG))?);
        Ok(Self { dir: dir.to_path_buf(), journal, series, hlog, not_finite: 0 })
    }

    /// The run directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Appends a line to the journal. The start line's plan decides how long the intervals of
    /// `latency.hlog` are, see [`log_interval_s`].
    ///
    /// # Errors
    /// The journal cannot be written.
    pub fn journal(&mut self, line: &JournalLine) -> Result<(), RecordError> {
        if let JournalLine::Start { record } = line {
            self.hlog.plan(record.config.warmup_s + record.config.duration_s);
        }
        let mut text = serde_json::to_vec(line).map_err(|e| RecordError::Io {
            path: self.dir.join(JOURNAL),
            source: std::io::Error::other(e),
        })?;
        text.push(b'\n');
        self.journal.append(&text)
    }

    /// Appends one second: rows to `series.csv` and the journal, histograms to `latency.hlog`, where
    /// the seconds of a long run are merged (see [`log_interval_s`]).
    /// A histogram whose operation's row is not `measured` is tagged `warmup:` and stays out of
    /// every summary. Empty histograms are left out. Figures that are not finite are written as 0
    /// and counted for [`RunWriter::finish`].
    ///
    /// # Errors
    /// An operation's name cannot be written, a histogram cannot be encoded, or a file cannot be
    /// written.
    pub fn interval(
        &mut self,
        rows: &[SeriesRow],
        histograms: &[IntervalHistogram<'_>],
    ) -> Result<(), RecordError> {
        for name in
            rows.iter().map(|r| r.operation.as_str()).chain(histograms.iter().map(|h| h.operation))
        {
            check_name(name)?;
        }
        let fix = |row: &SeriesRow| finite::series_row(row.clone(), &mut self.not_finite);
        let rows: Vec<SeriesRow> = rows.iter().map(fix).collect();
        let mut text = String::with_capacity(rows.len() * 160);
        for row in &rows {
            series::push_row(&mut text, row);
        }
        self.series.append(text.as_bytes())?;
        self.hlog.append(&rows, histograms)?;
        self.journal(&JournalLine::Interval { rows })
    }

    /// Appends one second of every component's resource use to the journal. Figures that are not
    /// finite are written as 0 and counted for [`RunWriter::finish`].
    ///
    /// # Errors
    /// The journal cannot be written.
    pub fn resources(&mut self, rows: &[ResourceRow]) -> Result<(), RecordError> {
        let fix = |row: &ResourceRow| finite::resource_row(row.clone(), &mut self.not_finite);
        let rows = rows.iter().map(fix).collect();
        self.journal(&JournalLine::Resources { rows })
    }

    /// Ends the run: the journal's last line, then `run.json`, which appears whole or not at all.
    /// Figures that are not finite (0 ÷ 0 in an empty run) are written as 0, and a warning in the
    /// record says how many there were, those of rows among them.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn finish(mut self, record: &RunRecord) -> Result<(), RecordError> {
        let record = finite::run_record(record.clone(), self.not_finite);
        self.journal(&JournalLine::End { verdict: record.verdict, exit_code: record.exit_code })?;
        self.journal.sync()?;
        self.series.sync()?;
        self.hlog.finish()?;
        write_run_json(&self.dir, &record)
    }
}

/// Writes `run.json` by way of a temporary file and a rename.
fn write_run_json(dir: &Path, record: &RunRecord) -> Result<(), RecordError> {
    let path = dir.join(RUN_JSON);
    let mut text = serde_json::to_vec_pretty(record)
        .map_err(|e| RecordError::Io { path: path.clone(), source: std::io::Error::other(e) })?;
    text.push(b'\n');
    write_atomically(&path, &text, true)
}

/// Writes a whole file, or leaves what was there. `durable` waits until it is on the device.
pub(crate) fn write_atomically(
    path: &Path,
    content: &[u8],
    durable: bool,
) -> Result<(), RecordError> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    let write = || {
        let mut file = File::create(&temporary)?;
        file.write_all(content)?;
        if durable {
            file.sync_all()?;
        }
        fs::rename(&temporary, path)
    };
    write().map_err(|e| {
        // The half-written copy only takes room; that it cannot be removed changes nothing.
        let _ = fs::remove_file(&temporary);
        RecordError::io(path, e)
    })
}

fn check_name(name: &str) -> Result<(), RecordError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
        return Err(RecordError::BadOperationName { name: name.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_directory_is_readable_by_everyone_and_a_second_run_is_refused() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = tmp.path().join("runs/one");
        drop(RunWriter::create(&dir).unwrap());
        let mode = fs::metadata(&dir).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o700, 0o700);
        let error = RunWriter::create(&dir).unwrap_err();
        assert!(matches!(error, RecordError::Exists { .. }), "{error}");
        assert!(!error.to_string().contains('\n'));
    }

    #[test]
    fn names_that_would_break_a_file_are_refused_before_anything_is_written() {
        let tmp = tempfile::tempdir().unwrap();
        let mut writer = RunWriter::create(tmp.path()).unwrap();
        for bad in ["", "a b", "a,b", "a\nb", "<script>", &"x".repeat(65)] {
            let row = SeriesRow { operation: bad.into(), ..SeriesRow::default() };
            assert!(matches!(
                writer.interval(&[row], &[]),
                Err(RecordError::BadOperationName { .. })
            ));
        }
        assert_eq!(fs::read_to_string(tmp.path().join(SERIES)).unwrap(), series::HEADER);
    }

    #[test]
    fn a_failed_atomic_write_leaves_the_old_file_and_no_copy() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("missing/run.json");
        assert!(write_atomically(&path, b"x", false).is_err());
        let path = tmp.path().join("run.json");
        write_atomically(&path, b"one", false).unwrap();
        write_atomically(&path, b"two", false).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(tmp.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_full_device_is_named_as_such() {
        let error = RecordError::io(
            Path::new("/runs/x/series.csv"),
            std::io::Error::from(std::io::ErrorKind::StorageFull),
        );
        assert_eq!(
            error.to_string(),
            "/runs/x/series.csv: no space left on the device; free some and run again"
        );
    }
}
