//! `latency.hlog`: an HdrHistogram interval log (format 1.3, V2 compressed), as the Java, Python
//! and Rust readers take it.
//!
//! The crate's own log writer borrows its output for its whole life, which a writer that lives as
//! long as a run cannot offer; the lines are simple enough to be written here, and the tests read
//! them back with the crate's reader.
//!
//! An interval of the log is a second in a run of up to [`MOST_INTERVALS`] seconds. In a longer one
//! it is as many whole seconds as keep the log at that many lines per operation and kind: seconds
//! are merged, which loses nothing but their order, so that a day's log can be read in a second.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};

use super::appender::Appender;
use super::{IntervalHistogram, Kind};
use crate::error::RecordError;
use crate::record::SeriesRow;
use crate::stats::cell;

/// Start of the tags of warm-up intervals.
pub(crate) const WARMUP: &str = "warmup:";
/// The format's convention: maxima in milliseconds beside histograms in nanoseconds.
const MAX_VALUE_UNIT: f64 = 1_000_000.0;

/// About how many intervals of an operation and kind a log holds at most.
pub const MOST_INTERVALS: u32 = 900;

/// Length of the log's intervals, in whole seconds, for a run that is planned to take `planned_s`
/// seconds with its warm-up: the shortest with which at most [`MOST_INTERVALS`] are needed.
#[must_use]
pub fn log_interval_s(planned_s: f64) -> u64 {
    // The cast saturates, and takes NaN as 0.
    ((planned_s / f64::from(MOST_INTERVALS)).ceil() as u64).max(1)
}

pub(super) struct HlogWriter {
    file: Appender,
    serializer: V2DeflateSerializer,
    encoded: Vec<u8>,
    begun: bool,
    interval_s: u64,
    /// Number of the interval at hand.
    cell: u64,
    /// What the interval at hand has recorded so far; empty where an interval is a second.
    open: Vec<Open>,
}

/// Seconds of one operation and kind that will be one interval.
struct Open {
    operation: String,
    kind: Kind,
    warmup: bool,
    start_s: f64,
    end_s: f64,
    histogram: Histogram<u64>,
}

impl std::fmt::Debug for HlogWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HlogWriter").field("file", &self.file).finish_non_exhaustive()
    }
}

impl HlogWriter {
    pub(super) fn new(file: Appender) -> Self {
        Self {
            file,
            serializer: V2DeflateSerializer::new(),
            encoded: Vec::new(),
            begun: false,
            interval_s: 1,
            cell: 0,
            open: Vec::new(),
        }
    }

    /// Sets the length of intervals, before the first one.
    pub(super) fn plan(&mut self, planned_s: f64) {
        self.interval_s = log_interval_s(planned_s);
    }

    pub(super) fn append(
        &mut self,
        rows: &[SeriesRow],
        histograms: &[IntervalHistogram<'_>],
    ) -> Result<(), RecordError> {
        let filled = || histograms.iter().filter(|h| !h.histogram.is_empty());
        let warm = |h: &IntervalHistogram<'_>| {
            rows.iter().any(|r| r.operation == h.operation && !r.measured)
        };
        let mut block = String::new();
        if self.interval_s == 1 {
            for h in filled() {
                self.line(&mut block, h, warm(h))?;
            }
        } else {
            let now = histograms.iter().map(|h| cell(h.start_s, h.dt_s, self.interval_s)).max();
            if now.is_some_and(|now| now != self.cell) {
                self.close(&mut block)?;
                self.cell = now.unwrap_or_default();
            }
            for h in filled() {
                self.merge(h, warm(h))?;
            }
        }
        self.write(&block)
    }

    /// Writes the interval that is not full yet, at the end of a run.
    pub(super) fn finish(&mut self) -> Result<(), RecordError> {
        let mut block = String::new();
        self.close(&mut block)?;
        self.write(&block)?;
        self.file.sync()
    }

    fn merge(&mut self, h: &IntervalHistogram<'_>, warmup: bool) -> Result<(), RecordError> {
        let end_s = h.start_s + h.dt_s;
        let same =
            |o: &&mut Open| o.operation == h.operation && o.kind == h.kind && o.warmup == warmup;
        let Some(open) = self.open.iter_mut().find(same) else {
            self.open.push(Open {
                operation: h.operation.to_owned(),
                kind: h.kind,
                warmup,
                start_s: h.start_s,
                end_s,
                histogram: h.histogram.clone(),
            });
            return Ok(());
        };
        open.end_s = end_s;
        open.histogram
            .add(h.histogram)
            .map_err(|e| bad_histogram(&self.file, h.operation, &e.to_string()))
    }

