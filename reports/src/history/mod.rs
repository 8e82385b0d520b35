//! What many runs show over time: a trend per operation and metric, and the first run of each change.
//!
//! Runs of equal conditions (profile, load, implementations, hardware: what [`crate::compare`] wants equal) make an
//! *era*; nothing is compared across eras. Versions may change within one, and are marked where they do. Changes of
//! level are found by [`crate::stats::steps`]. INVALID and interrupted runs are shown and not used.

mod acknowledged;
mod era;
mod find;
mod metric;
mod page;
mod series;
mod words;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use acknowledged::Acknowledged;
pub use era::{Era, Point, VersionChange};
pub use find::Broken;
pub(crate) use find::{DIFFERS, Found, find, read as read_record};
pub use metric::{ERRORS_NOISE, Metric};
pub(crate) use page::html;
pub use page::{HistoryPaths, markdown, render};
pub use series::{Change, Kind, Series};
pub(crate) use words::class;
pub use words::text;

use metric::Figures;

use crate::compare::NOISE;
use crate::error::RecordError;
use crate::record::{RunRecord, RunState, Verdict};

/// Chance of a false alarm among all series of a page.
pub const LEVEL: f64 = 0.05;
/// Points at an era's end within which a change for the worse raises an alarm, without another wish.
pub const RECENT: usize = 14;

/// What one point of a trend is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// Each run.
    #[default]
    Run,
    /// The median of the runs that began on one day (UTC) under equal conditions.
    Day,
}

/// How a history is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// Relative change up to which nothing is called a regression.
    pub noise: f64,
    /// Points at an era's end within which a change for the worse raises an alarm.
    pub recent: usize,
    /// What one point is.
    pub per: Per,
    /// Changes that people know of.
    pub acknowledged: Acknowledged,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            noise: NOISE,
            recent: RECENT,
            per: Per::default(),
            acknowledged: Acknowledged::default(),
        }
    }
}

/// Why no history can be made.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The directory cannot be read, or a page not written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Nothing below the directory is a run.
    #[error("{}: no run records below it; name a directory of run directories", path.display())]
    NoRuns {
        /// The directory.
        path: std::path::PathBuf,
    },
    /// Every record below the directory is broken.
    #[error("{}: none of its {} records can be read; the first: {}", path.display(), broken.len(),
        broken.first().map_or("", |b| b.why.as_str()))]
    AllBroken {
        /// The directory.
        path: std::path::PathBuf,
        /// All of them.
        broken: Vec<Broken>,
    },
    /// A line of the file of acknowledged changes cannot be understood.
    #[error("{}, line {line}: {what}; write a run id, then perhaps an operation and a metric", path.display())]
    Acknowledged {
        /// The file.
        path: std::path::PathBuf,
        /// Line number, from 1.
        line: usize,
        /// What is wrong there.
        what: String,
    },
}

/// A run as a history shows it.
#[derive(Debug, Clone, Serialize)]
pub struct RunLine {
    /// Its id.
    pub run_id: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// Profile.
    pub profile: String,
    /// Provider.
    pub provider: String,
    /// How it ended.
    pub state: RunState,
    /// Its verdict.
    pub verdict: Verdict,
    /// Whether its figures are part of the trends: complete and not INVALID.
    pub used: bool,
    /// Marks that stand beside its figures.
    pub marks: Vec<String>,
}

/// Many runs over time.
#[derive(Debug, Clone, Serialize)]
pub struct History {
    /// Relative change up to which nothing is called a regression.
    pub noise: f64,
    /// Points at an era's end within which a change for the worse raises an alarm.
    pub recent: usize,
    /// What one point is.
    pub per: Per,
    /// Chance of a false alarm among all series together.
    pub level: f64,
    /// Series in which changes were looked for.
    pub searched: usize,
    /// Every run, in order of time.
    pub runs: Vec<RunLine>,
    /// The eras, the one with the newest run first.
    pub eras: Vec<Era>,
    /// Records that could not be read.
    pub broken: Vec<Broken>,
    /// Runs that were there more than once.
    pub twice: Vec<Broken>,
    /// Lines of the acknowledgements that name no change.
    pub unmatched: Vec<String>,
    /// Operations and components that are not followed, since their era has too many.
    pub not_followed: usize,
}

