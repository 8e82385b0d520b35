//! Verdicts: from histograms to objectives, and from everything to one word and an exit code.

mod generator;
mod objective;
mod overall;
mod reasons;
#[cfg(test)]
mod tests;

pub use generator::generator_faults;
pub use objective::{CONFIDENCE, Objective, judge_objective};
pub use overall::{Evidence, Outcome, overall};
pub use reasons::UNFINISHED;
pub(crate) use reasons::{ERRORS_AT_MOST, attempts};
