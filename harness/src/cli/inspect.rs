//! `odg-bench report`, `doctor` and `clean`.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use odg_profiles::parse_duration;
use odg_reports::Run;

use super::{Output, attach, colour, print, print_json, width};
use crate::doctor::{self, Status};
use crate::exit::{self, Failure};
use crate::provider::docker;
use crate::provider::local::{LocalProvider, workdir};

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// Run directory
    dir: PathBuf,
    /// Form of the result on standard output
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Form of the result on standard output
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
pub(super) struct CleanArgs {
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Look on these endpoints, and not on this machine; removes only with --yes
    #[arg(long, value_name = "FILE")]
    endpoints: Option<PathBuf>,
    /// Remove what is found on the endpoints
    #[arg(long, requires = "endpoints", conflicts_with = "dry_run")]
    yes: bool,
    /// On endpoints, only runs that should have ended this long ago: others may belong to another machine
    #[arg(long, requires = "endpoints", default_value = "1h", value_parser = older_than)]
    older_than: Duration,
}

fn older_than(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|e| e.to_string())
}

pub(super) fn report(args: &ReportArgs) -> Result<u8, Failure> {
    let run = Run::open(&args.dir)?;
    let paths = odg_reports::render(&run)?;
    match args.output {
        Output::Json => print_json(&run.record)?,
        Output::Text => {
            let mut text = odg_reports::terminal::one_screen(&run.record, width(), colour());
            for note in &run.notes {
                let _ = writeln!(text, "Note: {note}");
            }
            let _ = writeln!(text, "Report: {}", paths.html.display());
            print(&text)?;
        }
    }
    Ok(exit::PASS)
}

pub(super) fn doctor(args: &DoctorArgs) -> Result<u8, Failure> {
    let rows = doctor::doctor(&LocalProvider::from_env());
    match args.output {
        Output::Json => print_json(&rows)?,
        Output::Text => print(&doctor::render(&rows))?,
    }
    // Without one of these no profile can run at all.
    let missing = rows.iter().any(|r| r.status == Status::Missing && r.fidelity.is_some());
    Ok(if missing { exit::STACK } else { exit::PASS })
}

pub(super) fn clean(args: &CleanArgs) -> Result<u8, Failure> {
    if let Some(file) = &args.endpoints {
        return attach::clean(file, args.older_than, args.yes);
    }
    let parent = workdir::default_parent();
    let found = workdir::sweep(&parent, args.dry_run)
        .map_err(|e| Failure::stack(format!("cannot look into {}: {e}", parent.display())))?;
    let mut text = String::new();
    if found.is_empty() {
        let _ = writeln!(text, "Nothing of a dead run in {}.", parent.display());
    }
    for leftover in found {
        let (path, run) = (leftover.path.display(), &leftover.label.run_id);
        let _ = match (&leftover.problem, args.dry_run) {
            (Some(problem), _) => writeln!(text, "Could not remove {path} of run {run}: {problem}"),
            (None, true) => writeln!(text, "Would remove {path} of run {run}"),
            (None, false) => {
                writeln!(
                    text,
                    "Removed {path} of run {run} and ended {} processes",
                    leftover.processes
                )
            }
        };
    }
    let containers = clean_containers(args.dry_run, &mut text);
    print(&text)?;
    containers?;
    Ok(exit::PASS)
}

/// What dead runs left in the container engine.
fn clean_containers(dry_run: bool, text: &mut String) -> Result<(), Failure> {
    let found = match docker::sweep(dry_run) {
        Ok(found) => found,
        // Whoever cannot use an engine has started no containers in it.
        Err(
            error @ (docker::DockerError::NoEngine { .. }
            | docker::DockerError::NotPermitted { .. }),
        ) => {
            let _ = writeln!(text, "No containers were looked for: {error}");
            return Ok(());
        }
        Err(error) => return Err(Failure::stack(error)),
    };
    if found.is_empty() {
        let _ = writeln!(text, "Nothing of a dead run in the container engine.");
    }
    for leftover in found {
        let (kind, name, run) = (leftover.kind.label(), &leftover.name, &leftover.run);
        let _ = match (&leftover.problem, dry_run) {
            (Some(problem), _) => writeln!(text, "Left {kind} {name} of run {run}: {problem}"),
            (None, true) => writeln!(text, "Would remove {kind} {name} of run {run}"),
            (None, false) => writeln!(text, "Removed {kind} {name} of run {run}"),
        };
    }
    Ok(())
}
