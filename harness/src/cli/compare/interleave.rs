//! `odg-bench compare --interleave`: runs of two stacks in turn, then their comparison.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use clap::Parser;
use odg_reports::RecordError;
use odg_reports::compare::{self, Comparison, Options, Sample};
use odg_reports::record::{PairSide, RunState};

use super::super::run::{Prepared, RunArgs, SHUTDOWN, command_of, finish, runtime, verdicts};
use super::{CompareArgs, Compared, failure};
use crate::exit::Failure;
use crate::run::repeat::{Ended, Group, alternate, seeds, series};
use crate::run::{Interrupts, RunPlan, run_among};

/// Pairs without another wish.
pub(super) const PAIRS: u32 = 5;

/// The arguments of one side.
#[derive(Debug, Parser)]
#[command(name = "run", disable_help_flag = true)]
struct SideArgs {
    #[command(flatten)]
    run: RunArgs,
}

/// A side, ready to start.
struct Side {
    side: PairSide,
    args: RunArgs,
    prepared: Prepared,
    /// The command line of its runs.
    command: Vec<String>,
    /// A plan per pair.
    plans: Vec<RunPlan>,
}

/// Makes the runs and compares what was measured.
pub(super) fn execute(args: &CompareArgs, options: Options) -> Result<u8, Failure> {
    let pairs = args.repeat.unwrap_or(PAIRS);
    let runtime = runtime()?;
    let base = args.base_run.as_deref().unwrap_or_default();
    let candidate = args.candidate_run.as_deref().unwrap_or_default();
    let parse = |side, words| Side::new(side, words, &args.run_args, pairs, &runtime);
    let sides = [parse(PairSide::Base, base)?, parse(PairSide::Candidate, candidate)?];
    foreseeable(&sides, options)?;
    for side in &sides {
        side.prepared.consent(&side.args, pairs).map_err(|error| named(side.side, error))?;
    }
    let of = |side: PairSide| if side == PairSide::Base { &sides[0] } else { &sides[1] };
    let first = of(PairSide::Base);
    let group = Group::new(first.args.runs_dir(), &first.prepared.plan.profile.name, "interleaved");
    let made = runtime.block_on(async {
        let interrupts = Interrupts::listen();
        series(alternate(pairs).zip(1..), &interrupts, async |((pair, turn), number)| {
            let side = of(turn.side);
            let plan = &side.plans[pair as usize - 1];
            let (name, seed) = (turn.side.label(), plan.config.seed);
            let all = u64::from(pairs) * 2;
            side.args.announce(&format!("run {number} of {all}: {name}, pair {pair}, seed {seed}"));
            let command = command_of(&side.command, seed);
            let options = side.args.options(&group.dir.join(name), command);
            let place = group.place(pair, pairs, Some(turn));
            let provider = side.prepared.provider.as_ref();
            let made = run_among(plan, provider, &options, &interrupts, Some(place)).await;
            made.map_err(|failure| named(turn.side, failure))
        })
        .await
    });
    runtime.shutdown_timeout(SHUTDOWN);
    let kept = format!(
        "{} of {} runs are in {}",
        made.results.len(),
        u64::from(pairs) * 2,
        group.dir.display()
    );
    let mut compared = Compared::default();
    if !made.results.is_empty() {
        let _ = writeln!(compared.text, "{}", verdicts(&made.results));
        let _ = writeln!(compared.text, "Runs: {}\n", group.dir.display());
    }
    match compare_sides(&group.dir, options) {
        Ok(None) => {}
        Ok(Some(comparison)) => compared.add(comparison, args.out.as_deref())?,
        Err(mut failure) if matches!(made.ended, Ended::Complete) => {
            compared.print(args.output)?;
            failure.message.push_str(&format!("\n{kept}"));
            return Err(failure);
        }
        // Why the runs ended early is what counts.
        Err(failure) => eprintln!("odg-bench: {failure}"),
    }
    compared.print(args.output)?;
    let code = match made.ended {
        // The verdicts of the runs are in their records; what was asked here is whether one side is worse.
        Ended::Complete => compared.exit_code(args.fail_on),
        Ended::Interrupted => crate::exit::UNCERTAIN,
        Ended::Failed(ref failure) => failure.code,
    };
    finish(made, code, &kept)
}

