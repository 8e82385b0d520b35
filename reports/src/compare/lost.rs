//! Promises that the base kept and the candidate does not.

use serde::Serialize;

use super::Sample;
use crate::record::{RunRecord, Verdict};

/// A promise that is not kept any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// Objective, matrix cell or `ledger`.
    pub what: String,
    /// What it is now.
    pub now: Verdict,
    /// The candidate's run that shows it.
    pub run: String,
    /// Its evidence.
    pub evidence: String,
}

/// Promises that were kept in every run of the base, and are broken in some run of the candidate.
pub(super) fn lost(base: &[Sample], candidate: &[Sample]) -> Vec<Lost> {
    let kept = |what: &str| {
        base.iter().all(|s| {
            let mut promises = promises(&s.record).into_iter();
            promises.any(|(name, verdict, _)| name == what && verdict == Verdict::Pass)
        })
    };
    let mut lost: Vec<Lost> = Vec::new();
    for sample in candidate {
        for (what, verdict, evidence) in promises(&sample.record) {
            let known = lost.iter().any(|l| l.what == what);
            if verdict == Verdict::Fail && !known && kept(&what) {
                lost.push(Lost { what, now: verdict, run: sample.record.run_id.clone(), evidence });
            }
        }
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
    objectives.chain(features).chain([("ledger".to_owned(), ledger, why)]).collect()
}
