//! What a deployment stands on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::component::Component;
use crate::units::{ByteSize, Volume};

/// Kind of platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlatformKind {
    /// Docker Compose.
    Compose,
    /// One Kubernetes cluster.
    Kubernetes,
    /// Several Kubernetes clusters.
    MultiCluster,
}

/// What a profile runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    /// Kind.
    pub kind: PlatformKind,
    /// In the promise's words.
    pub label: String,
    /// Helm values file, where Helm deploys it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values_file: Option<String>,
    /// Kubernetes namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Whether something is promised, merely possible, or not promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// Not promised.
    None,
    /// Possible, but not set up.
    Capable,
    /// Promised.
    Promised,
}

/// How a deployment is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// In the promise's words.
    pub label: String,
    /// Several regions.
    pub multi_region: Reach,
    /// Several zones.
    pub multi_az: Reach,
    /// Global content delivery network.
    #[serde(default)]
    pub cdn: bool,
}

/// The machine that is promised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// Virtual CPUs.
    pub vcpu: u32,
    /// Memory.
    pub memory: ByteSize,
    /// GPUs.
    pub gpu: u32,
    /// GPU model, where the promise names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_model: Option<String>,
    /// Storage.
    pub storage: ByteSize,
    /// Kind of storage, in the promise's words.
    pub storage_kind: String,
    /// The figures are lower bounds (`256+`).
    #[serde(default)]
    pub at_least: bool,
}

/// Daily volume that a profile is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VolumeClass {
    /// The class, in the promise's words.
    pub class: String,
    /// Volume of a run that names none.
    pub default: Volume,
    /// Lower end of the class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Volume>,
    /// Upper end of the class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Volume>,
}

/// A persistent volume of one component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Size of each replica's volume.
    pub size: ByteSize,
    /// Replicas, where the promise states them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// Spread over several servers.
    #[serde(default)]
    pub distributed: bool,
}

/// Persistent storage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// Survives a restart.
    pub persistent: bool,
    /// Storage class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Copies of everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication_factor: Option<u32>,
    /// Volume of each component.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<Component, Claim>,
}

/// High availability.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HighAvailability {
    /// Promised.
    pub enabled: bool,
    /// Zones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub zones: Vec<String>,
}

/// Several regions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultiRegion {
    /// Promised.
    pub enabled: bool,
    /// Regions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
    /// Data is replicated between them.
    #[serde(default)]
    pub replication: bool,
}

/// One instance of the federation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CosmosInstance {
    /// Identifier.
    pub id: String,
    /// URL.
    pub endpoint: String,
}

/// COSMOS federation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cosmos {
    /// Promised.
    pub enabled: bool,
    /// Instances.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<CosmosInstance>,
    /// Conflict-free replicated data types are used.
    #[serde(default)]
    pub crdt: bool,
    /// How conflicting writes are resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict_resolution: Option<String>,
}
