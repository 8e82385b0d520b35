//! The typed profile: everything that the promise states about one deployment.

mod objective;
mod operations;
mod resources;
mod services;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use objective::{Metric, OPERATIONS, Objective, Uptime};
pub use operations::{
    Backup, Console, Cost, CostItem, EnvVar, Features, Migration, Observability, Remedy, Tuning,
};
pub use resources::{
    Claim, Cosmos, CosmosInstance, HighAvailability, MultiRegion, Network, Platform, PlatformKind,
    Reach, Resources, Storage, VolumeClass,
};
pub use services::{Autoscaling, Quantities, Service};

use crate::component::{Component, Presence};
use crate::image::ImageReference;
use crate::provenance::Provenance;
use crate::rows::Row;

/// A deployment profile, resolved: what it inherits is in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Target, in the promise's words.
    pub title: String,
    /// Use case, in the words of the table "Profile Comparison".
    pub use_case: String,
    /// What it runs on.
    pub platform: Platform,
    /// How it is reached.
    pub network: Network,
    /// vCPU, memory, GPU and storage.
    pub resources: Resources,
    /// Daily volume.
    pub volume: VolumeClass,
    /// The feature matrix. A component that is not named is absent.
    pub components: BTreeMap<Component, Presence>,
    /// What is included and what is not.
    pub features: Features,
    /// Limits that the promise admits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limitations: Vec<String>,
    /// The platform's own services.
    pub services: BTreeMap<String, Service>,
    /// Container image of each component, for a provider that starts containers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub images: BTreeMap<Component, ImageReference>,
    /// CPU and memory that each component may use. A component that is not named has no limit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<Component, Quantities>,
    /// Persistent volumes.
    pub storage: Storage,
    /// High availability over zones.
    pub ha: HighAvailability,
    /// Several regions.
    pub multi_region: MultiRegion,
    /// COSMOS federation.
    pub cosmos: Cosmos,
    /// Monitoring and alerting.
    pub observability: Observability,
    /// Backups.
    pub backup: Backup,
    /// Monthly cost.
    pub cost: Cost,
    /// Latency objectives.
    pub objectives: Vec<Objective>,
    /// Uptime objective, where one is promised. No single run can verify it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uptime: Option<Uptime>,
    /// Environment variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<EnvVar>,
    /// Pages to open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consoles: Vec<Console>,
    /// Commands that deploy it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub install: Vec<String>,
    /// How one gets here from the next smaller profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<Migration>,
    /// Tuning that the promise recommends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tuning: Vec<Tuning>,
    /// Known trouble and what to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub troubleshooting: Vec<Remedy>,
    /// Profiles it was resolved from, smallest first, itself last.
    #[serde(skip_deserializing)]
    pub lineage: Vec<String>,
    /// Where each figure comes from, by its path (`resources.vcpu`).
    #[serde(skip_deserializing)]
    pub provenance: BTreeMap<String, Provenance>,
    /// See [`Profile::sections`].
    #[serde(skip)]
    pub(crate) rows: Vec<Row>,
}

impl Profile {
    /// What it promises about a component.
    pub fn presence(&self, component: Component) -> Presence {
        self.components.get(&component).copied().unwrap_or(Presence::Absent)
    }

    /// Every figure as a line for people, in the file's order; rows of a section are adjacent.
    pub fn sections(&self) -> &[Row] {
        &self.rows
    }
}