impl History {
    /// Reads every run record below `dir`, however deep.
    ///
    /// # Errors
    /// The directory cannot be read, or holds no record that can.
    pub fn read(dir: &Path, options: &Options) -> Result<Self, HistoryError> {
        let found = find(dir)?;
        if found.runs.is_empty() {
            let path = dir.to_path_buf();
            return Err(match found.broken.is_empty() {
                true => HistoryError::NoRuns { path },
                false => HistoryError::AllBroken { path, broken: found.broken },
            });
        }
        Ok(Self::of(found, options))
    }

    pub(crate) fn of(found: Found, options: &Options) -> Self {
        let records: Vec<RunRecord> = found.runs.into_iter().map(|(_, record)| record).collect();
        let mut eras = era::eras(&records, options.per, options.recent);
        let figures: Vec<Figures<'_>> = records.iter().map(Figures::of).collect();
        let (names, left_out): (Vec<_>, Vec<usize>) =
            eras.iter().map(|era| series::names(era, &figures)).unzip();
        let mut all: Vec<Vec<Series>> = eras
            .iter()
            .zip(&names)
            .map(|(era, names)| {
                names
                    .iter()
                    .map(|(name, metric)| Series::of(era, &figures, name, *metric))
                    .collect()
            })
            .collect();
        // All series of the page are one family: more of them, and each must be surer.
        let searched = all.iter().flatten().filter(|s| s.is_long_enough()).count();
        for (era, list) in eras.iter_mut().zip(&mut all) {
            list.iter_mut().for_each(|s| s.look(era, &records, options, searched));
            era.series = std::mem::take(list);
        }
        let unmatched = options.acknowledged.unmatched(&eras, &records);
        Self {
            noise: options.noise,
            recent: options.recent,
            per: options.per,
            level: LEVEL,
            searched,
            runs: records.iter().map(RunLine::of).collect(),
            eras,
            broken: found.broken,
            twice: found.twice,
            unmatched,
            not_followed: left_out.iter().sum(),
        }
    }

    /// Changes with their era and series, newest first.
    #[must_use]
    pub fn changes(&self) -> Vec<(&Era, &Series, &Change)> {
        let mut all: Vec<_> = self
            .eras
            .iter()
            .flat_map(|era| era.series.iter().map(move |series| (era, series)))
            .flat_map(|(era, series)| series.changes.iter().map(move |c| (era, series, c)))
            .collect();
        all.sort_by(|a, b| b.2.started_at.cmp(&a.2.started_at));
        all
    }

    /// Changes that raise an alarm: for the worse, recent, neither repaired since nor acknowledged.
    pub fn alarms(&self) -> impl Iterator<Item = (&Era, &Series, &Change)> {
        self.changes().into_iter().filter(|(_, _, change)| change.alarm)
    }

    /// Changes for the worse that are neither repaired nor acknowledged, however long ago they began.
    pub fn open(&self) -> impl Iterator<Item = (&Era, &Series, &Change)> {
        self.changes().into_iter().filter(|(_, _, change)| change.open)
    }

    /// Runs that are not part of the trends.
    #[must_use]
    pub fn not_used(&self) -> usize {
        self.runs.iter().filter(|run| !run.used).count()
    }
}

impl RunLine {
    fn of(record: &RunRecord) -> Self {
        Self {
            run_id: record.run_id.clone(),
            started_at: record.started_at.clone(),
            profile: record.profile.clone(),
            provider: record.provider.clone(),
            state: record.state,
            verdict: record.verdict,
            used: usable(record),
            marks: crate::words::marks(record),
        }
    }
}

/// Whether a run's figures can be part of a trend.
fn usable(record: &RunRecord) -> bool {
    record.state == RunState::Complete && record.verdict != Verdict::Invalid
}

/// Counts of each verdict, in the order of the enumeration.
pub(crate) fn verdicts<'a>(runs: impl Iterator<Item = &'a RunLine>) -> BTreeMap<Verdict, usize> {
    let mut counts = BTreeMap::new();
    for run in runs {
        *counts.entry(run.verdict).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests;
