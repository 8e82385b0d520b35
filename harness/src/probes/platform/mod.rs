//! What the platform promises about itself, asked with evidence: before the load, while it runs, and after.
//!
//! A round of light questions ([`Invariants::round`]) makes a few decisions of its own and looks at what
//! becomes of them. The audit chain is recomputed once, at the end, over everything that was written.

mod chain;
mod edges;
mod lifecycle;
mod readiness;
mod services;
mod tally;
mod watch;

use odg_reports::record::FeatureResult;
use odg_workloads::driver::DriverError;
use odg_workloads::driver::platform::{GovernanceClient, LakehouseClient, QualityClient};
use odg_workloads::endpoint::{PlatformEndpoints, PostgresEndpoint};
use odg_workloads::governance::{GovernanceNames, Observed, Roles};
use uuid::Uuid;

pub use readiness::{Pausable, readiness};
pub use services::services;
pub use tally::Promise;
pub use watch::Watch;

use tally::Tallies;

/// The questions and what they found so far.
pub struct Invariants {
    names: GovernanceNames,
    governance: Option<GovernanceClient>,
    lakehouse: Option<LakehouseClient>,
    quality: Option<QualityClient>,
    roles: Roles,
    tallies: Tallies,
    rounds: u64,
}

/// What the load leaves to be compared with the chain.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// What the load's own decisions showed.
    pub observed: Observed,
    /// Decisions that were acknowledged to it.
    pub acknowledged: Vec<Uuid>,
}

impl Invariants {
    /// Makes the clients and two users with roles in a domain of the probes' own.
    ///
    /// # Errors
    /// A service that does not answer, or that refuses.
    pub async fn prepare(platform: &PlatformEndpoints, run: &str) -> Result<Self, DriverError> {
        let names = GovernanceNames::new(&GovernanceNames::of_probes(run))?;
        let governance =
            platform.governance_engine.as_ref().map(GovernanceClient::new).transpose()?;
        let lakehouse = platform.lakehouse_agent.as_ref().map(LakehouseClient::new).transpose()?;
        let quality = platform.quality_gate.as_ref().map(QualityClient::new).transpose()?;
        let roles = Roles::assign(governance.as_ref(), &names).await?;
        let tallies = Tallies::default();
        Ok(Self { names, governance, lakehouse, quality, roles, tallies, rounds: 0 })
    }

    /// Asks every light question once.
    pub async fn round(&mut self) {
        self.rounds += 1;
        if let Some(client) = &self.governance {
            let (names, tallies) = (&self.names, &mut self.tallies);
            tallies.ask(Promise::ReadBack, lifecycle::read_back(client, names, self.rounds)).await;
            tallies.ask(Promise::OneVote, lifecycle::one_vote(client, names, self.rounds)).await;
            tallies
                .ask(Promise::FinalState, lifecycle::final_state(client, names, self.rounds))
                .await;
            tallies.ask(Promise::GovernanceLogin, edges::governance_login(client, names)).await;
        }
        if let Some(client) = &self.lakehouse {
            let (names, tallies) = (&self.names, &mut self.tallies);
            tallies.ask(Promise::OneStep, edges::one_step(client, names)).await;
            tallies.ask(Promise::LakehouseLogin, edges::lakehouse_login(client, names)).await;
        }
        if let Some(client) = &self.quality {
            let (names, tallies) = (&self.names, &mut self.tallies);
            tallies.ask(Promise::ReportReadBack, edges::report_read_back(client, names)).await;
            tallies.ask(Promise::QualityLogin, edges::quality_login(client, names)).await;
        }
    }

    /// Asks once more, recomputes the chain over everything that was written, and answers every finding.
    /// `database` is the platform's, where it is attached.
    pub async fn conclude(
        &mut self,
        database: Option<&PostgresEndpoint>,
        run: &str,
        loaded: &Loaded,
    ) -> Vec<FeatureResult> {
        self.round().await;
        let mut findings = self.so_far(loaded);
        if let Some(client) = &self.governance {
            let written = &loaded.acknowledged;
            findings.extend(chain::check(client, &self.names, database, run, written).await);
        }
        findings
    }

    /// What the light questions and the load found so far.
    pub fn so_far(&self, loaded: &Loaded) -> Vec<FeatureResult> {
        self.tallies.findings(&loaded.observed)
    }

    /// Takes the probes' roles away; answers what could not be.
    pub async fn leave(self) -> Vec<DriverError> {
        self.roles.revoke(self.governance.as_ref(), &self.names).await
    }
}
