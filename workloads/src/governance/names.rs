//! What the governance workload calls the things that it creates. All of them carry the run's prefix.

use crate::driver::platform::RaciRole;
use crate::driver::{DriverError, Prefix};

/// Names of a run's domain, users, decisions and datasets at the platform's services.
#[derive(Debug, Clone)]
pub struct GovernanceNames {
    prefix: Prefix,
}

impl GovernanceNames {
    /// The names of a run, or of a part of one such as `<run>-probe`.
    ///
    /// # Errors
    /// Where the run's id has other characters than lower-case letters, digits and `-`.
    pub fn new(run: &str) -> Result<Self, DriverError> {
        Ok(Self { prefix: Prefix::new(format!("odgbench-{run}"))? })
    }

    /// What the probes of `run` are named after.
    pub fn of_probes(run: &str) -> String {
        format!("{run}-probe")
    }

    /// The domain in which everything happens.
    pub fn domain(&self) -> String {
        format!("{}-governance", self.prefix.as_str())
    }

    /// The user that holds `role` in the domain.
    pub fn user(&self, role: RaciRole) -> String {
        let role = match role {
            RaciRole::Responsible => "responsible",
            RaciRole::Accountable => "accountable",
            RaciRole::Consulted => "consulted",
            RaciRole::Informed => "informed",
        };
        format!("{}-{role}", self.prefix.as_str())
    }

    /// Title of a decision.
    pub fn title(&self, number: u64) -> String {
        format!("{} decision {number}", self.prefix.as_str())
    }

    /// A dataset.
    pub fn dataset(&self, number: u64) -> String {
        format!("{}/dataset-{number}", self.prefix.as_str())
    }
}
