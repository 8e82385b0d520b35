//! `odg-bench compare`.

mod interleave;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use odg_reports::compare::{
    self, CompareError, Comparison, FalseAlarms, NOISE, Options, Sample, compare_all, false_alarms,
};

use super::{Output, print, print_json};
use crate::exit::{self, Failure};
use crate::run::repeat::MOST;
use interleave::PAIRS;

#[derive(Debug, Args)]
#[command(
    after_help = "A side is a run directory, or a directory of run directories, such as `run --repeat` makes.\n\n\
    Examples:\n  \
    odg-bench compare runs/before runs/after\n  \
    odg-bench compare runs/before runs/after --fail-on regression --out compared\n  \
    odg-bench compare runs/before runs/b runs/c --noise 10%\n  \
    odg-bench compare --aa runs/before\n  \
    odg-bench compare --interleave --repeat 5 --base-run '--provider docker --images old.yaml' \\\n      \
    --candidate-run '--provider docker --images new.yaml' --out compared -- --profile small --duration 60s\n\n\
    Exit codes: 0 compared · 1 a regression or a lost promise, with --fail-on regression · 2 what was named is no \
    run or not comparable · 3 a side of --interleave could not be started · 4 with --fail-on regression, a \
    difference of single runs, which does not show a regression (see --allow-single), or nothing that could be \
    compared; with --aa, nothing that could be compared; or interrupted"
)]
pub(super) struct CompareArgs {
    /// What to compare with
    #[arg(required_unless_present = "interleave")]
    base: Option<PathBuf>,
    /// What to compare, each with the base
    #[arg(required_unless_present_any = ["aa", "interleave"], conflicts_with = "aa")]
    candidates: Vec<PathBuf>,
    /// Compare the runs of BASE with each other: how often would equal runs raise an alarm?
    #[arg(long, requires = "base")]
    aa: bool,
    /// Make the runs first, of two stacks in turn (A B, B A, A B …), both runs of a pair with the same seed
    #[arg(
        long,
        conflicts_with_all = ["base", "aa"],
        requires_all = ["base_run", "candidate_run"]
    )]
    interleave: bool,
    /// Options of `run` for the base alone, quoted as for a shell; variables that choose local servers may come
    /// first (ODG_BENCH_REDIS=/opt/…)
    #[arg(long, value_name = "OPTIONS", requires = "interleave", allow_hyphen_values = true)]
    base_run: Option<String>,
    /// Options of `run` for the candidate alone
    #[arg(long, value_name = "OPTIONS", requires = "interleave", allow_hyphen_values = true)]
    candidate_run: Option<String>,
    #[arg(
        long, value_name = "PAIRS", requires = "interleave",
        help = format!("Runs a side to make with --interleave [default: {PAIRS}]"),
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST))
    )]
    repeat: Option<u32>,
    /// Options of `run` for both sides of --interleave
    #[arg(last = true, value_name = "RUN OPTIONS", requires = "interleave")]
    run_args: Vec<String>,
    /// Relative change up to which nothing is called a regression, such as 5% or 0.05
    #[arg(long, default_value_t = NOISE, value_parser = share)]
    noise: f64,
    /// Compare what is not comparable all the same; marked on every page
    #[arg(long)]
    force: bool,
    /// Let a single run a side be enough to call a regression, though how much runs differ from each other is then
    /// unknown; marked on every page
    #[arg(long)]
    allow_single: bool,
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
pub(super) fn share(text: &str) -> Result<f64, String> {
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
    let options = Options { noise: args.noise, force: args.force, allow_single: args.allow_single };
    // Without a base there are two sides to be made: the arguments want one or the other.
    let Some(path) = &args.base else { return interleave::execute(args, options) };
    let base = side(path)?;
    if args.aa {
        let told = false_alarms(&base, options).map_err(failure)?;
        match args.output {
            Output::Json => print_json(&told)?,
            Output::Text => print(&alarms(&told))?,
        }
        return Ok(exit::PASS);
    }
    let mut candidates = Vec::new();
    for path in &args.candidates {
        candidates.push((name(path), side(path)?));
    }
    let named: Vec<(&str, &[Sample])> =
        candidates.iter().map(|(name, samples)| (name.as_str(), samples.as_slice())).collect();
    let comparisons = compare_all((&name(path), &base), &named, options).map_err(failure)?;
    let mut compared = Compared::default();
    let many = comparisons.len() > 1;
    for (number, comparison) in (1..).zip(comparisons) {
        // Several candidates get a directory each.
        let dir = args.out.as_ref().map(|out| match many {
            true => out.join(directory(number, &comparison.candidate.name)),
            false => out.clone(),
        });
        compared.add(comparison, dir.as_deref())?;
    }
    compared.print(args.output)?;
    Ok(compared.exit_code(args.fail_on))
}

