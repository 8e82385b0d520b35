//! What beats what, and what the reasons say.

use super::*;
use crate::record::{
    FeatureResult, HopSummary, LedgerCheck, LedgerSummary, ObjectiveResult, OperationSummary,
    RunState, Verdict,
};

fn objective(verdict: Verdict, required: bool) -> ObjectiveResult {
    ObjectiveResult {
        id: "kafka.publish.p99".into(),
        operation: "kafka.publish".into(),
        metric: "p99 response time".into(),
        threshold: "≤ 250 ms".into(),
        measured: "12.0 ms".into(),
        ratio: Some(0.05),
        design_effect: None,
        upper99: None,
        samples: 1000,
        samples_needed: 459,
        origin: "derived".into(),
        source: "test".into(),
        required,
        verdict,
        evidence: "0 of 1,000 operations over the threshold".into(),
    }
}

fn feature(verdict: Verdict) -> FeatureResult {
    FeatureResult {
        feature: "kafka".into(),
        promised: "present".into(),
        verdict,
        fidelity: None,
        asked: "metadata".into(),
        answered: "one broker".into(),
        took_ms: 1.0,
        required: true,
    }
}

fn ledger(lost: u64) -> LedgerSummary {
    LedgerSummary {
        hops: vec![
            HopSummary { hop: "sent".into(), reached: 1_000, ..HopSummary::default() },
            HopSummary { hop: "stored".into(), lost, ..HopSummary::default() },
        ],
        balanced: lost == 0,
        checks: vec![LedgerCheck { ok: lost == 0, ..LedgerCheck::default() }],
        rejected: 0,
    }
}

struct Case {
    state: RunState,
    objectives: Vec<ObjectiveResult>,
    features: Vec<FeatureResult>,
    ledger: Option<LedgerSummary>,
    operations: Vec<OperationSummary>,
    drained: bool,
    load_factor: f64,
    faults: Vec<String>,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            state: RunState::Complete,
            objectives: vec![objective(Verdict::Pass, true)],
            features: vec![feature(Verdict::Pass)],
            ledger: Some(ledger(0)),
            operations: Vec::new(),
            drained: true,
            load_factor: 1.0,
            faults: Vec::new(),
        }
    }
}

fn judge(case: &Case) -> Outcome {
    let outcome = overall(&Evidence {
        state: case.state,
        ended_after_s: 17.4,
        objectives: &case.objectives,
        features: &case.features,
        ledger: case.ledger.as_ref(),
        operations: &case.operations,
        drained: case.drained,
        load_factor: case.load_factor,
        faults: &case.faults,
    });
    assert!(!outcome.reasons.is_empty(), "a verdict always has a reason");
    outcome
}

fn verdict(case: &Case) -> (Verdict, u8) {
    let outcome = judge(case);
    (outcome.verdict, outcome.exit_code)
}

#[test]
fn everything_in_order_passes_with_exit_code_0() {
    assert_eq!(verdict(&Case::default()), (Verdict::Pass, 0));
}

#[test]
fn a_failed_requirement_fails_with_exit_code_1() {
    let objectives = vec![objective(Verdict::Fail, true)];
    assert_eq!(verdict(&Case { objectives, ..Case::default() }), (Verdict::Fail, 1));
    let features = vec![feature(Verdict::Fail)];
    assert_eq!(verdict(&Case { features, ..Case::default() }), (Verdict::Fail, 1));
}

#[test]
fn an_optional_objective_that_fails_is_noted_and_does_not_fail_the_run() {
    let objectives = vec![objective(Verdict::Pass, true), objective(Verdict::Fail, false)];
    let outcome = judge(&Case { objectives, ..Case::default() });
    assert_eq!(outcome.verdict, Verdict::Pass);
    assert!(outcome.reasons.iter().any(|r| r.contains("optional objective")));
}

#[test]
fn an_invalid_measurement_beats_a_failed_objective() {
    let case = Case {
        objectives: vec![objective(Verdict::Fail, true)],
        faults: vec!["the generator dropped 3 arrivals".into()],
        ..Case::default()
    };
    assert_eq!(verdict(&case), (Verdict::Invalid, 4));
}

#[test]
fn losing_acknowledged_events_fails_even_an_invalid_measurement() {
    let case = Case {
        ledger: Some(ledger(2)),
        faults: vec!["the generator dropped 3 arrivals".into()],
        ..Case::default()
    };
    assert_eq!(verdict(&case), (Verdict::Fail, 1));
    assert!(judge(&case).reasons[0].contains("2 lost"));
}

