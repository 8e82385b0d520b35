//! Every page and chart of a run, made again from its files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::RecordError;
use crate::read::Run;
use crate::store::write_atomically;
use crate::{html, junit, markdown, openmetrics, plots};

/// Where [`render_all`] put things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedPaths {
    /// `report.html`.
    pub html: PathBuf,
    /// `report.md`.
    pub markdown: PathBuf,
    /// `junit.xml`.
    pub junit: PathBuf,
    /// `metrics.om`.
    pub metrics: PathBuf,
    /// `plots/*.svg`.
    pub plots: Vec<PathBuf>,
}

/// Makes `report.html`, `report.md`, `junit.xml`, `metrics.om` and `plots/*.svg` from the other files of a run
/// directory, and replaces those that are there; charts of an earlier rendering that have no place
/// in this one are removed. `run.json` is never written.
///
/// # Errors
/// The run cannot be read ([`Run::open`]), a chart or page cannot be made, or a file cannot be
/// written.
pub fn render_all(dir: &Path) -> Result<RenderedPaths, RecordError> {
    render(&Run::open(dir)?)
}

/// [`render_all`] of a run that was read already.
///
/// # Errors
/// A chart or page cannot be made, or a file cannot be written.
pub fn render(run: &Run) -> Result<RenderedPaths, RecordError> {
    let dir = run.dir.as_path();
    let charts = plots::charts(run)?;
    let plots_dir = dir.join("plots");
    fs::create_dir_all(&plots_dir).map_err(|e| RecordError::io(&plots_dir, e))?;
    let mut plots = Vec::new();
    for chart in charts.iter() {
        let path = plots_dir.join(format!("{}.svg", chart.slug));
        write_atomically(&path, chart.standalone().as_bytes(), false)?;
        plots.push(path);
    }
    remove_stale(&plots_dir, &plots)?;
    let paths = RenderedPaths {
        html: dir.join("report.html"),
        markdown: dir.join("report.md"),
        junit: dir.join("junit.xml"),
        metrics: dir.join("metrics.om"),
        plots,
    };
    write_atomically(&paths.html, html::html_report(run, charts)?.as_bytes(), false)?;
    write_atomically(&paths.markdown, markdown::markdown_report(run).as_bytes(), false)?;
    write_atomically(&paths.junit, junit::junit(&run.record).as_bytes(), false)?;
    let metrics = openmetrics::openmetrics(&run.record, run.measured_s());
    write_atomically(&paths.metrics, metrics.as_bytes(), false)?;
    Ok(paths)
}

/// Removes charts that an earlier rendering left and this one did not write again. Only files that
/// are named as charts are touched.
fn remove_stale(plots_dir: &Path, written: &[PathBuf]) -> Result<(), RecordError> {
    let io = |e| RecordError::io(plots_dir, e);
    for entry in fs::read_dir(plots_dir).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let slug = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_suffix(".svg"));
        if slug.is_some_and(plots::is_slug) && !written.contains(&path) {
            fs::remove_file(&path).map_err(|e| RecordError::io(&path, e))?;
        }
    }
    Ok(())
}