/// Comparisons, and what is said of them.
#[derive(Default)]
struct Compared {
    comparisons: Vec<Comparison>,
    text: String,
}

impl Compared {
    /// Adds one and writes its pages into `dir`, where there is one.
    fn add(&mut self, comparison: Comparison, dir: Option<&Path>) -> Result<(), Failure> {
        let _ = writeln!(self.text, "{}", compare::text(&comparison));
        if let Some(dir) = dir {
            let paths = compare::render(&comparison, dir)?;
            let _ = writeln!(self.text, "Page: {}", paths.html.display());
        }
        self.comparisons.push(comparison);
        Ok(())
    }

    fn print(&self, output: Output) -> Result<(), Failure> {
        match output {
            Output::Json => print_json(&self.comparisons),
            Output::Text => print(&self.text),
        }
    }

    fn exit_code(&self, fail_on: Option<FailOn>) -> u8 {
        match fail_on {
            None => exit::PASS,
            Some(FailOn::Regression) if self.comparisons.iter().any(Comparison::is_worse) => {
                exit::FAIL
            }
            Some(FailOn::Regression) if self.comparisons.iter().any(Comparison::is_undecided) => {
                exit::UNCERTAIN
            }
            // A gate that saw nothing is not green.
            Some(FailOn::Regression) if self.comparisons.iter().any(Comparison::is_empty) => {
                exit::UNCERTAIN
            }
            Some(FailOn::Regression) => exit::PASS,
        }
    }
}

fn side(path: &Path) -> Result<Vec<Sample>, Failure> {
    Ok(compare::side(path)?)
}

/// A side's name for people: the last part of its path.
fn name(path: &Path) -> String {
    // `.` and `..` have no last part of their own.
    let whole = match path.file_name() {
        Some(_) => path.to_path_buf(),
        None => path.canonicalize().unwrap_or_else(|_| path.to_path_buf()),
    };
    let last = whole.file_name().map(|name| name.to_string_lossy().into_owned());
    last.unwrap_or_else(|| path.display().to_string())
}

/// The directory of one of several comparisons: no name can lead out of `--out`.
fn directory(number: usize, name: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = name.chars().take(80).map(|c| if safe(c) { c } else { '-' }).collect();
    format!("{number}-{name}")
}

fn failure(error: CompareError) -> Failure {
    match error {
        CompareError::Record(error) => error.into(),
        error @ CompareError::NothingCompared { .. } => {
            Failure { code: exit::UNCERTAIN, ..Failure::usage(error) }
        }
        other => Failure::usage(other.to_string()),
    }
}

/// Splits below which a rate of them says little.
const FEW_SPLITS: usize = 100;

