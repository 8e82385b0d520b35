//! Taking away what a run gave, whatever became of the run.

use super::names::GovernanceNames;
use super::roles::Roles;
use crate::driver::DriverError;
use crate::driver::platform::GovernanceClient;
use crate::endpoint::PlatformEndpoints;

/// Takes away every role in the domains of the run `run` and of its probes, found by asking the service.
/// Answers what could not be. Decisions and audit events stay: there is no way to remove them.
pub async fn sweep(platform: &PlatformEndpoints, run: &str) -> Vec<DriverError> {
    let Some(endpoint) = &platform.governance_engine else { return Vec::new() };
    let client = match GovernanceClient::new(endpoint) {
        Ok(client) => client,
        Err(error) => return vec![error],
    };
    let mut problems = Vec::new();
    for part in [run.to_owned(), GovernanceNames::of_probes(run)] {
        match sweep_domain(&client, &part).await {
            Ok(left) => problems.extend(left),
            Err(error) => problems.push(error),
        }
    }
    problems
}

async fn sweep_domain(
    client: &GovernanceClient,
    run: &str,
) -> Result<Vec<DriverError>, DriverError> {
    let names = GovernanceNames::new(run)?;
    Ok(Roles::found(client, &names).await?.revoke(Some(client), &names).await)
}
