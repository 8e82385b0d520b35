//! The reasons of a verdict, one line each.

use super::overall::Evidence;
use crate::record::{
    FeatureResult, HopSummary, LedgerSummary, OperationSummary, RunState, Verdict,
};
use crate::units::{count, plural};
use crate::{load, words};

/// The kind of error under which operations stand that had not ended when draining did. In an
/// interrupted run these are no failures: nobody waited for them.
pub const UNFINISHED: &str = "unfinished";

/// Share of an operation's attempts that may fail before the run does.
pub(crate) const ERRORS_AT_MOST: f64 = 0.01;
/// Most cells that a note names.
const MOST_NAMES: usize = 6;

/// What failed whatever the pacing was.
pub(super) fn failed_facts(evidence: &Evidence<'_>) -> Vec<String> {
    let mut facts = Vec::new();
    if evidence.state == RunState::Aborted {
        facts.push("the run was aborted: a component died or could not be reached".to_owned());
    }
    facts.extend(evidence.ledger.and_then(|ledger| unbalanced(evidence, ledger)));
    let failed = evidence.features.iter().filter(|f| f.required && f.verdict == Verdict::Fail);
    facts.extend(failed.map(|f| {
        format!("feature {} is not as promised ({}): {}", f.feature, f.promised, f.answered)
    }));
    facts
}

/// Whether no event reached any hop: then nothing was lost, and nothing shown.
fn is_empty(ledger: &LedgerSummary) -> bool {
    ledger.hops.iter().all(|hop| hop.reached == 0)
}

/// How the ledger does not balance, where it should.
fn unbalanced(evidence: &Evidence<'_>, ledger: &LedgerSummary) -> Option<String> {
    if ledger.balanced {
        return None;
    }
    let sum = |field: fn(&HopSummary) -> u64| -> u64 {
        ledger.hops.iter().map(field).fold(0, u64::saturating_add)
    };
    let (lost, twice, bad) = (sum(|h| h.lost), sum(|h| h.duplicated), sum(|h| h.corrupted));
    // An interrupted run leaves events on their way, so there "lost" may mean "not there yet".
    let not_at_rest = evidence.state == RunState::Interrupted;
    if bad == 0 && (not_at_rest || is_empty(ledger)) {
        return None;
    }
    // The last hop is where the events of this run end.
    let arrived = ledger.hops.last().map_or(0, |hop| hop.reached);
    let on_their_way = reached(ledger, "acknowledged").saturating_sub(arrived);
    let mut text = if !evidence.drained && twice == 0 && bad == 0 && on_their_way > 0 {
        format!(
            "{} still on {} way when draining ended",
            plural(on_their_way, "event was", "events were"),
            if on_their_way == 1 { "its" } else { "their" }
        )
    } else {
        format!(
            "the ledger does not balance: {} lost, {} duplicated, {} corrupted",
            count(lost),
            count(twice),
            count(bad)
        )
    };
    let differ = ledger.checks.iter().filter(|c| !c.ok).count();
    if let Some(first) = ledger.checks.iter().find(|c| !c.ok) {
        text.push_str(&format!(
            "; {differ} of {} store checks {}: {}, expected {}, found {}",
            ledger.checks.len(),
            if differ == 1 { "differs" } else { "differ, first" },
            first.what,
            first.expected,
            first.found
        ));
    }
    Some(text)
}

/// Distinct events that reached a hop.
fn reached(ledger: &LedgerSummary, hop: &str) -> u64 {
    ledger.hops.iter().find(|h| h.hop == hop).map_or(0, |h| h.reached)
}

/// Required objectives with a verdict.
pub(super) fn objectives_with(evidence: &Evidence<'_>, verdict: Verdict) -> Vec<String> {
    let chosen = evidence.objectives.iter().filter(|o| o.required && o.verdict == verdict);
    chosen
        .map(|o| {
            let measured = if o.measured.is_empty() { "no samples" } else { &o.measured };
            format!(
                "objective {}: {} {measured} against {} ({})",
                o.id, o.metric, o.threshold, o.evidence
            )
        })
        .collect()
}

/// Operations of which too many failed, with or without an objective.
pub(super) fn failed_operations(evidence: &Evidence<'_>) -> Vec<String> {
    let all = evidence.operations.iter();
    all.filter(|o| too_many_errors(evidence, o)).map(errors_of).collect()
}

fn too_many_errors(evidence: &Evidence<'_>, operation: &OperationSummary) -> bool {
    let mut failed = words::errors(operation);
    if evidence.state == RunState::Interrupted {
        let unfinished = operation.errors.get(UNFINISHED).copied().unwrap_or(0);
        failed = failed.saturating_sub(unfinished);
    }
    failed as f64 > ERRORS_AT_MOST * attempts(operation) as f64
}

/// Arrivals; at least what ended, for operations that no schedule offers.
pub(crate) fn attempts(operation: &OperationSummary) -> u64 {
    operation.offered.max(operation.completed.saturating_add(words::errors(operation)))
}

