//! The command line.

mod attach;
mod compare;
mod conformance;
mod history;
mod inspect;
mod profiles;
mod publish;
mod run;

use std::io::{self, ErrorKind, IsTerminal, Write};

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

use crate::exit::Failure;

/// Benchmark and conformance harness for the OpenDataGov deployment profiles.
#[derive(Debug, Parser)]
#[command(
    name = "odg-bench",
    version,
    about,
    after_help = "Examples:\n  \
        odg-bench run --profile small\n  \
        odg-bench run --profile medium --duration 2m --dry-run\n  \
        odg-bench profiles diff small medium\n  \
        odg-bench doctor\n\n\
        Exit codes: 0 all required PASS · 1 a requirement FAILED · 2 bad usage or input · \
        3 the stack could not be brought up or reached · 4 INVALID or INCONCLUSIVE"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bring a profile's stack up, replay its daily volume, and judge it
    Run(run::RunArgs),
    /// Rebuild a run's report from its record
    Report(inspect::ReportArgs),
    /// Say whether one side of runs is worse than another, with confidence
    Compare(compare::CompareArgs),
    /// Show many runs over time: trends, changes, and the first run of each
    History(history::HistoryArgs),
    /// Make a static site of runs
    Publish(publish::PublishArgs),
    /// Say whether anything in a published site was edited
    Verify(publish::VerifyArgs),
    /// Say which promises of a profile a deployment's values and manifests keep
    Conformance(conformance::ConformanceArgs),
    /// Show, compare and choose profiles
    #[command(subcommand)]
    Profiles(profiles::ProfilesCommand),
    /// Say what this machine has, what is missing, and what would add it
    #[command(
        after_help = "Exits with 3 where a component is missing without which a profile cannot run."
    )]
    Doctor(inspect::DoctorArgs),
    /// Show how the endpoints of a deployment are written down
    #[command(subcommand)]
    Endpoints(attach::EndpointsCommand),
    /// Remove what killed runs left behind
    Clean(inspect::CleanArgs),
    /// Print a completion script for a shell
    Completions {
        /// Shell
        shell: clap_complete::Shell,
    },
    /// Ends and removes what a killed run left; started by `run` itself
    #[command(name = "__reaper", hide = true)]
    Reaper,
}

/// Form of what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Output {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// Runs the command and answers the exit code.
///
/// # Errors
/// Anything that ends the command without a result.
pub fn execute(cli: Cli) -> Result<u8, Failure> {
    match cli.command {
        Command::Run(args) => run::execute(&args),
        Command::Report(args) => inspect::report(&args),
        Command::Compare(args) => compare::execute(&args),
        Command::History(args) => history::execute(&args),
        Command::Publish(args) => publish::execute(&args),
        Command::Verify(args) => publish::verify(&args),
        Command::Conformance(args) => conformance::execute(&args),
        Command::Profiles(command) => profiles::execute(command),
        Command::Doctor(args) => inspect::doctor(&args),
        Command::Endpoints(command) => attach::endpoints(&command),
        Command::Clean(args) => inspect::clean(&args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "odg-bench", &mut script);
            print(&String::from_utf8_lossy(&script))?;
            Ok(crate::exit::PASS)
        }
        Command::Reaper => Err(Failure::usage("__reaper is started by `odg-bench run` itself")),
    }
}

impl Cli {
    /// Whether this process is to be the reaper of another.
    pub fn is_reaper(&self) -> bool {
        matches!(self.command, Command::Reaper)
    }
}

/// Prints to standard output. A reader that has seen enough (`| head`) is no error: what is left is not
/// printed, and the command keeps its exit code.
///
/// # Errors
/// Standard output cannot be written to, such as a file on a full disk.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::usage(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints JSON for programs, as [`print`] does.
///
/// # Errors
/// As for [`print`].
fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|e| Failure::usage(format!("cannot write JSON: {e}")))?;
    print(&(text + "\n"))
}

/// Whether standard output takes colour.
fn colour() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Columns of the terminal, or 100 where there is none.
fn width() -> usize {
    console::Term::stdout().size_checked().map_or(100, |(_, columns)| usize::from(columns))
}
