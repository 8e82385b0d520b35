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
use odg_workloads::driver::platform::{
    GovernanceClient, LakehouseClient, QualityClient, RaciRole, Role,
};
use odg_workloads::endpoint::{PlatformEndpoints, PostgresEndpoint};
use odg_workloads::governance::{GovernanceNames, Observed};
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
    roles: Vec<Role>,
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
        let mut prepared = Self {
            names: GovernanceNames::new(&GovernanceNames::of_probes(run))?,
            governance: platform
                .governance_engine
                .as_ref()
                .map(GovernanceClient::new)
                .transpose()?,
            lakehouse: platform.lakehouse_agent.as_ref().map(LakehouseClient::new).transpose()?,
            quality: platform.quality_gate.as_ref().map(QualityClient::new).transpose()?,
            roles: Vec::new(),
            tallies: Tallies::default(),
            rounds: 0,
        };
        if let Err(error) = prepared.assign().await {
            for leftover in prepared.revoke().await {
                tracing::warn!(%leftover, "taking a role away again");
            }
            return Err(error);
        }
        Ok(prepared)
    }

    async fn assign(&mut self) -> Result<(), DriverError> {
        let Some(client) = &self.governance else { return Ok(()) };
        let by = self.names.user(RaciRole::Accountable);
        for role in [RaciRole::Responsible, RaciRole::Accountable] {
            let user = self.names.user(role);
            self.roles.push(client.assign(&user, &self.names.domain(), role, &by).await?.value);
        }
        Ok(())
    }

    async fn revoke(&mut self) -> Vec<DriverError> {
        let Some(client) = &self.governance else { return Vec::new() };
        let by = self.names.user(RaciRole::Accountable);
        let mut leftovers = Vec::new();
        for role in std::mem::take(&mut self.roles) {
            leftovers.extend(client.revoke(role.id, &by).await.err());
        }
        leftovers
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
    pub async fn leave(mut self) -> Vec<DriverError> {
        self.revoke().await
    }
}
