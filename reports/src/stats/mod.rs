//! The statistics that verdicts stand on, each with its assumption and its source.

mod batch;
mod binomial;
mod cluster;
mod percentile;

pub use batch::{MeanCi, batch_means};
pub use binomial::{lower_tail, upper_tail};
pub use cluster::design_effect;
pub use percentile::{
    Claim, claim, over_threshold, percentile_upper_bound, samples_needed, samples_needed_at,
};
