//! The statistics that verdicts stand on, each with its assumption and its source.

mod batch;
mod binomial;
mod bootstrap;
mod changes;
mod cluster;
mod clusters;
mod difference;
mod holm;
mod percentile;
#[cfg(test)]
pub(crate) mod synthetic;

pub use batch::{Batches, MeanCi, SHORTEST_SERIES, batch_means, batches};
pub use binomial::{lower_tail, upper_tail};
pub use bootstrap::{Counts, ln_percentile};
pub use changes::{SHORTEST, Step, steps};
pub use cluster::design_effect;
pub use clusters::{Cluster, Clusters};
pub(crate) use clusters::{cell, counts_of};
pub use difference::{Difference, Estimate, difference, paired};
pub use holm::holm;
pub use percentile::{
    Claim, claim, clustered_claim, fewest, over_threshold, percentile_upper_bound, samples_needed,
    samples_needed_at,
};
