//! The roles that a run gives to users of its own, and takes away again.

use super::names::GovernanceNames;
use crate::driver::DriverError;
use crate::driver::platform::{GovernanceClient, RaciRole, Role};

/// Roles in one domain.
#[derive(Debug, Default)]
pub struct Roles(Vec<Role>);

impl Roles {
    /// Gives the two users of `names` their roles; none where there is no service to give them.
    ///
    /// # Errors
    /// A service that refuses. No role is left then.
    pub async fn assign(
        client: Option<&GovernanceClient>,
        names: &GovernanceNames,
    ) -> Result<Self, DriverError> {
        let mut given = Self::default();
        let Some(client) = client else { return Ok(given) };
        let by = names.user(RaciRole::Accountable);
        for role in [RaciRole::Responsible, RaciRole::Accountable] {
            match client.assign(&names.user(role), &names.domain(), role, &by).await {
                Ok(done) => given.0.push(done.value),
                Err(error) => {
                    // What is asked for is the reason; a role that stays would only hide it.
                    for leftover in given.revoke(Some(client), names).await {
                        tracing::warn!(%leftover, "taking a role away again");
                    }
                    return Err(error);
                }
            }
        }
        Ok(given)
    }

    /// Every role in the domain of `names`, whoever gave it.
    pub(super) async fn found(
        client: &GovernanceClient,
        names: &GovernanceNames,
    ) -> Result<Self, DriverError> {
        Ok(Self(client.roles(&names.domain()).await?.value))
    }

    /// Takes the roles away; answers what could not be.
    pub async fn revoke(
        self,
        client: Option<&GovernanceClient>,
        names: &GovernanceNames,
    ) -> Vec<DriverError> {
        let Some(client) = client else { return Vec::new() };
        let by = names.user(RaciRole::Accountable);
        let mut leftovers = Vec::new();
        for role in self.0 {
            leftovers.extend(client.revoke(role.id, &by).await.err());
        }
        leftovers
    }
}
