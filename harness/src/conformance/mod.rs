//! Conformance: which promises of a profile a deployment keeps, at three levels. *Declared* is what values files say,
//! *rendered* what manifests have, *observed* what a cluster shows.
//!
//! A promise ([`odg_profiles::values::Promise`]) is put to each level, which gives an [`Answer`]; both become a
//! [`Finding`]. What is asked beside the promises (sums, selectors, secrets …) makes findings by itself. The
//! catalogue of all of it is [`requirement::ALL`].

mod chart;
mod compare;
mod declared;
pub mod docs;
pub mod helm;
pub mod manifest;
mod rendered;
pub mod requirement;
mod row;
mod schedule;
#[cfg(test)]
mod tests;
mod totals;

use odg_profiles::values::{Promise, Values, promises};
use odg_profiles::{Profile, checks, model::PlatformKind};
use odg_reports::conformance::{
    Certificate, Finding, Level, PromiseContradiction, RowPromise, Subject,
};

pub use chart::{Chart, ChartError};
pub use compare::Answer;
pub use row::Row;

use manifest::Inventory;

/// What is judged.
#[derive(Debug, Default)]
pub struct Material {
    /// Values files, merged.
    pub values: Option<Values>,
    /// Top-level keys that a given chart reads.
    pub chart_reads: Option<Vec<String>>,
    /// Manifests.
    pub inventory: Option<Inventory>,
}

/// Judges a deployment against a profile. `only` names the rows to look at (all, where it is empty), `levels` the
/// levels to ask.
pub fn certify(
    profile: &Profile,
    material: &Material,
    levels: &[Level],
    only: &[Row],
    subject: Subject,
) -> Certificate {
    let wanted = |row: &Row| only.is_empty() || only.contains(row);
    let promises: Vec<Promise> = promises(profile);
    let mut findings: Vec<Finding> = Vec::new();
    let mut unasked = Vec::new();
    for level in Level::ALL {
        let why = match level {
            _ if !levels.contains(&level) => "it was not asked for (see --level)",
            Level::Declared => match &material.values {
                Some(values) => {
                    let reads = material.chart_reads.as_deref();
                    findings.extend(declared::judge_all(profile, &promises, values, reads));
                    continue;
                }
                None => "no values were given; give --values FILE or --chart DIR",
            },
            Level::Rendered => match &material.inventory {
                Some(inventory) => {
                    let values = material.values.as_ref();
                    findings.extend(rendered::judge_all(profile, &promises, inventory, values));
                    continue;
                }
                None => "no manifests were given; give --manifests FILE or --chart DIR",
            },
            Level::Observed => {
                "no cluster was given; values and manifests show nothing of a live one"
            }
        };
        unasked.push((level, why.to_owned()));
    }
    let rows: Vec<RowPromise> = Row::all()
        .filter(wanted)
        .map(|row| RowPromise {
            row: row.name().to_owned(),
            label: row.label().to_owned(),
            promised: row.promised(profile, &promises),
        })
        .collect();
    findings.retain(|f| rows.iter().any(|row| row.row == f.row));
    let contradictions = if only.is_empty() { contradictions(profile) } else { Vec::new() };
    let only = only.iter().map(|row| row.name().to_owned()).collect();
    Certificate::new(subject, only, &rows, findings, &unasked, contradictions)
}

fn contradictions(profile: &Profile) -> Vec<PromiseContradiction> {
    let of = |c: odg_profiles::Contradiction| PromiseContradiction {
        id: c.id,
        promised: c.promised,
        computed: c.computed,
        meaning: c.meaning,
    };
    checks(profile).into_iter().map(of).collect()
}

/// Whether a well-known secret breaks a promise. The page itself publishes the passwords of a developer's machine.
fn secrets_count(profile: &Profile) -> bool {
    profile.platform.kind != PlatformKind::Compose
}
