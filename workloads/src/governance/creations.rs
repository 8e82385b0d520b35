//! What a run creates at the platform's services, to be said before it does.

use super::load::GovernanceLoad;
use super::names::GovernanceNames;
use crate::driver::DriverError;
use crate::driver::platform::RaciRole;
use crate::endpoint::PlatformEndpoints;

/// Something that a run creates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Creation {
    /// Service that keeps it.
    pub service: &'static str,
    /// What, with its names.
    pub what: String,
    /// Whether the run removes it again. What it does not remove, the service has no way to remove.
    pub removed: bool,
}

/// Everything that the load and the probes create. Call it before the run and show it.
///
/// # Errors
/// A run's id that cannot be part of a name.
pub fn creations(
    run: &str,
    platform: &PlatformEndpoints,
    load: &GovernanceLoad,
) -> Result<Vec<Creation>, DriverError> {
    let names = GovernanceNames::new(run)?;
    let domain = names.domain();
    let mut list = Vec::new();
    if platform.governance_engine.is_some() {
        let service = "governance-engine";
        list.push(Creation {
            service,
            what: format!(
                "roles of {} and {} in domain {domain}, and of the probes' users in their own",
                names.user(RaciRole::Responsible),
                names.user(RaciRole::Accountable),
            ),
            removed: true,
        });
        list.push(Creation {
            service,
            what: format!(
                "about {} decisions in domain {domain}, and a few of the probes, with their votes, \
                 vetoes and audit events: the platform only ever appends these",
                load.decisions(platform)
            ),
            removed: false,
        });
    }
    if platform.quality_gate.is_some() {
        let what = format!("quality reports on datasets {}…", names.dataset(0));
        list.push(Creation { service: "quality-gate", what, removed: false });
    }
    Ok(list)
}
