//! `odg-bench compare`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use odg_reports::compare::{
    self, CompareError, Comparison, FalseAlarms, NOISE, Options, Sample, false_alarms,
};

use super::{Output, print, print_json};
use crate::exit::{self, Failure};

#[derive(Debug, Args)]
#[command(after_help = "A side is a run directory, or a directory of run directories.\n\n\
    Examples:\n  \
    odg-bench compare runs/before runs/after\n  \
    odg-bench compare runs/before runs/after --fail-on regression --out compared\n  \
    odg-bench compare runs/before runs/b runs/c --noise 10%\n  \
    odg-bench compare --aa runs/before\n\n\
    Exit codes: 0 compared · 1 a regression or a lost promise, with --fail-on regression · \
    2 what was named is no run or not comparable")]
pub(super) struct CompareArgs {
    /// What to compare with
    base: PathBuf,
    /// What to compare, each with the base
    #[arg(required_unless_present = "aa", conflicts_with = "aa")]
    candidates: Vec<PathBuf>,
    /// Compare the runs of BASE with each other: how often would equal runs raise an alarm?
    #[arg(long)]
    aa: bool,
    /// Relative change up to which nothing is called a regression, such as 5% or 0.05
    #[arg(long, default_value_t = NOISE, value_parser = share)]
    noise: f64,
    /// Compare what is not comparable all the same; marked on every page
    #[arg(long)]
    force: bool,
    /// What makes the exit code 1
    #[arg(long, value_enum)]
    fail_on: Option<FailOn>,
    /// Write compare.html, compare.md and compare.json into this directory
    #[arg(long, value_name = "DIR", conflicts_with = "aa")]
    out: Option<PathBuf>,
    /// Form of the result on standard output
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A regression, or a promise that the base kept and a candidate does not
    Regression,
}

/// A share, as `5%` or `0.05`.
fn share(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.strip_suffix('%') {
        Some(number) => (number.trim(), 0.01),
        None => (text, 1.0),
    };
    match number.parse::<f64>() {
        Ok(n) if n.is_finite() && n > 0.0 && n * unit <= 10.0 => Ok(n * unit),
        _ => Err("give a share above 0, such as 5% or 0.05".into()),
    }
}

pub(super) fn execute(args: &CompareArgs) -> Result<u8, Failure> {
    let options = Options { noise: args.noise, force: args.force };
    let base = side(&args.base)?;
    if args.aa {
        let told = false_alarms(&base, options).map_err(failure)?;
        match args.output {
            Output::Json => print_json(&told)?,
            Output::Text => print(&alarms(&told))?,
        }
        return Ok(exit::PASS);
    }
    let mut comparisons = Vec::new();
    for path in &args.candidates {
        let candidate = side(path)?;
        let names = (name(&args.base), name(path));
        comparisons.push(
            compare::compare((&names.0, &base), (&names.1, &candidate), options)
                .map_err(failure)?,
        );
    }
    let mut text = String::new();
    for (number, (comparison, path)) in (1..).zip(comparisons.iter().zip(&args.candidates)) {
        let _ = writeln!(text, "{}", compare::text(comparison));
        if let Some(out) = &args.out {
            // Several candidates get a directory each.
            let dir = match args.candidates.len() {
                1 => out.clone(),
                _ => out.join(format!("{number}-{}", name(path))),
            };
            let paths = compare::render(comparison, &dir)?;
            let _ = writeln!(text, "Page: {}", paths.html.display());
        }
    }
    match args.output {
        Output::Json => print_json(&comparisons)?,
        Output::Text => print(&text)?,
    }
    let worse = comparisons.iter().any(Comparison::is_worse);
    Ok(if worse && args.fail_on == Some(FailOn::Regression) { exit::FAIL } else { exit::PASS })
}

fn side(path: &Path) -> Result<Vec<Sample>, Failure> {
    Ok(compare::side(path)?)
}

/// A side's name for people: the last part of its path.
fn name(path: &Path) -> String {
    let last = path.file_name().map(|name| name.to_string_lossy().into_owned());
    last.unwrap_or_else(|| path.display().to_string())
}

fn failure(error: CompareError) -> Failure {
    match error {
        CompareError::Record(error) => error.into(),
        other => Failure::usage(other.to_string()),
    }
}

fn alarms(told: &FalseAlarms) -> String {
    format!(
        "{} equal runs, split in half in {} ways: {} splits raised an alarm ({:.1} %; promised: at most {:.0} %)\n\
         Single comparisons under the level before correction: {} of {} ({:.1} %)\n",
        told.runs,
        told.splits,
        told.alarmed,
        told.rate() * 100.0,
        told.nominal * 100.0,
        told.under_level,
        told.comparisons,
        told.under_level as f64 / told.comparisons.max(1) as f64 * 100.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_as_people_type_them() {
        assert_eq!(share("0.05"), Ok(0.05));
        assert!((share("5%").unwrap() - 0.05).abs() < 1e-12);
        for bad in ["", "0", "-5%", "NaN", "much", "2000%"] {
            assert!(share(bad).is_err(), "{bad}");
        }
    }
}
