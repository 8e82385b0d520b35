//! The `odg-bench` program.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use odg_bench::cli::{self, Cli};
use odg_bench::provider::local::reaper;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.is_reaper() {
        return reaper::main();
    }
    let filter =
        EnvFilter::try_from_env("ODG_BENCH_LOG").unwrap_or_else(|_| EnvFilter::new("error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match cli::execute(cli) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            // Nobody is left to tell where standard error is closed; the exit code still says it.
            let mut err = std::io::stderr().lock();
            for line in failure.message.lines() {
                let _ = writeln!(err, "odg-bench: {line}");
            }
            for line in &failure.log_tail {
                let _ = writeln!(err, "  | {line}");
            }
            ExitCode::from(failure.code)
        }
    }
}
