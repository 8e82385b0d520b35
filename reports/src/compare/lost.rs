//! What the base showed and the candidate does not: promises kept, operations completed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Sample;
use crate::record::{RunRecord, Verdict};

/// A promise that is not kept any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// Objective, matrix cell, operation or `ledger`.
    pub what: String,
    /// What it is now.
    pub now: Verdict,
    /// The candidate's run that shows it.
    pub run: String,
    /// Its evidence.
    pub evidence: String,
}

/// Promises that were kept in every run of the base, and are broken or not shown any more in some run of the
/// candidate; and operations that completed in every run of the base, and in some run of the candidate none.
pub(super) fn lost(base: &[&Sample], candidate: &[&Sample]) -> Vec<Lost> {
    let mut kept: Option<BTreeSet<String>> = None;
    for sample in base {
        let promises = promises(&sample.record).into_iter();
        let passed: BTreeSet<String> =
            promises.filter(|p| p.1 == Verdict::Pass).map(|p| p.0).collect();
        kept = Some(match kept {
            Some(kept) => kept.intersection(&passed).cloned().collect(),
            None => passed,
        });
    }
    let mut kept = kept.unwrap_or_default();
    let mut lost = Vec::new();
    for sample in candidate {
        let run = || sample.record.run_id.clone();
        let mut now: BTreeMap<String, (Verdict, String)> =
            promises(&sample.record).into_iter().map(|(what, v, why)| (what, (v, why))).collect();
        kept.retain(|what| {
            let absent = || (Verdict::NotVerified, "not in the record".to_owned());
            let (verdict, evidence) = now.remove(what).unwrap_or_else(absent);
            // What came out uncertain this time was not lost.
            if matches!(verdict, Verdict::Pass | Verdict::Inconclusive | Verdict::Invalid) {
                return true;
            }
            lost.push(Lost { what: what.clone(), now: verdict, run: run(), evidence });
            false
        });
    }
    lost
}

/// Every promise of a run with its verdict and evidence.
fn promises(record: &RunRecord) -> Vec<(String, Verdict, String)> {
    let objectives = record
        .objectives
        .iter()
        .map(|o| (format!("objective {}", o.id), o.verdict, o.evidence.clone()));
    let features = record
        .features
        .iter()
        .map(|f| (format!("feature {}", f.feature), f.verdict, f.answered.clone()));
    let ledger = if record.ledger.balanced { Verdict::Pass } else { Verdict::Fail };
    let why = record.ledger.checks.iter().find(|c| !c.ok).map_or_else(
        || "hops do not balance".to_owned(),
        |c| format!("{}: expected {}, found {}", c.what, c.expected, c.found),
    );
    let operations = record.operations.iter().map(|o| {
        let verdict = if o.completed > 0 { Verdict::Pass } else { Verdict::Fail };
        (format!("operation {}", o.name), verdict, format!("{} completed", o.completed))
    });
    let ledger = [("ledger".to_owned(), ledger, why)];
    objectives.chain(features).chain(operations).chain(ledger).collect()
}
