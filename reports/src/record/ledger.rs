//! The account of every event.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One hop of the ledger. Counts are events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HopSummary {
    /// `sent`, `acknowledged`, `consumed`, `stored`, `registered`.
    pub hop: String,
    /// Distinct events that reached the hop.
    pub reached: u64,
    /// Events that the hop before had acknowledged and that never got here.
    pub lost: u64,
    /// Events that got here more than once (extra arrivals).
    pub duplicated: u64,
    /// Events that got here after a later one of the same key.
    pub reordered: u64,
    /// Events whose checksum did not match here.
    pub corrupted: u64,
}

/// The account of every event.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerSummary {
    /// The hops in order.
    pub hops: Vec<HopSummary>,
    /// Sends that the bus refused or timed out, so that nothing was promised for them.
    pub rejected: u64,
    /// Whether everything acknowledged was registered exactly once, intact.
    pub balanced: bool,
    /// Independent counts from the stores at rest (rows, objects, audit chain), each with what was
    /// expected and what was found.
    pub checks: Vec<LedgerCheck>,
}

/// One comparison of the ledger with a store at rest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerCheck {
    /// What was compared.
    pub what: String,
    /// From the ledger.
    pub expected: String,
    /// From the store.
    pub found: String,
    /// Equal or not.
    pub ok: bool,
}
