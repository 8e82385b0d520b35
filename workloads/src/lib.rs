//! Open-loop load for odg-bench: schedule, recorder, payloads, ledger, one driver per system, and the
//! workloads built on them.

pub mod endpoint;
pub mod secret;
