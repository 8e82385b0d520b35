//! A run: bring the stack up, probe it, load it, judge it, write it down, take it down.

pub mod assemble;
mod interrupts;
pub mod label;
pub mod monitor;
pub mod platform;
pub mod progress;
pub mod repeat;
pub mod request;
pub mod session;

pub use interrupts::Interrupts;
pub use request::{Brings, RunPlan, RunRequest, Scale};
pub use session::{RunOptions, RunResult, run, run_among};
