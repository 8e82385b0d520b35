//! What the base showed and the candidate does not: promises kept, operations completed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Sample;
use crate::judge::{ERRORS_AT_MOST, attempts};
use crate::record::{OperationSummary, RunRecord, Verdict};
use crate::{units, words};

/// A promise that is not kept any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// Objective, matrix cell, operation, `at most 1 % failed` of one, or `ledger`.
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
    let failures = record.operations.iter().map(few_failed);
    objectives.chain(features).chain(operations).chain(failures).chain(ledger).collect()
}

/// The promise that few of an operation's attempts failed, with the limit of a run's own verdict.
fn few_failed(operation: &OperationSummary) -> (String, Verdict, String) {
    let (failed, attempts) = (words::errors(operation), attempts(operation));
    let verdict = match attempts {
        // Nothing was attempted: that it was not is told by the promise before.
        0 => Verdict::Inconclusive,
        _ if failed as f64 > ERRORS_AT_MOST * attempts as f64 => Verdict::Fail,
        _ => Verdict::Pass,
    };
    (
        format!("at most {} of {} failed", units::percent(ERRORS_AT_MOST), operation.name),
        verdict,
        format!("{} of {} failed", units::count(failed), units::count(attempts)),
    )
}
