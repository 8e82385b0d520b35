//! One verdict and one exit code from everything that a run has shown.
//!
//! Order of precedence, strongest first:
//!
//! 1. **Facts that no pacing can change**: an acknowledged event lost, duplicated or corrupted, a
//!    required matrix cell that is not as promised, a component that died. They are FAIL even where
//!    the generator was the limit: how fast the load came does not excuse losing what was
//!    acknowledged.
//! 2. **INVALID**: where the measurement cannot be trusted, no latency figure proves anything, good
//!    or bad, so this beats a failed objective.
//! 3. **FAIL** of a required objective, or of an operation of which more than 1 % failed: a
//!    time-out can come from how the load was paced, so INVALID beats it.
//! 4. **INCONCLUSIVE**: too few samples, an interrupted run, nothing required judged at all.
//! 5. **PASS**. NOT VERIFIED cells neither pass nor fail: they are named.

use super::reasons;
use crate::record::{
    FeatureResult, LedgerSummary, ObjectiveResult, OperationSummary, RunState, Verdict,
};

/// What [`overall`] judges.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// How the run ended.
    pub state: RunState,
    /// Seconds since the epoch at which it ended, for the reason of an interrupted run.
    pub ended_after_s: f64,
    /// Offered load ÷ the profile's daily volume, as rates: 1.0 is the full volume.
    pub load_factor: f64,
    /// Operations, for their errors.
    pub operations: &'a [OperationSummary],
    /// Objectives.
    pub objectives: &'a [ObjectiveResult],
    /// Feature matrix.
    pub features: &'a [FeatureResult],
    /// The account of every event; `None` for a workload that keeps none.
    pub ledger: Option<&'a LedgerSummary>,
    /// Whether everything acknowledged had arrived when draining ended. Where not, what is missing
    /// from the ledger may still be on its way, so it is not called lost.
    pub drained: bool,
    /// Why the measurement cannot be trusted, one reason each: [`super::generator_faults`], and
    /// anything else the harness found. Empty for a valid run.
    pub faults: &'a [String],
}

/// The run's verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Overall.
    pub verdict: Verdict,
    /// Why, most important first; never empty.
    pub reasons: Vec<String>,
    /// 0 PASS, 1 FAIL, 4 INVALID or INCONCLUSIVE.
    pub exit_code: u8,
}

/// Folds everything into one verdict; see the module's text for what beats what.
#[must_use]
pub fn overall(evidence: &Evidence<'_>) -> Outcome {
    let facts = reasons::failed_facts(evidence);
    let mut failed = reasons::objectives_with(evidence, Verdict::Fail);
    failed.extend(reasons::failed_operations(evidence));
    let unsettled = reasons::unsettled(evidence);

    let (verdict, exit_code) = if !facts.is_empty() {
        (Verdict::Fail, 1)
    } else if !evidence.faults.is_empty() {
        (Verdict::Invalid, 4)
    } else if !failed.is_empty() {
        (Verdict::Fail, 1)
    } else if !unsettled.is_empty() {
        (Verdict::Inconclusive, 4)
    } else {
        (Verdict::Pass, 0)
    };

    let mut all = facts;
    all.extend_from_slice(evidence.faults);
    all.extend(failed);
    all.extend(unsettled);
    if all.is_empty() {
        all.push(reasons::passed(evidence));
    }
    all.extend(reasons::notes(evidence));
    Outcome { verdict, reasons: all, exit_code }
}
