//! Objectives and matrix cells with their verdicts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fidelity, Verdict};

/// An objective and how it was met.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectiveResult {
    /// Stable identifier (`kafka.publish.p99`).
    pub id: String,
    /// Operation it is about.
    pub operation: String,
    /// What is compared, for people (`p99 response time`).
    pub metric: String,
    /// Threshold, with unit (`≤ 250 ms`).
    pub threshold: String,
    /// Measured value, with unit; empty with no samples.
    pub measured: String,
    /// Measured ÷ threshold, for bars; absent with no samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// Upper bound of the measured percentile at 99 % confidence, with unit, where samples allow it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper99: Option<String>,
    /// Samples behind it.
    pub samples: u64,
    /// Samples that a claim at 99 % confidence needs.
    pub samples_needed: u64,
    /// `documented` or `derived`.
    pub origin: String,
    /// Where it is documented, or why it was derived.
    pub source: String,
    /// Whether the exit code depends on it.
    pub required: bool,
    /// Judgement.
    pub verdict: Verdict,
    /// One line of evidence or reason.
    pub evidence: String,
}

/// One cell of the feature matrix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FeatureResult {
    /// Row, in the profile's spelling.
    pub feature: String,
    /// `present`, `optional` or `absent`.
    pub promised: String,
    /// Judgement.
    pub verdict: Verdict,
    /// Fidelity of what answered, where something did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fidelity: Option<Fidelity>,
    /// What was asked.
    pub asked: String,
    /// What answered.
    pub answered: String,
    /// How long the probe took, in milliseconds.
    pub took_ms: f64,
    /// Whether the exit code depends on it.
    pub required: bool,
}
