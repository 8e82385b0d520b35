//! The `attach` provider: a deployment that is already there, and that stays.
//!
//! Endpoints come from a file and from environment variables ([`Given`]). Starting means asking each who it is;
//! stopping means nothing. What a run creates carries its label, and the run removes it.

mod connect;
mod control;
mod endpoints;
mod error;
pub mod leftovers;
mod settings;
mod source;
#[cfg(test)]
mod tests;
mod url;

use std::path::PathBuf;
use std::time::Instant;

use futures::future::BoxFuture;
use odg_profiles::Component;
use odg_reports::record::Fidelity;

use super::{Choice, Machine, Plan, Provider, ProviderError, Stack, StartOptions};
use control::AttachControl;
pub use endpoints::Given;
pub use error::EndpointsError;
pub use source::VARIABLES;

/// The annotated sample of an endpoints file.
pub const SAMPLE: &str = include_str!("../../../../docs/endpoints.sample.yaml");

/// The components that have endpoints, in the order of [`Component::ALL`].
const COMPONENTS: [Component; 5] =
    [Component::Postgresql, Component::Redis, Component::Minio, Component::Nats, Component::Kafka];

/// The `attach` provider.
#[derive(Debug, Clone)]
pub struct AttachProvider {
    given: Given,
}

impl AttachProvider {
    /// A provider of these endpoints.
    pub fn new(given: Given) -> Self {
        Self { given }
    }

    async fn connect(&self, options: StartOptions) -> Result<Stack, ProviderError> {
        let began = Instant::now();
        let implementations = connect::ask_all(&self.given).await?;
        let ready_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let control = AttachControl::new(options.log_dir);
        Ok(Stack::new(self.given.endpoints.clone(), implementations, ready_ms, Box::new(control)))
    }
}

impl Provider for AttachProvider {
    fn name(&self) -> &'static str {
        "attach"
    }

    fn components(&self) -> Vec<Component> {
        COMPONENTS.to_vec()
    }

    fn data_dir_parent(&self) -> Option<PathBuf> {
        None
    }

    fn outlives_run(&self) -> bool {
        true
    }

    fn plan<'a>(&'a self, wanted: &'a [Component]) -> BoxFuture<'a, Result<Plan, ProviderError>> {
        let machine = self.given.is_local().then(Machine::this);
        let mut plan = Plan { machine, machine_is_presumed: true, ..Plan::default() };
        for &component in wanted {
            match self.given.address(component.name()) {
                Some(address) => plan.choices.push(Choice {
                    component,
                    implementation: "attached".to_owned(),
                    name: format!("{} at {address}", component.name()),
                    version: None,
                    path: None,
                    // Who answers is known once it has been asked.
                    fidelity: Fidelity::Real,
                    note: None,
                }),
                None => plan.unsupported.push(component),
            }
        }
        Box::pin(async { Ok(plan) })
    }

    fn start<'a>(
        &'a self,
        _plan: &'a Plan,
        options: StartOptions,
    ) -> BoxFuture<'a, Result<Stack, ProviderError>> {
        Box::pin(self.connect(options))
    }
}
