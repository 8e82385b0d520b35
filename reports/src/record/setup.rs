//! What was asked, what answered, and where.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Fidelity;

/// What answered for a component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Implementation {
    /// Component, in the profile's spelling (`postgresql`, `kafka` …).
    pub component: String,
    /// Product that answered (`Apache Kafka`, `librdkafka mock cluster` …).
    pub name: String,
    /// Its version as it reports it itself.
    pub version: String,
    /// Real, compatible or fake.
    pub fidelity: Fidelity,
    /// Address, without credentials.
    pub endpoint: String,
    /// Time from start to the first real answer, in milliseconds.
    pub ready_ms: u64,
    /// Anything a reader must know (limits of a fake, a missing feature …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The machine that ran the generator (and, with provider `local`, the servers).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// Operating system name, as in os-release.
    pub os: String,
    /// Kernel release.
    pub kernel: String,
    /// CPU model name.
    pub cpu_model: String,
    /// Logical CPUs usable by this process.
    pub cores: u32,
    /// Physical memory in bytes.
    pub memory_bytes: u64,
    /// Hypervisor or container, where one can be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtualisation: Option<String>,
}

/// What the run was asked to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunConfig {
    /// Seed of the schedule and the payloads.
    pub seed: u64,
    /// `constant`, `poisson` or `day`.
    pub arrivals: String,
    /// Length of the measured part, in seconds.
    pub duration_s: f64,
    /// Length of the warm-up, cut off from every figure, in seconds.
    pub warmup_s: f64,
    /// Daily volume that the profile (or `--volume`) asks for, in bytes per day.
    pub volume_bytes_per_day: f64,
    /// Load multiplier. 1 is the full daily volume.
    pub scale: f64,
    /// Why `scale` is what it is, where it is not 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_reason: Option<String>,
    /// Time compression of the day curve.
    pub speedup: f64,
    /// Slice of the day that is replayed (`HH:MM-HH:MM`), for `day` arrivals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
    /// Mean offered payload rate in bytes per second, after scale and speedup.
    pub offered_bytes_per_s: f64,
    /// Mean offered events per second, after scale and speedup.
    pub offered_events_per_s: f64,
    /// SHA-256 of the profile and every option that shapes the load.
    pub hash: String,
    /// The same without the seed and what it draws (the offered rates): equal in runs of one profile and load.
    /// Absent in records of before it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_hash: Option<String>,
}
