//! The closed sets of words that a record uses.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The judgement on a run, an objective or a matrix cell.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Asked, answered, and as promised.
    Pass,
    /// What this provider cannot show; never counts as a pass.
    NotVerified,
    /// Too few samples to claim the figure at 99 % confidence.
    Inconclusive,
    /// The measurement itself cannot be trusted (the generator was the limit, Little's law broken …).
    Invalid,
    /// Asked, answered, and not as promised.
    Fail,
}

impl Verdict {
    /// The word printed everywhere.
    pub fn label(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::NotVerified => "NOT VERIFIED",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Invalid => "INVALID",
            Self::Fail => "FAIL",
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.label())
    }
}

/// How close what answered is to the component that was promised.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Fidelity {
    /// The component itself. Only this is publishable as the component.
    Real,
    /// Another maintained server that speaks the same protocol.
    Compatible,
    /// A test double, started inside this process.
    Fake,
}

impl Fidelity {
    /// The word printed everywhere.
    pub fn label(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::Compatible => "compatible",
            Self::Fake => "fake",
        }
    }
}

impl std::fmt::Display for Fidelity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.label())
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Ran to the end of its schedule.
    Complete,
    /// Ended by Ctrl-C, a signal, or a killed process; what was measured is kept.
    Interrupted,
    /// Ended because a component died or could not be reached any more.
    Aborted,
}
