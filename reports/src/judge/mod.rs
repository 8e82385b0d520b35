//! Verdicts: from histograms to objectives, and from everything to one word and an exit code.

mod objective;
mod overall;

pub use objective::{CONFIDENCE, Objective, judge_objective};
pub use overall::{Evidence, Outcome, generator_faults, overall};
