//! The operations that the governance workload records.

use crate::endpoint::PlatformEndpoints;
use crate::recorder::Operation;

/// A decision's whole life.
pub const DECISION: &str = "governance.decision";
/// Creating a decision.
pub const CREATE: &str = "http.create";
/// Submitting it.
pub const SUBMIT: &str = "http.submit";
/// Casting a vote.
pub const APPROVE: &str = "http.approve";
/// Vetoing a decision.
pub const VETO: &str = "http.veto";
/// Overriding a veto.
pub const OVERRIDE: &str = "http.override";
/// Reading a decision.
pub const GET: &str = "http.get";
/// Reading a page of decisions.
pub const LIST: &str = "http.list";
/// Reading a page of audit events.
pub const AUDIT: &str = "http.audit";
/// Promoting a dataset.
pub const PROMOTE: &str = "lakehouse.promote";
/// Validating a dataset.
pub const VALIDATE: &str = "quality.validate";

/// The operations of a run against the services that are there; none where none is.
pub fn operations(platform: &PlatformEndpoints) -> Vec<Operation> {
    let (governance, lakehouse, quality) = ("governance-engine", "lakehouse-agent", "quality-gate");
    let op = |name, component, description| Operation { name, component, description };
    let mut operations = Vec::new();
    if platform.governance_engine.is_some() {
        operations.extend([
            op(
                DECISION,
                governance,
                "a decision, from its intended start until its end is read back",
            ),
            op(CREATE, governance, "creating a decision, from when it was due"),
            op(SUBMIT, governance, "submitting a decision"),
            op(APPROVE, governance, "casting a vote"),
            op(VETO, governance, "vetoing a decision (1 of 10)"),
            op(OVERRIDE, governance, "overriding a veto"),
            op(GET, governance, "reading a decision back"),
            op(LIST, governance, "a page of 50 decisions, checked"),
            op(AUDIT, governance, "a page of 50 audit events, checked"),
        ]);
    }
    if platform.lakehouse_agent.is_some() {
        operations.push(op(PROMOTE, lakehouse, "a promotion from silver to gold"));
    }
    if platform.quality_gate.is_some() {
        operations.push(op(VALIDATE, quality, "a validation, and its report read back"));
    }
    operations
}