fn errors_of(operation: &OperationSummary) -> String {
    format!(
        "operation {} failed {} of {} times ({})",
        operation.name,
        count(words::errors(operation)),
        count(attempts(operation)),
        words::error_kinds(operation)
    )
}

/// Why the run can be neither passed nor failed.
pub(super) fn unsettled(evidence: &Evidence<'_>) -> Vec<String> {
    let mut reasons = Vec::new();
    if evidence.state == RunState::Interrupted {
        reasons.push(format!("interrupted after {:.0} s", evidence.ended_after_s.max(0.0)));
    }
    for cell in evidence.features.iter().filter(|f| f.required) {
        if matches!(cell.verdict, Verdict::Inconclusive | Verdict::Invalid) {
            reasons.push(format!("feature {} was not settled: {}", cell.feature, cell.answered));
        }
    }
    reasons.extend(objectives_with(evidence, Verdict::Invalid));
    reasons.extend(objectives_with(evidence, Verdict::Inconclusive));
    if evidence.ledger.is_some_and(is_empty) {
        reasons.push("no event reached the ledger".to_owned());
    }
    let judged = evidence.objectives.iter().any(|o| o.required && o.verdict == Verdict::Pass)
        || evidence.features.iter().any(|f| f.required && f.verdict == Verdict::Pass);
    if !judged && reasons.is_empty() {
        reasons.push("nothing that is required could be shown".to_owned());
    }
    reasons
}

/// What was asked and held.
pub(super) fn passed(evidence: &Evidence<'_>) -> String {
    let objectives =
        evidence.objectives.iter().filter(|o| o.required && o.verdict == Verdict::Pass).count();
    let mut text =
        plural(objectives as u64, "required objective holds", "required objectives hold");
    if load::is_scaled(evidence.load_factor) {
        text.push_str(&format!(" at {} of the daily volume", load::times(evidence.load_factor)));
    }
    let cells = |of: &dyn Fn(&FeatureResult) -> bool| -> u64 {
        evidence.features.iter().filter(|f| of(f)).count() as u64
    };
    let shown = |f: &FeatureResult| f.required && f.verdict == Verdict::Pass;
    let mut parts = Vec::new();
    // That a thing is not there was not asked of the thing itself, so it is no probe that passed.
    let working = cells(&|f| shown(f) && f.promised != "absent");
    if working > 0 {
        let (one, more) = ("component probed and working", "components probed and working");
        parts.push(plural(working, one, more));
    }
    let absent = cells(&|f| shown(f) && f.promised == "absent");
    if absent > 0 {
        parts.push(format!("{absent} absent as promised"));
    }
    let unseen = cells(&|f| f.verdict == Verdict::NotVerified);
    if unseen > 0 {
        parts.push(plural(unseen, "cell not verified", "cells not verified"));
    }
    if !parts.is_empty() {
        text.push_str(&format!("; {}", parts.join(", ")));
    }
    if evidence.ledger.is_some() {
        text.push_str("; the ledger balances");
    }
    text
}

/// What a reader must know and the verdict does not depend on.
pub(super) fn notes(evidence: &Evidence<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    if load::is_scaled(evidence.load_factor) {
        notes.push(load::other_volume(evidence.load_factor));
    }
    let failed = |o: &&OperationSummary| words::errors(o) > 0 && !too_many_errors(evidence, o);
    notes.extend(evidence.operations.iter().filter(failed).map(errors_of));
    if let Some(ledger) = evidence.ledger {
        if ledger.rejected > 0 {
            notes.push(format!("the bus refused {}", plural(ledger.rejected, "event", "events")));
        }
        let consumed = ledger.hops.iter().find(|h| h.hop == "consumed");
        let reordered = consumed.map_or(0, |h| h.reordered);
        if reordered > 0 {
            let who = plural(reordered, "event was", "events were");
            notes.push(format!("{who} consumed after a later one of the same key"));
        }
    }
    let missing: Vec<&str> = evidence
        .features
        .iter()
        .filter(|f| f.verdict == Verdict::NotVerified)
        .map(|f| f.feature.as_str())
        .collect();
    if !missing.is_empty() {
        let mut names = missing.iter().take(MOST_NAMES).copied().collect::<Vec<_>>().join(", ");
        if missing.len() > MOST_NAMES {
            names.push_str(&format!(" and {} more", missing.len() - MOST_NAMES));
        }
        notes.push(format!(
            "not verified: {names}; this provider cannot show {}",
            if missing.len() == 1 { "it" } else { "them" }
        ));
    }
    let optional = evidence.objectives.iter().filter(|o| !o.required && o.verdict == Verdict::Fail);
    notes.extend(optional.map(|o| {
        format!(
            "optional objective {} missed: {} {} against {}",
            o.id, o.metric, o.measured, o.threshold
        )
    }));
    notes
}
