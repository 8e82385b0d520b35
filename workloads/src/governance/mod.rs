//! The governance workload: the platform's own services under open-loop load over HTTP.
//!
//! ```text
//! schedule ─► pacer ─┬► decisions   create → submit → votes (or a veto and its override) → read back
//!                    ├► lists · audit pages                                  governance-engine
//!                    ├► promotions                                           lakehouse-agent
//!                    └► validations, each report read back                   quality-gate
//! ```
//! It runs beside the day workload on the same clock and records into the same recorder. Each decision
//! is also a check: what it finds broken is counted in [`Observed`], with the first case as evidence.

mod creations;
mod decision;
mod load;
mod names;
mod observed;
pub mod operations;
mod reads;
mod roles;
mod running;
mod sweep;

pub use creations::{Creation, creations};
pub use load::{DECISIONS_PER_S, GovernanceLoad};
pub use names::GovernanceNames;
pub use observed::{Observation, Observed};
pub use roles::Roles;
pub use running::{Governance, GovernanceOutcome, Running};
pub use sweep::sweep;
