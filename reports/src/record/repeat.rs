//! Runs that were made together: where one stands among them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a run stands among the runs of `run --repeat` or `compare --interleave`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Repeat {
    /// Name of the group, and of its directory.
    pub group: String,
    /// Position among the runs of its side, from 1.
    pub index: u32,
    /// Runs of its side that were wanted.
    pub of: u32,
    /// Where two sides took turns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Turn>,
}

/// A run's turn where runs of two sides alternated. The two runs of a group with the same `index` are a pair:
/// made one directly after the other, with the same seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Turn {
    /// Which side it belongs to.
    pub side: PairSide,
    /// Position among the runs of both sides, in order of time, from 1.
    pub order: u32,
}

/// A side of interleaved runs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PairSide {
    /// What is compared with.
    Base,
    /// What is compared.
    Candidate,
}

impl PairSide {
    /// The word printed everywhere, and the name of the side's directory.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Candidate => "candidate",
        }
    }

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Base => Self::Candidate,
            Self::Candidate => Self::Base,
        }
    }
}
