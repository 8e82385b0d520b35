//! `odg-bench run`.

mod dry;
mod prepare;
mod repeated;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use odg_profiles::{Volume, parse_duration};

use super::attach::AttachArgs;
use super::{Output, colour, print, print_json, width};
use crate::exit::Failure;
use crate::run::progress::Style;
use crate::run::repeat::MOST;
use crate::run::request::LONGEST;
use crate::run::session::wanted;
use crate::run::{self, RunOptions, Scale};

pub(super) use prepare::{Prepared, runtime};
pub(super) use repeated::{command_of, finish, verdicts};

/// Time for what still runs in the background once a run has ended.
pub(super) const SHUTDOWN: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    odg-bench run --profile small\n  \
    odg-bench run --profile medium --scale 0.1 --duration 2m\n  \
    odg-bench run --profile small --window 08:00-09:00 --speedup 30\n  \
    odg-bench run --profile small --volume 300GB/day --output json --quiet\n  \
    odg-bench run --profile large --dry-run\n  \
    odg-bench run --profile small --repeat 5\n  \
    odg-bench run --profile medium --endpoints odg.yaml --max-rate 20MB/s --yes\n\n\
    Exit codes: 0 all required PASS · 1 a requirement FAILED · 2 bad usage or input · 3 the stack could not be \
    brought up or reached · 4 INVALID, INCONCLUSIVE or interrupted. Of several runs the worst counts: 2 and 3 (no \
    further run is tried) before 1, 1 before 4, 4 before 0.")]
pub(super) struct RunArgs {
    /// dev, small, medium, large, or a profile file
    #[arg(long, short)]
    profile: String,
    /// How the stack comes to be
    #[arg(long, value_enum, default_value_t = ProviderName::Auto)]
    provider: ProviderName,
    #[command(flatten)]
    attach: AttachArgs,
    /// Images for --provider docker instead of the profile's: a YAML file of lines `component: reference`
    #[arg(long, value_name = "FILE")]
    images: Option<PathBuf>,
    /// Daily volume instead of the profile's, such as 1TB/day, 300GB/day or 11.6MB/s
    #[arg(long, value_parser = volume, allow_hyphen_values = true)]
    volume: Option<Volume>,
    /// Multiply the load: `auto` (full where this machine can carry it) or a number; marks the record
    #[arg(long, default_value = "auto", value_parser = scale, allow_hyphen_values = true)]
    scale: Scale,
    /// How arrivals are spread: constant, poisson (the default), or day
    #[arg(long, value_parser = ["constant", "poisson", "day"])]
    arrivals: Option<String>,
    /// Slice of the day to replay, such as 08:00-09:00; implies --arrivals day
    #[arg(long, value_parser = window)]
    window: Option<(f64, f64)>,
    /// Seconds of the day per second of the run; multiplies every rate
    #[arg(long, default_value = "1", value_parser = positive, allow_hyphen_values = true)]
    speedup: f64,
    /// Measured part, such as 60s or 10m [default: 60s, or the whole window]
    #[arg(long, value_parser = duration, allow_hyphen_values = true)]
    duration: Option<Duration>,
    /// Warm-up, cut off from every figure; rounded up to whole seconds [default: 30s]
    #[arg(long, value_parser = duration, allow_hyphen_values = true)]
    warmup: Option<Duration>,
    /// Time for events to arrive after the load has ended
    #[arg(long, default_value = "60s", value_parser = duration, allow_hyphen_values = true)]
    drain: Duration,
    /// Seed of the schedule and the payloads: the same seed offers the same load
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Make this many runs one after the other, each with a fresh stack (an attached one stays) and the next seed,
    /// in one directory that `compare` takes as a side
    #[arg(long, value_name = "RUNS", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST)))]
    repeat: Option<u32>,
    /// Decisions per second for the platform's own services, where they are attached [default: 8, or
    /// less where the load is scaled down]
    #[arg(long, value_name = "RATE", value_parser = positive, allow_hyphen_values = true)]
    decisions: Option<f64>,
    /// Directory under which the run directory is made
    #[arg(long, default_value = "runs")]
    runs_dir: PathBuf,
    /// Print what would start and the load that would be offered, and start nothing
    #[arg(long)]
    dry_run: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
    /// Form of the result on standard output
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProviderName {
    /// Local where its servers are all real, else docker where an engine and all images are here, else local
    Auto,
    /// Child processes on this machine
    Local,
    /// A deployment that is already there; see --endpoints
    Attach,
    /// Containers of an engine on this machine
    Docker,
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed = parse_duration(text).map_err(|e| e.to_string())?;
    if parsed > LONGEST {
        return Err("longer than 7 days; give at most 7d".into());
    }
    Ok(parsed)
}

fn volume(text: &str) -> Result<Volume, String> {
    text.parse::<Volume>().map_err(|e| e.to_string())
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(n) if n.is_finite() && n > 0.0 && n <= 1e6 => Ok(n),
        _ => Err("give a number above 0 and at most 1000000, such as 2 or 0.5".into()),
    }
}

