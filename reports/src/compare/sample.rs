//! One run, as far as comparison needs it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::row::Metric;
use crate::error::RecordError;
use crate::read::Run;
use crate::record::{OperationSummary, RunRecord, RunState, SeriesRow};
use crate::stats::{Counts, Estimate, batch_means, ln_percentile};
use crate::store::{JOURNAL, RUN_JSON};
use crate::summary::{IntervalMean, mean_ci, measured_s};

/// A run with an estimate per operation and metric.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The record.
    pub record: RunRecord,
    /// Whether the process was killed before it had written `run.json`: the record is what could be made of the rest.
    pub killed: bool,
    /// Operation and metric to the logarithm of the value, where the run is long enough to tell its error.
    pub(super) estimates: BTreeMap<(String, Metric), Estimate>,
}

/// See [`super::side`].
pub(super) fn read_side(dir: &Path) -> Result<Vec<Sample>, RecordError> {
    let mut dirs = vec![dir.to_path_buf()];
    if !is_run(dir) {
        dirs = run_directories(dir)?;
    }
    let mut samples = dirs.iter().map(|dir| Sample::read(dir)).collect::<Result<Vec<_>, _>>()?;
    samples.sort_by(|a, b| a.record.started_at.cmp(&b.record.started_at));
    Ok(samples)
}

/// Whether a run was begun there; one that was killed counts too, so that it is named and not passed over.
fn is_run(dir: &Path) -> bool {
    dir.join(RUN_JSON).exists() || dir.join(JOURNAL).exists()
}

fn run_directories(dir: &Path) -> Result<Vec<PathBuf>, RecordError> {
    let found = runs_in(dir)?;
    let mut groups = Vec::new();
    for path in subdirectories(dir)?.into_iter().filter(|path| !is_run(path)) {
        let runs = runs_in(&path)?;
        if !runs.is_empty() {
            groups.push((path, runs));
        }
    }
    // The directory that `run --repeat` was given holds one group. Of several, or of single runs beside one, it is not
    // known which is meant, and leaving some out would choose among them.
    match (found.is_empty(), groups.len()) {
        (false, 0) => Ok(found),
        (true, 0) => Err(RecordError::NotARun { path: dir.to_path_buf() }),
        (true, 1) => Ok(groups.swap_remove(0).1),
        (_, _) => {
            let name = |(path, _): &(PathBuf, _)| {
                path.file_name().unwrap_or_default().to_string_lossy().into_owned()
            };
            let groups = groups.iter().map(name).collect();
            Err(RecordError::Groups { path: dir.to_path_buf(), runs: found.len(), groups })
        }
    }
}

fn runs_in(dir: &Path) -> Result<Vec<PathBuf>, RecordError> {
    Ok(subdirectories(dir)?.into_iter().filter(|path| is_run(path)).collect())
}

fn subdirectories(dir: &Path) -> Result<Vec<PathBuf>, RecordError> {
    if !dir.is_dir() {
        return Err(RecordError::NotADirectory { path: dir.to_path_buf() });
    }
    let entries = std::fs::read_dir(dir).map_err(|e| RecordError::io(dir, e))?;
    let paths = entries.map(|entry| entry.map(|e| e.path()).map_err(|e| RecordError::io(dir, e)));
    let paths = paths.collect::<Result<Vec<PathBuf>, _>>()?;
    Ok(paths.into_iter().filter(|path| path.is_dir()).collect())
}

impl Sample {
    /// Reads a run directory. Of a run that was killed only the record is made, without any estimate.
    ///
    /// # Errors
    /// The directory is no run, or a file was cut or edited.
    pub fn read(dir: &Path) -> Result<Self, RecordError> {
        if !dir.join(RUN_JSON).exists() {
            let record = Run::open(dir)?.record;
            return Ok(Self { record, killed: true, estimates: BTreeMap::new() });
        }
        let run = Run::intervals(dir)?;
        // What was cut off is named by its state, and never compared.
        if run.record.state == RunState::Complete {
            run.reconcile(dir)?;
        }
        let load_end_s = run.record.config.warmup_s + measured_s(&run.record, &run.series);
        let mut by_operation: BTreeMap<&str, Vec<&SeriesRow>> = BTreeMap::new();
        for row in run.series.iter().filter(|row| row.measured) {
            by_operation.entry(&row.operation).or_default().push(row);
        }
        let mut estimates = BTreeMap::new();
        for operation in &run.record.operations {
            let name = &operation.name;
            let rows = by_operation.remove(name.as_str()).unwrap_or_default();
            let means: Vec<IntervalMean> = rows
                .iter()
                .filter(|r| r.completed > 0)
                .map(|r| IntervalMean::response(r))
                .collect();
            let rates: Vec<f64> = rows
                .iter()
                .filter(|r| r.dt_s > 0.5 && r.t_s <= load_end_s + 0.5)
                .map(|r| r.completed as f64 / r.dt_s)
                .collect();
            let none: Vec<Counts> = Vec::new();
            let intervals = run.response.get(name).unwrap_or(&none);
            for metric in Metric::ALL {
                let estimate = match metric {
                    Metric::Mean => mean_ci(&means, load_end_s)
                        .and_then(ln)
                        .map(|estimate| of_all(estimate, operation)),
                    Metric::P50 => ln_percentile(intervals, 0.5),
                    Metric::P99 => ln_percentile(intervals, 0.99),
                    Metric::Rate => batch_means(&rates).and_then(ln),
                };
                if let Some(estimate) = estimate {
                    estimates.insert((name.clone(), metric), estimate);
                }
            }
        }
        Ok(Self { record: run.record, killed: false, estimates })
    }
}

/// A mean's estimate with the mean over all operations as its value: the error is told by the intervals of a steady
/// state, which leave out those that stalled or drained, and just there are the slowest operations.
fn of_all(estimate: Estimate, operation: &OperationSummary) -> Estimate {
    let mean = operation.response.mean_ns;
    if mean > 0.0 { Estimate { value: mean.ln(), ..estimate } } else { estimate }
}

/// A mean on the log scale: the error by the delta method (the first term of Taylor's series).
fn ln(ci: crate::stats::MeanCi) -> Option<Estimate> {
    (ci.mean > 0.0).then(|| Estimate {
        value: ci.mean.ln(),
        variance: ci.variance / ci.mean.powi(2),
        df: ci.df,
    })
}
