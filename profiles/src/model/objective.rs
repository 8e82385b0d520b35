//! What a run is judged by.

use serde::{Deserialize, Deserializer, Serialize};

use crate::provenance::Origin;
use crate::units::{format_duration_ns, parse_duration};

/// Operations that an objective can be about, and what each is.
pub const OPERATIONS: [(&str, &str); 7] = [
    ("bus.publish", "publish to Kafka, or to NATS where there is no Kafka, until acknowledged"),
    ("end_to_end", "intended event time until the row is visible in PostgreSQL"),
    ("s3.put", "write one bronze object"),
    ("s3.get", "read one object"),
    ("postgres.register", "the transaction that registers a batch"),
    ("postgres.lookup", "read one row by its key"),
    ("redis.session", "read or write one session"),
];

/// Which time is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// End − intended start.
    Response,
}

/// A latency objective: a percentile of an operation's response time under a threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// Stable identifier.
    pub id: String,
    /// One of [`OPERATIONS`].
    pub operation: String,
    /// Percentile, above 0 and at most 100.
    pub percentile: f64,
    /// Threshold in nanoseconds; written as a duration (`threshold: 250ms`).
    #[serde(rename(deserialize = "threshold"), deserialize_with = "duration_ns")]
    pub threshold_ns: u64,
    /// What is compared.
    pub metric: Metric,
    /// Whether the verdict of a run depends on it.
    pub required: bool,
    /// The promise's, or ours.
    pub origin: Origin,
    /// The section of the promise, or the reason.
    pub source: String,
}

impl Objective {
    /// For people: `p99 response time of s3.get ≤ 100 ms`.
    pub fn describe(&self) -> String {
        format!(
            "p{} response time of {} ≤ {}{}",
            self.percentile,
            self.operation,
            format_duration_ns(self.threshold_ns),
            if self.required { "" } else { " (not required)" }
        )
    }
}

fn duration_ns<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    let duration = parse_duration(&text).map_err(serde::de::Error::custom)?;
    u64::try_from(duration.as_nanos()).map_err(serde::de::Error::custom)
}

/// A promised uptime. A run of minutes cannot verify it, so it is NOT VERIFIED and never required.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uptime {
    /// Stable identifier.
    pub id: String,
    /// Percent of the time.
    pub percent: f64,
    /// Whether the verdict of a run depends on it.
    pub required: bool,
    /// Whether one run can verify it.
    pub verifiable: bool,
    /// The promise's, or ours.
    #[serde(skip_deserializing, default = "unstated")]
    pub origin: Origin,
    /// The section of the promise, or the reason.
    #[serde(skip_deserializing)]
    pub source: String,
}

/// Until loading fills in what the file says.
fn unstated() -> Origin {
    Origin::Derived
}

impl Uptime {
    /// Seconds of downtime that a month of 30 days allows.
    pub fn allowed_downtime_s(&self) -> f64 {
        30.0 * 86_400.0 * (1.0 - self.percent / 100.0)
    }
}