fn scale(text: &str) -> Result<Scale, String> {
    if text == "auto" {
        return Ok(Scale::Auto);
    }
    positive(text)
        .map(Scale::Fixed)
        .map_err(|_| "give auto, or a number above 0 and at most 1000000, such as 0.1".to_owned())
}

/// `HH:MM-HH:MM`, as seconds of the day; 24:00 is the day's end.
fn window(text: &str) -> Result<(f64, f64), String> {
    let wrong =
        || "give two times of one day, the first before the second, such as 08:00-09:30".to_owned();
    let time = |text: &str| {
        let (hours, minutes) = text.split_once(':')?;
        let (h, m): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
        (h * 60 + m <= 1440 && m < 60).then(|| f64::from(h * 3600 + m * 60))
    };
    let (from, to) = text.split_once('-').ok_or_else(wrong)?;
    match (time(from.trim()), time(to.trim())) {
        (Some(from), Some(to)) if from < to => Ok((from, to)),
        _ => Err(wrong()),
    }
}

impl RunArgs {
    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    pub(super) fn runs_dir(&self) -> &Path {
        &self.runs_dir
    }

    /// The option that has no meaning where this run is one side of a comparison.
    pub(super) fn not_for_a_side(&self) -> Option<&'static str> {
        let given = [
            (self.repeat.is_some(), "--repeat"),
            (self.dry_run, "--dry-run"),
            (self.output != Output::Text, "--output"),
        ];
        given.into_iter().find(|(given, _)| *given).map(|(_, option)| option)
    }

    fn check(&self) -> Result<(), Failure> {
        if self.duration.is_some_and(|d| d < Duration::from_secs(1)) {
            return Err(Failure::usage(
                "--duration is less than 1 s, one interval; give at least 1s",
            ));
        }
        Ok(())
    }

    /// Options of a run that goes into `runs_dir` and that `command` repeats.
    pub(super) fn options(&self, runs_dir: &Path, command: Vec<String>) -> RunOptions {
        RunOptions {
            runs_dir: runs_dir.to_path_buf(),
            drain: self.drain,
            style: Style::detect(self.quiet),
            command,
        }
    }
}

pub(super) fn execute(args: &RunArgs) -> Result<u8, Failure> {
    let runtime = runtime()?;
    let prepared = Prepared::new(args, &BTreeMap::new(), &runtime)?;
    if args.dry_run {
        let chosen = runtime.block_on(prepared.provider.plan(&wanted(&prepared.plan.profile)))?;
        return dry::run(args, &prepared, &chosen);
    }
    prepared.consent(args, args.repeat.unwrap_or(1))?;
    let command: Vec<String> =
        std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect();
    if let Some(runs) = args.repeat {
        return repeated::execute(args, &prepared, runs, &command, runtime);
    }
    let options = args.options(&args.runs_dir, command);
    let result = runtime.block_on(run::run(&prepared.plan, prepared.provider.as_ref(), &options));
    // A client library's blocking call may still wait for a server that is gone.
    runtime.shutdown_timeout(SHUTDOWN);
    let result = result?;
    match args.output {
        Output::Json => print_json(&result.record)?,
        Output::Text => {
            let screen = odg_reports::terminal::one_screen(&result.record, width(), colour());
            let report = result.dir.join("report.html");
            print(&format!("{screen}Report: {}\n", report.display()))?;
        }
    }
    Ok(result.record.exit_code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_read_as_people_type_them() {
        assert_eq!(window("08:00-09:30"), Ok((28_800.0, 34_200.0)));
        assert_eq!(window("00:00-24:00"), Ok((0.0, 86_400.0)));
        for bad in
            ["", "8-9", "09:00-08:00", "08:00-08:00", "08:00-25:00", "08:70-09:00", "a:b-c:d"]
        {
            assert!(window(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn impossible_numbers_are_refused_with_an_example() {
        for bad in ["0", "-1", "NaN", "inf", "1e9", "fast"] {
            assert!(positive(bad).unwrap_err().contains("such as"), "{bad}");
            assert!(scale(bad).is_err(), "{bad}");
        }
        assert_eq!(scale("auto"), Ok(Scale::Auto));
        assert_eq!(scale("0.1"), Ok(Scale::Fixed(0.1)));
        assert!(duration("8d").is_err());
    }
}
