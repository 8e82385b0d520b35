//! `latency.hlog`: an HdrHistogram interval log (format 1.3, V2 compressed), as the Java, Python
//! and Rust readers take it.
//!
//! The crate's own log writer borrows its output for its whole life, which a writer that lives as
//! long as a run cannot offer; the lines are simple enough to be written here, and the tests read
//! them back with the crate's reader.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};

use super::IntervalHistogram;
use super::appender::Appender;
use crate::error::RecordError;
use crate::record::SeriesRow;

/// Start of the tags of warm-up intervals.
pub(crate) const WARMUP: &str = "warmup:";
/// The format's convention: maxima in milliseconds beside histograms in nanoseconds.
const MAX_VALUE_UNIT: f64 = 1_000_000.0;

pub(super) struct HlogWriter {
    file: Appender,
    serializer: V2DeflateSerializer,
    encoded: Vec<u8>,
    begun: bool,
}

impl std::fmt::Debug for HlogWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HlogWriter").field("file", &self.file).finish_non_exhaustive()
    }
}

impl HlogWriter {
    pub(super) fn new(file: Appender) -> Self {
        Self { file, serializer: V2DeflateSerializer::new(), encoded: Vec::new(), begun: false }
    }

    pub(super) fn append(
        &mut self,
        rows: &[SeriesRow],
        histograms: &[IntervalHistogram<'_>],
    ) -> Result<(), RecordError> {
        let mut block = String::new();
        if !self.begun
            && let Some(first) = histograms.first()
        {
            block.push_str(&header(epoch_of(first)));
        }
        for h in histograms.iter().filter(|h| !h.histogram.is_empty()) {
            self.encoded.clear();
            self.serializer.serialize(h.histogram, &mut self.encoded).map_err(|e| {
                RecordError::Histogram {
                    path: self.file.path().to_path_buf(),
                    operation: h.operation.to_owned(),
                    what: e.to_string(),
                }
            })?;
            let warmup = rows.iter().any(|r| r.operation == h.operation && !r.measured);
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
            STANDARD.encode_string(&self.encoded, &mut block);
            block.push('\n');
        }
        if block.is_empty() {
            return Ok(());
        }
        self.file.append(block.as_bytes())?;
        self.begun = true;
        Ok(())
    }

    pub(super) fn sync(&self) -> Result<(), RecordError> {
        self.file.sync()
    }
}

/// Wall-clock time of the run's epoch, from the first interval that ends about now.
fn epoch_of(first: &IntervalHistogram<'_>) -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64();
    now - first.start_s - first.dt_s
}

fn header(epoch_s: f64) -> String {
    format!(
        "#[Histogram log format version 1.3]\n\
         #[Histogram values are nanoseconds; Interval_Max is milliseconds]\n\
         #[Tags: <operation>:response and <operation>:service; {WARMUP} before those of the warm-up]\n\
         #[StartTime: {epoch_s:.3} (seconds since epoch)]\n\
         #[BaseTime: {epoch_s:.3} (seconds since epoch)]\n\
         \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n"
    )
}
