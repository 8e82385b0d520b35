//! `odg-bench publish` and `odg-bench verify`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use odg_reports::publish::{self, Options, PublishError, SUMS};

use super::history::{self, HowArgs};
use super::{Output, print, print_json};
use crate::exit::{self, Failure};

#[derive(Debug, Args)]
#[command(
    after_help = "Each RUN is a run directory, or a directory of them: then these are one side of the site's \
    comparisons.\n\n\
    Examples:\n  \
    odg-bench publish runs/2026… --out site\n  \
    odg-bench publish runs/before runs/after --out site\n  \
    odg-bench publish runs/release --out site --strict\n\n\
    Exit codes: 0 published · 1 with --strict: not publishable, nothing was written · 2 what was named is no run, or \
    some cannot be read (the others are published)"
)]
pub(super) struct PublishArgs {
    /// Run directories, or directories of them
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Directory of the site; an older site there is replaced, nothing else is
    #[arg(long, value_name = "SITE")]
    out: PathBuf,
    /// Refuse, and write nothing, where a run breaks a rule
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    how: HowArgs,
    /// Form of the result on standard output
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Compares every file with its checksum, every record with itself, and every page with the \
    records that it is made of.\n\n\
    Exit codes: 0 nothing was edited · 1 something was · 2 it is no site of odg-bench · 4 another \
    version made it, so that its pages could not be made again"
)]
pub(super) struct VerifyArgs {
    /// Directory that `publish` wrote
    dir: PathBuf,
    /// Form of the result on standard output
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

fn failure(error: PublishError) -> Failure {
    match error {
        PublishError::Record(error) => error.into(),
        PublishError::History(error) => history::failure(error),
        refused @ PublishError::Refused(_) => {
            Failure { code: exit::FAIL, ..Failure::usage(refused) }
        }
        other => Failure::usage(other),
    }
}

pub(super) fn execute(args: &PublishArgs) -> Result<u8, Failure> {
    let options = Options { history: args.how.options()?, strict: args.strict };
    let published = publish::publish(&args.runs, &args.out, &options).map_err(failure)?;
    let mut text = String::new();
    let good = published.runs.iter().filter(|run| run.violations.is_empty()).count();
    // Writing into a String cannot fail.
    let _ = writeln!(text, "{good} of {} runs are publishable.", published.runs.len());
    for run in published.runs.iter().filter(|run| !run.violations.is_empty()) {
        let line = format!("NOT PUBLISHABLE {}: {}", run.run_id, run.violations.join("; "));
        let _ = writeln!(text, "{}", odg_reports::terminal::plain(&line));
    }
    for broken in &published.broken {
        let _ = writeln!(text, "! {}", odg_reports::terminal::plain(&broken.why));
    }
    for note in &published.notes {
        let _ = writeln!(text, "! {}", odg_reports::terminal::plain(note));
    }
    let comparisons = if published.comparisons == 1 { "comparison" } else { "comparisons" };
    let _ = writeln!(
        text,
        "Site: {}, {} {comparisons}\nSHA-256 of its {SUMS}: {}",
        published.site.join("index.html").display(),
        published.comparisons,
        published.fingerprint
    );
    match args.output {
        Output::Json => print_json(&published)?,
        Output::Text => print(&text)?,
    }
    match published.broken.len() {
        0 => Ok(exit::PASS),
        n => Err(Failure::usage(format!(
            "{n} records cannot be read, and are listed above; the others were published"
        ))),
    }
}

pub(super) fn verify(args: &VerifyArgs) -> Result<u8, Failure> {
    let checked = publish::verify(&args.dir).map_err(failure)?;
    let mut text = String::new();
    for problem in &checked.problems {
        let _ = writeln!(text, "{}", odg_reports::terminal::plain(problem));
    }
    let _ = match (checked.problems.len(), &checked.other_version) {
        (0, None) => writeln!(
            text,
            "Nothing was edited: {} files are as published; pages follow from the records. {} of {} runs are \
             publishable.",
            checked.unchanged, checked.publishable, checked.runs
        ),
        // Checksums and records alone do not show that nothing was edited.
        (0, Some(version)) => writeln!(
            text,
            "NOT FULLY CHECKED: made by odg-bench {}, so pages were not made again; check it with that version. {} \
             files have their checksums.",
            odg_reports::terminal::plain(version),
            checked.unchanged
        ),
        (n, _) => {
            writeln!(text, "NOT AS PUBLISHED: {n} problems, {} files unchanged.", checked.unchanged)
        }
    };
    if checked.not_judged > 0 {
        let _ = writeln!(
            text,
            "{} of {} runs were recorded by another version: their verdicts were not judged again.",
            checked.not_judged, checked.runs
        );
    }
    let _ = writeln!(text, "SHA-256 of its {SUMS}: {}", checked.fingerprint);
    match args.output {
        Output::Json => print_json(&checked)?,
        Output::Text => print(&text)?,
    }
    Ok(match (checked.problems.is_empty(), &checked.other_version) {
        (true, None) => exit::PASS,
        (true, Some(_)) => exit::UNCERTAIN,
        (false, _) => exit::FAIL,
    })
}
