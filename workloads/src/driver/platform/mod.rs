//! The platform's own services, over HTTP: governance-engine, lakehouse-agent, quality-gate.
//!
//! One client per service, typed by what its routes answer. An answer that the facts do not allow (an
//! unknown status, an id that was not asked for) is an error of kind `protocol`, never passed on.

mod governance;
mod http;
mod lakehouse;
mod login;
mod quality;
#[cfg(test)]
mod tests;
mod types;

pub use governance::{GovernanceClient, NewDecision};
pub use http::{Answer, REQUEST_TIMEOUT};
pub use lakehouse::{LakehouseClient, Promotion};
pub use quality::{NewReport, QualityClient};
pub use types::{
    Approval, AuditEntry, Bucket, Decision, DecisionStatus, DecisionType, MedallionLayer, Promoted,
    PromotionStep, QualityReport, RaciRole, Role, Veto, VetoStatus, Vote,
};
