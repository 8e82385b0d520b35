//! The platform's own services beside a run: asked before the load, driven and asked while it runs, and
//! compared with their database after it.

use std::future::Future;
use std::time::Duration;

use odg_reports::record::FeatureResult;
use odg_workloads::clock::Clock;
use odg_workloads::day::DayOutcome;
use odg_workloads::driver::DriverError;
use odg_workloads::endpoint::PlatformEndpoints;
use odg_workloads::governance::{
    Governance, GovernanceLoad, GovernanceOutcome, Running, operations::operations,
};
use odg_workloads::recorder::{Operation, Recorder};

use super::request::RunPlan;
use crate::probes::platform::{Invariants, Loaded, Watch, readiness};
use crate::provider::Stack;

/// What the services are offered in a run of `plan`.
pub fn governance_load(plan: &RunPlan) -> GovernanceLoad {
    GovernanceLoad {
        decisions_per_s: plan.decisions_per_s,
        arrivals: plan.load.arrivals,
        length: plan.load.length,
        seed: plan.load.seed,
    }
}

/// The services' operations, to be recorded with the day's; none where no service is there, or may be written to.
pub fn beside(platform: &PlatformEndpoints, plan: &RunPlan) -> Vec<Operation> {
    if plan.read_only { Vec::new() } else { operations(platform) }
}

fn any(platform: &PlatformEndpoints) -> bool {
    platform.governance_engine.is_some()
        || platform.lakehouse_agent.is_some()
        || platform.quality_gate.is_some()
}

/// Services that were asked once and are ready to be loaded.
pub struct Prepared {
    governance: Governance,
    invariants: Invariants,
}

impl Prepared {
    /// Gives the run's users their roles and asks every light question once. `None` where the stack has
    /// none of the services, or may not be written to.
    ///
    /// # Errors
    /// A service that does not answer, or that refuses the run's login.
    pub async fn new(
        stack: &Stack,
        plan: &RunPlan,
        run: &str,
    ) -> Result<Option<Self>, DriverError> {
        let platform = &stack.endpoints.platform;
        if plan.read_only || !any(platform) {
            return Ok(None);
        }
        let governance = Governance::prepare(run, platform, governance_load(plan)).await?;
        let mut invariants = match Invariants::prepare(platform, run).await {
            Ok(invariants) => invariants,
            Err(error) => {
                report(&governance.abandon().await);
                return Err(error);
            }
        };
        invariants.round().await;
        Ok(Some(Self { governance, invariants }))
    }

    /// Starts the load on the run's clock, and goes on asking.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(self, recorder: &Recorder, clock: Clock) -> Result<UnderWay, DriverError> {
        let load = self.governance.start(recorder, clock)?;
        Ok(UnderWay { load, watch: Watch::start(self.invariants) })
    }

    /// Takes the roles away again, where the run ends before its load.
    pub async fn abandon(self) {
        report(&self.governance.abandon().await);
        report(&self.invariants.leave().await);
    }
}

fn report(leftovers: &[DriverError]) {
    for leftover in leftovers {
        eprintln!("odg-bench: a role stays: {leftover}");
    }
}

/// Services under load.
pub struct UnderWay {
    load: Running,
    watch: Watch,
}

impl UnderWay {
    /// Lets the load end, at most for `patience`, asks for the last time and takes the roles away. Where
    /// `give_up` is ready first, the chain is not read to its end.
    pub async fn finish(
        self,
        stack: &Stack,
        run: &str,
        patience: Duration,
        give_up: impl Future<Output = ()>,
    ) -> Finished {
        let outcome = self.load.finish(patience).await;
        let loaded = Loaded {
            observed: outcome.observed.clone(),
            acknowledged: outcome.acknowledged.clone(),
        };
        let mut leftovers = Vec::new();
        let mut findings = Vec::new();
        if let Some(mut invariants) = self.watch.end().await {
            let asked = async {
                let database = stack.endpoints.postgres.as_ref();
                let mut found = invariants.conclude(database, run, &loaded).await;
                if let Some(engine) = &stack.endpoints.platform.governance_engine {
                    found.push(readiness(engine, stack).await);
                }
                found
            };
            let ended = tokio::select! {
                found = asked => Some(found),
                () = give_up => None,
            };
            findings = ended.unwrap_or_else(|| invariants.so_far(&loaded));
            leftovers = invariants.leave().await;
        }
        Finished { outcome, findings, leftovers }
    }
}

/// What the services leave.
pub struct Finished {
    outcome: GovernanceOutcome,
    /// What was found of the platform's promises.
    pub findings: Vec<FeatureResult>,
    leftovers: Vec<DriverError>,
}

impl Finished {
    /// Adds the generator's account of the services' load to the day's: one run, one account.
    pub fn add_to(&mut self, day: &mut DayOutcome) {
        day.pacing.merge(&self.outcome.pacing);
        day.dropped += self.outcome.dropped;
        day.scheduled += self.outcome.scheduled;
        day.leftovers.append(&mut self.outcome.leftovers);
        day.leftovers.append(&mut self.leftovers);
    }
}
