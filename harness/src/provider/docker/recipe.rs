//! How each component is run from an image with the interface of the official one.

use std::time::Duration;

use odg_profiles::Component;
use odg_workloads::secret::Secret;

use super::error::DockerError;
use super::limits::Limits;
use super::{kafka, minio, nats, postgres, redis};
use crate::provider::ProviderError;
use crate::provider::answer::Answer;

/// User of every server.
pub(super) const USER: &str = "odgbench";
/// Where files lie that odg-bench puts into a container.
pub(super) const FILES: &str = "/run/odg-bench";

/// What a container gets. Secrets are in files: variables and commands are shown by `docker inspect`.
pub(super) struct Recipe {
    /// Port in the container.
    pub port: u16,
    /// Port on this machine, where the server must know it beforehand; the engine chooses one otherwise.
    pub host_port: Option<u16>,
    /// Where its data lies in the container.
    pub data: &'static str,
    /// Environment.
    pub env: Vec<(&'static str, String)>,
    /// Files, put there before it starts.
    pub files: Vec<(String, Secret)>,
    /// Command.
    pub args: Vec<String>,
    /// Shared memory, in bytes, where the engine's 64 MB are too little.
    pub shared_memory: Option<u64>,
    /// How long it may take to stop before it is killed.
    pub grace: Duration,
    /// The endpoint, once the port on this machine is known.
    pub answer: Box<dyn Fn(u16) -> Answer + Send + Sync>,
}

/// Components that can be run from an image.
pub(super) const COMPONENTS: [Component; 5] =
    [Component::Postgresql, Component::Redis, Component::Minio, Component::Nats, Component::Kafka];

/// The product's name, for people.
pub(super) fn product(component: Component) -> &'static str {
    match component {
        Component::Kafka => "Apache Kafka",
        other => other.label(),
    }
}

/// A new recipe, with passwords of its own.
pub(super) fn new(component: Component, limits: Option<&Limits>) -> Result<Recipe, ProviderError> {
    Ok(match component {
        Component::Postgresql => postgres::recipe(),
        Component::Redis => redis::recipe(),
        Component::Minio => minio::recipe(),
        Component::Nats => nats::recipe(),
        Component::Kafka => kafka::recipe(limits)
            .map_err(|e| ProviderError::io("find a port for Apache Kafka", e))?,
        component => return Err(DockerError::NoReference { component }.into()),
    })
}
