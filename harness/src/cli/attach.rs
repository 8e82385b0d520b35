//! What attaching to somebody's stack adds to the command line: endpoints, consent, limits.

use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use odg_profiles::Volume;
use odg_profiles::units::format_rate;
use odg_reports::record::Warning;
use odg_workloads::day::Carries;
use odg_workloads::day::names::{Created, Names};
use odg_workloads::governance;

use super::print;
use crate::exit::{self, Failure};
use crate::provider::attach::{Given, SAMPLE, leftovers};
use crate::run::RunPlan;
use crate::run::platform::governance_load;

/// Stands for a run's label where there is none yet.
const SOME_RUN: &str = "run";

#[derive(Debug, Args)]
pub(super) struct AttachArgs {
    /// Endpoints of a deployment that is already there, as YAML; implies --provider attach
    #[arg(long, value_name = "FILE")]
    pub(super) endpoints: Option<PathBuf>,
    /// Load the attached deployment without asking
    #[arg(long)]
    pub(super) yes: bool,
    /// Ask and list only: create nothing, offer no load (with --provider attach)
    #[arg(long, conflicts_with = "strict")]
    pub(super) read_only: bool,
    /// Fail where the profile requires a component that is not among the endpoints
    #[arg(long)]
    pub(super) strict: bool,
    /// Most event data per second, on average, such as 20MB/s; scales the load down and marks the record
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(super) max_rate: Option<Volume>,
}

impl AttachArgs {
    /// The option that only makes sense with a deployment that is already there.
    pub(super) fn wants_attach(&self) -> Option<&'static str> {
        let asked = [
            (self.endpoints.is_some(), "--endpoints"),
            (self.read_only, "--read-only"),
            (self.strict, "--strict"),
            (self.yes, "--yes"),
        ];
        asked.into_iter().find(|(given, _)| *given).map(|(_, option)| option)
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum EndpointsCommand {
    /// Print an annotated endpoints file for a Helm install
    Sample,
}

pub(super) fn endpoints(command: &EndpointsCommand) -> Result<u8, Failure> {
    match command {
        EndpointsCommand::Sample => print(SAMPLE)?,
    }
    Ok(exit::PASS)
}

fn rate(text: &str) -> Result<Volume, String> {
    text.parse::<Volume>().map_err(|_| "give bytes per time, such as 20MB/s or 1TB/day".to_owned())
}

/// Secrets that others may read, as a warning.
pub(super) fn exposed(given: &Given, file: Option<&Path>) -> Option<Warning> {
    let file = file.filter(|_| !given.exposed.is_empty())?.display();
    Some(Warning {
        code: "secrets-readable".into(),
        text: format!("{file} is readable by others and holds {}", given.exposed.join(", ")),
        action: format!("run `chmod 600 {file}`, or use the _env or _file form of these settings"),
    })
}

/// What the run would create in the stack, and remove again.
pub(super) fn created(carries: Carries) -> Vec<Created> {
    let names = Names::new(SOME_RUN).map(|names| names.created(carries)).unwrap_or_default();
    let shown = |one: Created| Created { name: one.name.replacen(SOME_RUN, "<run>", 1), ..one };
    names.into_iter().map(shown).collect()
}

/// What a run leaves at the platform's own services, which only ever append, as a warning.
pub(super) fn kept(given: &Given, plan: &RunPlan) -> Option<Warning> {
    let load = governance_load(plan);
    let made =
        governance::creations(SOME_RUN, &given.endpoints.platform, &load).unwrap_or_default();
    let kept: Vec<String> = made
        .iter()
        .filter(|one| !one.removed && !plan.read_only)
        .map(|one| format!("{}: {}", one.service, one.what.replace("-run", "-<run>")))
        .collect();
    (!kept.is_empty()).then(|| Warning {
        code: "stays".into(),
        text: format!(
            "what the platform's services keep of a run stays there: {}",
            kept.join("; ")
        ),
        action: "leave these services out of the endpoints where that must not be".into(),
    })
}

/// Says what would be loaded, how much and how often, and waits for consent.
///
/// # Errors
/// Where there is none.
pub(super) fn consent(given: &Given, plan: &RunPlan, runs: u32, yes: bool) -> Result<(), Failure> {
    let mut text = String::from("About to load a deployment that is not odg-bench's own:\n");
    for (component, address) in &given.addresses {
        let _ = writeln!(text, "  {component:<18} {address}");
    }
    let offered = &plan.offered;
    let times = if runs == 1 { String::new() } else { format!(", {runs} times") };
    let _ = writeln!(
        text,
        "with {} ({:.0} events/s) and {:.0} reads and writes beside them per second, for {:.0} s{times}. What is \
         created is named odgbench-… and removed afterwards.",
        format_rate(offered.bytes_per_s),
        offered.events_per_s,
        offered.operations_per_s() - offered.events_per_s,
        plan.load.length.as_secs_f64()
    );
    if let Some(kept) = kept(given, plan) {
        let rate = plan.decisions_per_s;
        let _ = writeln!(text, "The services get {rate:.1} decisions/s; {}.", kept.text);
    }
    let mut err = io::stderr().lock();
    let _ = err.write_all(text.as_bytes());
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::usage(
            "loading a deployment that is not odg-bench's own wants --yes; --dry-run shows what would be done",
        ));
    }
    let _ = write!(err, "Type yes to go on: ");
    let _ = err.flush();
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    if read.is_ok() && answer.trim() == "yes" {
        return Ok(());
    }
    Err(Failure::usage("nothing was done: the answer was not yes"))
}

/// Lists, and with `yes` removes, what dead runs left on the endpoints.
pub(super) fn clean(file: &Path, older_than: Duration, yes: bool) -> Result<u8, Failure> {
    let given = Given::load(Some(file))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::stack(format!("cannot start threads: {e}")))?;
    let mut text = String::new();
    let problems = runtime.block_on(async {
        let (found, mut problems) = leftovers::find(&given.endpoints).await;
        if found.is_empty() {
            let _ = writeln!(text, "Nothing of any run on these endpoints.");
        }
        for left in found {
            let dead = left.is_dead(older_than);
            let removed = dead && yes;
            if removed {
                problems.extend(leftovers::remove(&given.endpoints, &left).await);
            }
            let word = match (removed, dead) {
                (true, _) => "Removed",
                (false, true) => "Would remove with --yes",
                (false, false) if left.over_since.is_some() => "Left alone, ended too recently",
                (false, false) => "Left alone, may still run",
            };
            let _ = writeln!(text, "{word}: run {}", left.run);
            for (component, name) in summary(&left.names) {
                let _ = writeln!(text, "  {component:<12} {name}");
            }
        }
        problems
    });
    print(&text)?;
    if problems.is_empty() {
        return Ok(exit::PASS);
    }
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Err(Failure::stack(lines.join("\n")))
}

/// Thousands of keys are shown as one line.
fn summary(names: &[(&'static str, String)]) -> Vec<(&'static str, String)> {
    let keys = names.iter().filter(|(component, _)| *component == "redis").count();
    let others = names.iter().filter(|(component, _)| *component != "redis");
    let mut shown: Vec<(&'static str, String)> = others.cloned().collect();
    if keys > 0 {
        shown.push(("redis", format!("{keys} keys")));
    }
    shown
}