#[test]
fn a_failed_objective_beats_an_inconclusive_one() {
    let objectives = vec![objective(Verdict::Inconclusive, true), objective(Verdict::Fail, true)];
    assert_eq!(verdict(&Case { objectives, ..Case::default() }), (Verdict::Fail, 1));
    let objectives = vec![objective(Verdict::Inconclusive, true)];
    assert_eq!(verdict(&Case { objectives, ..Case::default() }), (Verdict::Inconclusive, 4));
}

#[test]
fn cells_that_the_provider_cannot_show_neither_pass_nor_fail_and_are_counted() {
    let features = vec![feature(Verdict::Pass), feature(Verdict::NotVerified)];
    let outcome = judge(&Case { features, ..Case::default() });
    assert_eq!(outcome.verdict, Verdict::Pass);
    assert!(
        outcome
            .reasons
            .iter()
            .any(|r| r.contains("not verified: kafka; this provider cannot show it"))
    );
    let case = Case {
        objectives: Vec::new(),
        features: vec![feature(Verdict::NotVerified)],
        ledger: None,
        ..Case::default()
    };
    assert_eq!(verdict(&case), (Verdict::Inconclusive, 4));
}

#[test]
fn an_interrupted_run_never_passes_and_its_events_on_the_way_are_not_lost() {
    let case = Case { state: RunState::Interrupted, ledger: Some(ledger(5)), ..Case::default() };
    assert_eq!(verdict(&case), (Verdict::Inconclusive, 4));
    assert!(judge(&case).reasons[0].contains("interrupted after 17 s"));
    let mut corrupted = ledger(5);
    corrupted.hops[0].corrupted = 1;
    let case = Case { ledger: Some(corrupted), ..case };
    assert_eq!(verdict(&case), (Verdict::Fail, 1));
}

#[test]
fn an_aborted_run_fails() {
    let case = Case { state: RunState::Aborted, ..Case::default() };
    assert_eq!(verdict(&case), (Verdict::Fail, 1));
}

#[test]
fn an_empty_ledger_or_nothing_judged_is_inconclusive() {
    let case = Case { ledger: Some(LedgerSummary::default()), ..Case::default() };
    assert_eq!(verdict(&case), (Verdict::Inconclusive, 4));
    let untouched =
        LedgerSummary { hops: vec![HopSummary::default(); 5], ..LedgerSummary::default() };
    let case = Case { ledger: Some(untouched), ..Case::default() };
    assert_eq!(verdict(&case), (Verdict::Inconclusive, 4));
    let case =
        Case { objectives: Vec::new(), features: Vec::new(), ledger: None, ..Case::default() };
    assert_eq!(verdict(&case), (Verdict::Inconclusive, 4));
}

fn operation(offered: u64, kinds: &[(&str, u64)]) -> OperationSummary {
    let errors: std::collections::BTreeMap<String, u64> =
        kinds.iter().map(|(kind, n)| ((*kind).to_owned(), *n)).collect();
    let completed = offered - errors.values().sum::<u64>();
    OperationSummary {
        name: "nats.publish".into(),
        offered,
        completed,
        errors,
        ..OperationSummary::default()
    }
}

#[test]
fn an_operation_of_which_more_than_one_per_cent_failed_fails_the_run_without_an_objective() {
    let case = Case { operations: vec![operation(6_829, &[("timeout", 120)])], ..Case::default() };
    let outcome = judge(&case);
    assert_eq!((outcome.verdict, outcome.exit_code), (Verdict::Fail, 1));
    assert_eq!(outcome.reasons, ["operation nats.publish failed 120 of 6,829 times (timeout 120)"]);
    // A server may be late because the generator was: an invalid measurement proves neither.
    let case = Case { faults: vec!["late".into()], ..case };
    assert_eq!(verdict(&case), (Verdict::Invalid, 4));
}

#[test]
fn a_few_errors_are_noted_and_do_not_fail_the_run() {
    let operations = vec![operation(1_000, &[("refused", 1), ("timeout", 9)]), operation(5, &[])];
    let outcome = judge(&Case { operations, ..Case::default() });
    assert_eq!(outcome.verdict, Verdict::Pass);
    let note = "operation nats.publish failed 10 of 1,000 times (timeout 9, refused 1)";
    assert_eq!(outcome.reasons[1..], [note]);
}

