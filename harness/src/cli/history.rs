//! `odg-bench history`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use odg_reports::compare::NOISE;
use odg_reports::history::{self, Acknowledged, History, HistoryError, Options, Per, RECENT};

use super::compare::share;
use super::{Output, print, print_json};
use crate::exit::{self, Failure};

#[derive(Debug, Args)]
#[command(
    after_help = "DIR is searched for run directories, however deep. Only run.json is read of each.\n\n\
    Examples:\n  \
    odg-bench history nightly/nights\n  \
    odg-bench history nightly/nights --per day --out site --fail-on regression\n  \
    odg-bench history runs --acknowledged known-changes.txt --recent 7\n\n\
    A line of --acknowledged is a run id, then perhaps an operation and a metric such as p99; # begins a comment.\n\n\
    Exit codes: 0 shown · 1 a new regression, with --fail-on regression · 2 no run records, or some that cannot be \
    read (the others are shown)"
)]
pub(super) struct HistoryArgs {
    /// Where the run records are
    dir: PathBuf,
    #[command(flatten)]
    how: HowArgs,
    /// What makes the exit code 1
    #[arg(long, value_enum)]
    fail_on: Option<FailOn>,
    /// Write history.html, history.md and history.json into this directory
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Form of the result on standard output
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// How a history is made.
#[derive(Debug, Args)]
pub(super) struct HowArgs {
    /// What one point of a trend is
    #[arg(long, value_enum, default_value_t = PerName::Run)]
    per: PerName,
    /// Relative change up to which nothing is called a regression, such as 5% or 0.05
    #[arg(long, default_value_t = NOISE, value_parser = share)]
    noise: f64,
    /// Points at the end within which a regression is new
    #[arg(long, value_name = "N", default_value_t = RECENT)]
    recent: usize,
    /// File of changes that are known, and raise no alarm
    #[arg(long, value_name = "FILE")]
    acknowledged: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PerName {
    /// Each run
    Run,
    /// The median of the runs of one day (UTC) under equal conditions
    Day,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A regression that began within the last points, and was neither repaired nor acknowledged
    Regression,
}

impl HowArgs {
    pub(super) fn options(&self) -> Result<Options, Failure> {
        let acknowledged = match &self.acknowledged {
            Some(file) => Acknowledged::read(file).map_err(failure)?,
            None => Acknowledged::default(),
        };
        let per = match self.per {
            PerName::Run => Per::Run,
            PerName::Day => Per::Day,
        };
        Ok(Options { noise: self.noise, recent: self.recent, per, acknowledged })
    }
}

pub(super) fn failure(error: HistoryError) -> Failure {
    match error {
        HistoryError::Record(error) => error.into(),
        other => Failure::usage(other),
    }
}

pub(super) fn execute(args: &HistoryArgs) -> Result<u8, Failure> {
    let told = History::read(&args.dir, &args.how.options()?).map_err(failure)?;
    let mut text = history::text(&told);
    if let Some(out) = &args.out {
        let paths = history::render(&told, out)?;
        let _ = writeln!(text, "\nPage: {}", paths.html.display());
    }
    match args.output {
        Output::Json => print_json(&told)?,
        Output::Text => print(&text)?,
    }
    if args.fail_on == Some(FailOn::Regression) && told.alarms().next().is_some() {
        return Ok(exit::FAIL);
    }
    match told.broken.len() {
        0 => Ok(exit::PASS),
        n => Err(Failure::usage(format!(
            "{n} of {} records in {} cannot be read, and are listed above; the others were used",
            n + told.runs.len() + told.twice.len(),
            args.dir.display()
        ))),
    }
}
