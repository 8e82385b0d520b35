//! Where a figure comes from.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whether a figure is the promise's or ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The promise states it.
    Documented,
    /// We derived it, and say why.
    Derived,
}

impl Origin {
    /// Stable name.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::Derived => "derived",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

/// Where one figure comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The promise's, or ours.
    pub origin: Origin,
    /// Documented: the section of the promise. Derived: the reason.
    pub source: String,
    /// The profile whose file states it: a smaller one where it is inherited.
    pub stated_in: String,
}