/// Compares the runs of both sides, where each has one. A run that was cut off by the signal that ended the series is
/// not among them; the series itself names it.
fn compare_sides(group: &Path, options: Options) -> Result<Option<Comparison>, Failure> {
    let read = |side: PairSide| -> Result<Vec<Sample>, Failure> {
        let dir = group.join(side.label());
        if !dir.is_dir() {
            return Ok(Vec::new());
        }
        let samples = match compare::side(&dir) {
            Ok(samples) => samples,
            Err(RecordError::NotARun { .. }) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        Ok(samples.into_iter().filter(|s| s.record.state != RunState::Interrupted).collect())
    };
    let (base, candidate) = (read(PairSide::Base)?, read(PairSide::Candidate)?);
    if base.is_empty() || candidate.is_empty() {
        return Ok(None);
    }
    let (a, b) = (PairSide::Base.label(), PairSide::Candidate.label());
    compare::compare((a, &base), (b, &candidate), options).map(Some).map_err(failure)
}

/// A failure that says which side it is about, in each of its lines.
fn named(side: PairSide, mut failure: Failure) -> Failure {
    let lines: Vec<String> =
        failure.message.lines().map(|line| format!("--{}-run: {line}", side.label())).collect();
    failure.message = lines.join("\n");
    failure
}

impl Side {
    fn new(
        side: PairSide,
        own: &str,
        common: &[String],
        pairs: u32,
        runtime: &tokio::runtime::Runtime,
    ) -> Result<Self, Failure> {
        let build = || -> Result<Self, Failure> {
            let (environment, args, command) = parse(own, common)?;
            let prepared = Prepared::new(&args, &environment, runtime)?;
            let seeds = seeds(args.seed(), pairs)?.into_iter();
            let plans = seeds.map(|seed| prepared.with_seed(seed)).collect::<Result<_, _>>()?;
            Ok(Self { side, args, prepared, command, plans })
        };
        build().map_err(|failure| named(side, failure))
    }
}

/// Environment, arguments and command line of a side.
type Parsed = (BTreeMap<String, String>, RunArgs, Vec<String>);

/// A side's own words, in which variables for its local servers may come first, and what both sides have in common.
fn parse(own: &str, common: &[String]) -> Result<Parsed, Failure> {
    let words = shlex::split(own)
        .ok_or_else(|| Failure::usage("a quote is not closed, or a backslash ends the words"))?;
    let mut environment = BTreeMap::new();
    let mut words = words.into_iter().peekable();
    while let Some((name, value)) = words.peek().and_then(|word| word.split_once('=')) {
        if name.starts_with('-') {
            break;
        }
        if !name.starts_with("ODG_BENCH_") || name.starts_with("ODG_BENCH_ATTACH_") {
            return Err(Failure::usage(format!(
                "{name}: only variables that choose local servers (ODG_BENCH_REDIS …) can stand before the \
                 options; give endpoints with --endpoints"
            )));
        }
        environment.insert(name.to_owned(), value.to_owned());
        words.next();
    }
    let options: Vec<String> = words.chain(common.iter().cloned()).collect();
    let args = SideArgs::try_parse_from(["run".to_owned()].iter().chain(&options))
        .map_err(|error| Failure::usage(first_sentence(&error.to_string())))?
        .run;
    if let Some(option) = args.not_for_a_side() {
        return Err(Failure::usage(format!(
            "{option} has no place among a side's options; give it to `compare` itself where it has it"
        )));
    }
    let mut command: Vec<String> = Vec::new();
    if !environment.is_empty() {
        command.push("env".to_owned());
        command.extend(environment.iter().map(|(name, value)| format!("{name}={value}")));
    }
    command.extend(["odg-bench".to_owned(), "run".to_owned()]);
    command.extend(options);
    Ok((environment, args, command))
}

/// clap's message without its usage and advice, on one line.
fn first_sentence(message: &str) -> String {
    let first = message.split("\n\n").next().unwrap_or(message);
    let first = first.trim_start_matches("error: ");
    first.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Refuses before anything is measured what comparing would refuse in the end.
fn foreseeable(sides: &[Side; 2], options: Options) -> Result<(), Failure> {
    let [base, candidate] = sides;
    if base.args.runs_dir() != candidate.args.runs_dir() {
        return Err(Failure::usage(
            "--runs-dir differs between the sides; give it once, after `--`",
        ));
    }
    let conditions = |side: &Side| {
        let (plan, config) = (&side.prepared.plan, &side.prepared.plan.config);
        [
            ("profile", plan.profile.name.clone()),
            ("provider", side.prepared.provider.name().to_owned()),
            ("seed", config.seed.to_string()),
            ("arrivals", config.arrivals.clone()),
            ("duration in seconds", config.duration_s.to_string()),
            ("warm-up in seconds", config.warmup_s.to_string()),
            ("daily volume in bytes", config.volume_bytes_per_day.to_string()),
            ("scale", config.scale.to_string()),
            ("speed-up", config.speedup.to_string()),
            ("window", config.window.clone().unwrap_or_else(|| "none".into())),
            ("marks", plan.marks.join(", ")),
        ]
    };
    let differing: Vec<String> = conditions(base)
        .into_iter()
        .zip(conditions(candidate))
        .filter(|(a, b)| a != b)
        .map(|((field, a), (_, b))| {
            format!("{field} is {a} for the base and {b} for the candidate")
        })
        .collect();
    if differing.is_empty() || options.force {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "not comparable, so nothing was started: {}; give both sides the same, or force it with --force",
        differing.join("; ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common(words: &str) -> Vec<String> {
        words.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_side_is_split_as_a_shell_would_and_keeps_its_command() {
        let own = "ODG_BENCH_REDIS='/opt/my redis/redis-server' --images \"a b.yaml\"";
        let (environment, args, command) = parse(own, &common("--profile small --seed 3")).unwrap();
        assert_eq!(environment["ODG_BENCH_REDIS"], "/opt/my redis/redis-server");
        assert_eq!(args.seed(), 3);
        let wanted = [
            "env",
            "ODG_BENCH_REDIS=/opt/my redis/redis-server",
            "odg-bench",
            "run",
            "--images",
            "a b.yaml",
            "--profile",
            "small",
            "--seed",
            "3",
        ];
        assert_eq!(command, wanted);
    }

    #[test]
    fn what_cannot_stand_in_a_side_is_refused_in_one_line() {
        for (own, common_words, said) in [
            ("--images 'a", "--profile small", "quote is not closed"),
            ("--imags a", "--profile small", "--imags"),
            ("--scale much", "--profile small", "--scale"),
            ("", "", "--profile"),
            ("--repeat 3", "--profile small", "--repeat"),
            ("--dry-run", "--profile small", "--dry-run"),
            ("--output json", "--profile small", "--output"),
            ("PATH=/x", "--profile small", "PATH"),
            ("ODG_BENCH_ATTACH_REDIS_PASSWORD=x", "--profile small", "--endpoints"),
            ("--help", "--profile small", "--help"),
        ] {
            let Err(error) = parse(own, &common(common_words)) else { panic!("{own} was taken") };
            let text = error.message;
            assert!(text.contains(said) && !text.contains('\n'), "{own}: {text}");
        }
    }
}
