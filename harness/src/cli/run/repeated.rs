//! `odg-bench run --repeat`.

use std::fmt::Write as _;

use odg_reports::compare::{spread, spread_text};
use odg_reports::record::RunRecord;
use tokio::runtime::Runtime;

use super::super::{Output, print, print_json};
use super::{Prepared, RunArgs, SHUTDOWN};
use crate::exit::Failure;
use crate::run::repeat::{Ended, Group, Series, seeds, series};
use crate::run::{Interrupts, RunResult, run_among};

/// Makes the runs, prints what they came to, and answers the worst exit code.
pub(super) fn execute(
    args: &RunArgs,
    prepared: &Prepared,
    runs: u32,
    command: &[String],
    runtime: Runtime,
) -> Result<u8, Failure> {
    let group = Group::new(&args.runs_dir, &prepared.plan.profile.name, &format!("x{runs}"));
    // All plans come first: what is wrong with the last one is known before the first one starts.
    let seeds = seeds(args.seed, runs)?.into_iter();
    let plans = seeds.map(|seed| prepared.with_seed(seed)).collect::<Result<Vec<_>, _>>()?;
    let made = runtime.block_on(async {
        let interrupts = Interrupts::listen();
        series((1..).zip(plans), &interrupts, async |(index, plan)| {
            let seed = plan.config.seed;
            args.announce(&format!("run {index} of {runs}, seed {seed}"));
            let options = args.options(&group.dir, command_of(command, seed));
            let place = group.place(index, runs, None);
            let provider = prepared.provider.as_ref();
            run_among(&plan, provider, &options, &interrupts, Some(place)).await
        })
        .await
    });
    runtime.shutdown_timeout(SHUTDOWN);
    let code = made.exit_code();
    let records: Vec<&RunRecord> = made.results.iter().map(|result| &result.record).collect();
    match args.output {
        Output::Json => print_json(&records)?,
        Output::Text if records.is_empty() => {}
        Output::Text => {
            let mut text = verdicts(&made.results);
            let figures = spread(&records);
            if !figures.is_empty() {
                let _ = writeln!(text, "\n{}", spread_text(&figures));
            }
            let _ = writeln!(text, "Runs: {}", group.dir.display());
            print(&text)?;
        }
    }
    let kept = format!("{} of {runs} runs are in {}", records.len(), group.dir.display());
    finish(made, code, &kept)
}

/// A line per run.
pub(in crate::cli) fn verdicts(results: &[RunResult]) -> String {
    let mut text = String::new();
    for (number, RunResult { record, dir }) in (1..).zip(results) {
        let side = record.repeat.as_ref().and_then(|repeat| repeat.turn);
        let side = side.map_or_else(String::new, |turn| format!("{:<10}", turn.side.label()));
        let why = record.reasons.first().map(|why| format!("  {why}")).unwrap_or_default();
        let line =
            format!("{number:>4}  {side}{:<12}  seed {}{why}", record.verdict, record.config.seed);
        let _ = writeln!(text, "{}\n      {}", one_line(&line), dir.join("report.html").display());
    }
    text
}

/// A reason can quote a server's last words.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

/// The exit code of a series, or why it ended early and what is kept.
pub(in crate::cli) fn finish(made: Series, code: u8, kept: &str) -> Result<u8, Failure> {
    let some = !made.results.is_empty();
    match made.ended {
        Ended::Failed(mut failure) => {
            if some {
                failure.message.push_str(&format!("\n{kept}"));
            }
            failure.code = code;
            Err(failure)
        }
        Ended::Interrupted => {
            eprintln!("odg-bench: interrupted; {kept}");
            Ok(code)
        }
        Ended::Complete => Ok(code),
    }
}

impl RunArgs {
    /// Says which run comes now.
    pub(in crate::cli) fn announce(&self, which: &str) {
        if !self.quiet {
            eprintln!("{which}");
        }
    }
}

/// The command line that repeats one run of `command`: without `--repeat`, and with its own seed.
pub(in crate::cli) fn command_of(command: &[String], seed: u64) -> Vec<String> {
    let mut kept = Vec::new();
    let mut words = command.iter();
    while let Some(word) = words.next() {
        if word == "--repeat" || word == "--seed" {
            words.next();
        } else if !word.starts_with("--repeat=") && !word.starts_with("--seed=") {
            kept.push(word.clone());
        }
    }
    kept.extend(["--seed".to_owned(), seed.to_string()]);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_of_one_run_repeats_that_run_alone() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let command = words("odg-bench run --repeat 5 --profile small --seed=3 --scale 0.1");
        let one = command_of(&command, 7);
        assert_eq!(one, words("odg-bench run --profile small --scale 0.1 --seed 7"));
        assert_eq!(command_of(&words("odg-bench run --repeat=5"), 1).last().unwrap(), "1");
    }
}
