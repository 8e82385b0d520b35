//! The streams beside decisions: lists, audit pages, promotions, validations.

use super::names::GovernanceNames;
use crate::driver::platform::{
    GovernanceClient, LakehouseClient, MedallionLayer, NewReport, Promotion, QualityClient,
};
use crate::driver::{Done, DriverError};
use crate::payload::splitmix;

/// Entries of a page: the services' own default.
const PAGE: usize = 50;
/// Pages that people turn to.
const PAGES: u64 = 4;
/// Datasets that promotions and validations are about.
const DATASETS: u64 = 100;

/// Where a page starts.
fn offset(draw: u64) -> usize {
    (draw % PAGES) as usize * PAGE
}

pub(super) async fn list(
    client: &GovernanceClient,
    names: &GovernanceNames,
    intended_ns: u64,
) -> Result<Done<u64>, DriverError> {
    let page = client.list(&names.domain(), PAGE, offset(splitmix(intended_ns))).await?;
    Ok(page.map(|_| 0))
}

pub(super) async fn audit(
    client: &GovernanceClient,
    intended_ns: u64,
) -> Result<Done<u64>, DriverError> {
    let page = client.audit(PAGE, offset(splitmix(intended_ns))).await?;
    Ok(page.map(|_| 0))
}

/// From silver to gold, which asks the service's rules and moves no object: the step from bronze would
/// need an object in a bucket of the platform's.
pub(super) async fn promote(
    client: &LakehouseClient,
    names: &GovernanceNames,
    intended_ns: u64,
) -> Result<Done<u64>, DriverError> {
    let draw = splitmix(intended_ns);
    let promotion = Promotion {
        domain_id: names.domain(),
        source_layer: MedallionLayer::Silver,
        target_layer: MedallionLayer::Gold,
        dataset_id: names.dataset(draw % DATASETS),
        // Three quarters to one, in steps that JSON carries exactly: on both sides of the rule's 0.85.
        dq_score: 0.75 + (draw >> 32) as u8 as f64 / 1024.0,
    };
    Ok(client.promote(&promotion).await?.map(|_| 0))
}

pub(super) async fn validate(
    client: &QualityClient,
    names: &GovernanceNames,
    intended_ns: u64,
) -> Result<Done<u64>, DriverError> {
    let new = NewReport {
        dataset_id: names.dataset(splitmix(intended_ns) % DATASETS),
        domain_id: names.domain(),
        layer: "silver".into(),
        suite_name: "default".into(),
    };
    let made = client.validate(&new).await?;
    let read = client.report(made.value.id).await?;
    if read.value != made.value {
        let why = format!("report {} is read back otherwise than it was made", made.value.id);
        return Err(DriverError::wrong_answer("quality-gate", "read a report", why));
    }
    Ok(Done { value: 0, retries: made.retries + read.retries })
}