    fn close(&mut self, block: &mut String) -> Result<(), RecordError> {
        for open in std::mem::take(&mut self.open) {
            let whole = IntervalHistogram {
                operation: &open.operation,
                kind: open.kind,
                start_s: open.start_s,
                dt_s: open.end_s - open.start_s,
                histogram: &open.histogram,
            };
            self.line(block, &whole, open.warmup)?;
        }
        Ok(())
    }

    fn line(
        &mut self,
        block: &mut String,
        h: &IntervalHistogram<'_>,
        warmup: bool,
    ) -> Result<(), RecordError> {
        if !self.begun && block.is_empty() {
            block.push_str(&header(epoch_of(h), self.interval_s));
        }
        self.encoded.clear();
        self.serializer
            .serialize(h.histogram, &mut self.encoded)
            .map_err(|e| bad_histogram(&self.file, h.operation, &e.to_string()))?;
        // Writing into a String cannot fail.
        let _ = write!(
            block,
            "Tag={}{}:{},{:.3},{:.3},{:.3},",
            if warmup { WARMUP } else { "" },
            h.operation,
            h.kind.label(),
            h.start_s.max(0.0),
            h.dt_s.max(0.0),
            h.histogram.value_at_quantile(1.0) as f64 / MAX_VALUE_UNIT,
        );
        STANDARD.encode_string(&self.encoded, block);
        block.push('\n');
        Ok(())
    }

    fn write(&mut self, block: &str) -> Result<(), RecordError> {
        if block.is_empty() {
            return Ok(());
        }
        self.file.append(block.as_bytes())?;
        self.begun = true;
        Ok(())
    }
}

/// A run that ends by an error keeps the interval it was in.
impl Drop for HlogWriter {
    fn drop(&mut self) {
        let mut block = String::new();
        // Best effort: whoever drops it has an error of its own to tell.
        let _ = self.close(&mut block).and_then(|()| self.write(&block));
    }
}

fn bad_histogram(file: &Appender, operation: &str, what: &str) -> RecordError {
    RecordError::Histogram {
        path: file.path().to_path_buf(),
        operation: operation.to_owned(),
        what: what.to_owned(),
    }
}

/// Wall-clock time of the run's epoch, from the first interval that ends about now.
fn epoch_of(first: &IntervalHistogram<'_>) -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64();
    now - first.start_s - first.dt_s
}

fn header(epoch_s: f64, interval_s: u64) -> String {
    format!(
        "#[Histogram log format version 1.3]\n\
         #[Histogram values are nanoseconds; Interval_Max is milliseconds]\n\
         #[Intervals of {interval_s} s]\n\
         #[Tags: <operation>:response and <operation>:service; {WARMUP} before those of the warm-up]\n\
         #[StartTime: {epoch_s:.3} (seconds since epoch)]\n\
         #[BaseTime: {epoch_s:.3} (seconds since epoch)]\n\
         \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_logged_in_at_most_as_many_intervals_as_a_quarter_of_an_hour() {
        assert_eq!(log_interval_s(30.0), 1);
        assert_eq!(log_interval_s(900.0), 1);
        assert_eq!(log_interval_s(901.0), 2);
        assert_eq!(log_interval_s(86_400.0), 96);
        for absurd in [0.0, -5.0, f64::NAN, f64::INFINITY, 1e308] {
            assert!(log_interval_s(absurd) >= 1);
        }
    }

    #[test]
    fn seconds_of_a_long_run_are_merged_and_none_is_lost() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("latency.hlog");
        let mut writer = HlogWriter::new(Appender::create(&path).unwrap());
        writer.plan(9_000.0);
        let mut histogram = Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3).unwrap();
        histogram.record(5_000_000).unwrap();
        for second in 0..25u32 {
            let rows = [SeriesRow {
                operation: "bus.publish".into(),
                measured: second >= 5,
                ..SeriesRow::default()
            }];
            let interval = IntervalHistogram {
                operation: "bus.publish",
                kind: Kind::Response,
                // As a monitor cuts them: a few milliseconds late.
                start_s: if second == 0 { 0.0 } else { f64::from(second) + 0.012 },
                dt_s: 1.0,
                histogram: &histogram,
            };
            writer.append(&rows, &[interval]).unwrap();
        }
        writer.finish().unwrap();
        let mut read = Vec::new();
        crate::read::each_interval(
            &path,
            &mut Vec::new(),
            |_, _, _| true,
            |i| {
                let n: u64 = i.counts.iter().map(|(_, n)| n).sum();
                read.push((i.warmup, i.start_s.round() as u32, i.dt_s.round() as u32, n));
            },
        )
        .unwrap();
        assert_eq!(
            read,
            [(true, 0, 5, 5), (false, 5, 5, 5), (false, 10, 10, 10), (false, 20, 5, 5)]
        );
    }
}