fn alarms(told: &FalseAlarms) -> String {
    let few = match told.splits {
        FEW_SPLITS.. => String::new(),
        n => format!(
            "Only {n} different splits: their rate is coarse, more runs would tell it better\n"
        ),
    };
    format!(
        "{} equal runs, split in half in {} ways: {} splits raised an alarm ({:.1} %; promised: at most {:.0} %)\n\
         Single comparisons under the level before correction: {} of {} ({:.1} %)\n{few}",
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
    use odg_reports::compare::{Change, Corrected, Lost, Metric, Row, Side};
    use odg_reports::record::Verdict;

    use super::*;

    /// A comparison with one row that came out like this.
    fn with(change: Change) -> Compared {
        let side = || Side {
            name: "a".into(),
            runs: vec!["run".into()],
            verdicts: Vec::new(),
            implementations: Vec::new(),
        };
        let row = Row {
            operation: "s3.get".into(),
            metric: Metric::P99,
            base: Some(1e6),
            candidate: Some(2e6),
            relative: Some(1.0),
            ci95: Some((0.9, 1.1)),
            p_value: Some(0.001),
            p_adjusted: Some(0.01),
            change,
        };
        let comparison = Comparison {
            base: side(),
            candidate: side(),
            noise: NOISE,
            forced: Vec::new(),
            differences: Vec::new(),
            rows: vec![row],
            lost: Vec::new(),
            single_runs: true,
            allow_single: false,
            pairs: None,
            left_out: Vec::new(),
            corrected: Corrected { comparisons: 1, candidates: 1 },
        };
        Compared { comparisons: vec![comparison], text: String::new() }
    }

    #[test]
    fn a_gate_fails_on_a_regression_and_neither_fails_nor_passes_on_a_difference_of_single_runs() {
        let gate = Some(FailOn::Regression);
        for (change, code) in [
            (Change::Regression, exit::FAIL),
            (Change::WorseOnce, exit::UNCERTAIN),
            (Change::BetterOnce, exit::PASS),
            (Change::Improvement, exit::PASS),
            (Change::Unclear, exit::PASS),
        ] {
            assert_eq!(with(change).exit_code(gate), code, "{change:?}");
            assert_eq!(with(change).exit_code(None), exit::PASS, "without a gate nothing fails");
        }
        // What was lost needs no statistics.
        let mut lost = with(Change::WorseOnce);
        lost.comparisons[0].lost.push(Lost {
            what: "ledger".into(),
            now: Verdict::Fail,
            run: "run".into(),
            evidence: "1 lost".into(),
        });
        assert_eq!(lost.exit_code(gate), exit::FAIL);
    }

    #[test]
    fn a_gate_that_compared_nothing_is_not_green() {
        let gate = Some(FailOn::Regression);
        let mut nothing = with(Change::TooFew);
        assert_eq!(nothing.exit_code(gate), exit::UNCERTAIN);
        assert_eq!(nothing.exit_code(None), exit::PASS);
        nothing.comparisons[0].rows.clear();
        assert_eq!(nothing.exit_code(gate), exit::UNCERTAIN, "no row, as of runs that were killed");
        // One candidate that was compared does not speak for another.
        let one = with(Change::Equivalent).comparisons.swap_remove(0);
        nothing.comparisons.push(one);
        assert_eq!(nothing.exit_code(gate), exit::UNCERTAIN);
    }

    #[test]
    fn an_a_a_test_without_a_comparison_is_no_result_and_few_splits_are_said() {
        let error = failure(CompareError::NothingCompared { runs: 4 });
        assert_eq!(error.code, exit::UNCERTAIN);
        let told = |splits| {
            alarms(&FalseAlarms {
                runs: 4,
                splits,
                alarmed: 0,
                nominal: 0.05,
                comparisons: 12,
                under_level: 0,
            })
        };
        assert!(told(3).contains("Only 3 different splits") && !told(200).contains("Only"));
    }

    #[test]
    fn no_name_leads_out_of_the_directory_of_the_pages() {
        assert_eq!(directory(2, "../x y"), "2-..-x-y");
        assert_eq!(directory(1, "/"), "1--");
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("nightly").join("inner");
        std::fs::create_dir_all(&inner).unwrap();
        assert_eq!(name(&inner.join("..")), "nightly");
    }

    #[test]
    fn shares_are_read_as_people_type_them() {
        assert_eq!(share("0.05"), Ok(0.05));
        assert!((share("5%").unwrap() - 0.05).abs() < 1e-12);
        for bad in ["", "0", "-5%", "NaN", "much", "2000%"] {
            assert!(share(bad).is_err(), "{bad}");
        }
    }
}