#[test]
fn operations_that_an_interruption_cut_off_did_not_fail() {
    let operations = vec![operation(100, &[(UNFINISHED, 40)])];
    let case = Case { state: RunState::Interrupted, operations, ..Case::default() };
    assert_eq!(verdict(&case), (Verdict::Inconclusive, 4));
    assert_eq!(verdict(&Case { state: RunState::Complete, ..case }), (Verdict::Fail, 1));
}

/// A ledger of which `missing` events were acknowledged and not registered.
fn short_of(missing: u64) -> LedgerSummary {
    let hop = |hop: &str, reached, lost| HopSummary {
        hop: hop.into(),
        reached,
        lost,
        ..HopSummary::default()
    };
    LedgerSummary {
        hops: vec![
            hop("acknowledged", 5_000, 0),
            hop("consumed", 5_000 - missing, missing),
            hop("registered", 5_000 - missing, 0),
        ],
        balanced: missing == 0,
        checks: Vec::new(),
        rejected: 0,
    }
}

#[test]
fn events_that_draining_did_not_wait_for_are_on_their_way_and_not_lost() {
    let case = Case { drained: false, ledger: Some(short_of(1_200)), ..Case::default() };
    let outcome = judge(&case);
    assert_eq!((outcome.verdict, outcome.exit_code), (Verdict::Fail, 1));
    assert_eq!(outcome.reasons[0], "1,200 events were still on their way when draining ended");
    let rested = Case { drained: true, ledger: Some(short_of(1_200)), ..Case::default() };
    assert!(judge(&rested).reasons[0].contains("1,200 lost"));
    let mut twice = short_of(1_200);
    twice.hops[2].duplicated = 3;
    let twice = Case { drained: false, ledger: Some(twice), ..Case::default() };
    assert!(judge(&twice).reasons[0].contains("1,200 lost, 3 duplicated"));
}

#[test]
fn the_first_store_check_that_differs_is_named_with_what_was_expected_and_found() {
    let mut ledger = ledger(0);
    ledger.balanced = false;
    let check = |what: &str, found: &str, ok| LedgerCheck {
        what: what.into(),
        expected: "7".into(),
        found: found.into(),
        ok,
    };
    ledger.checks = vec![check("rows", "7", true), check("lineage rows", "6", false)];
    let reason = |ledger: &LedgerSummary| {
        judge(&Case { ledger: Some(ledger.clone()), ..Case::default() }).reasons[0].clone()
    };
    assert!(
        reason(&ledger).ends_with("1 of 2 store checks differs: lineage rows, expected 7, found 6")
    );
    ledger.checks.push(check("decision rows", "5", false));
    assert!(
        reason(&ledger)
            .ends_with("2 of 3 store checks differ, first: lineage rows, expected 7, found 6")
    );
}

#[test]
fn a_pass_says_what_was_really_asked() {
    let absent = || FeatureResult { promised: "absent".into(), ..feature(Verdict::Pass) };
    let features = vec![
        feature(Verdict::Pass),
        feature(Verdict::Pass),
        absent(),
        feature(Verdict::NotVerified),
    ];
    let objectives = vec![objective(Verdict::Pass, true); 7];
    let case = Case { features, objectives, ..Case::default() };
    assert_eq!(
        judge(&case).reasons[0],
        "7 required objectives hold; 2 components probed and working, 1 absent as promised, 1 cell \
         not verified; the ledger balances"
    );
}

#[test]
fn another_volume_than_the_daily_one_stands_in_the_reasons() {
    let outcome = judge(&Case { load_factor: 0.05, ..Case::default() });
    assert_eq!(outcome.verdict, Verdict::Pass);
    assert!(
        outcome.reasons[0].starts_with("1 required objective holds at ×0.05 of the daily volume")
    );
    assert!(outcome.reasons[1].contains("the full volume was not offered"));
    assert_eq!(judge(&Case { load_factor: 1.0, ..Case::default() }).reasons.len(), 1);
}

#[test]
fn refused_and_reordered_events_are_noted() {
    let mut ledger = short_of(0);
    ledger.rejected = 4;
    ledger.hops[1].reordered = 1;
    let outcome = judge(&Case { ledger: Some(ledger), ..Case::default() });
    assert_eq!(outcome.verdict, Verdict::Pass);
    assert_eq!(outcome.reasons[1], "the bus refused 4 events");
    assert_eq!(outcome.reasons[2], "1 event was consumed after a later one of the same key");
}
