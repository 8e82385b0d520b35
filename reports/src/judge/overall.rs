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
//! 3. **FAIL** of a required objective.
//! 4. **INCONCLUSIVE**: too few samples, an interrupted run, nothing required judged at all.
//! 5. **PASS**. NOT VERIFIED cells neither pass nor fail: their number is stated.

use crate::record::{
    FeatureResult, GeneratorSummary, LedgerSummary, ObjectiveResult, OperationSummary, RunState,
    Verdict,
};
use crate::units::{count, percent, rate};

/// What [`overall`] judges.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// How the run ended.
    pub state: RunState,
    /// Seconds since the epoch at which it ended, for the reason of an interrupted run.
    pub ended_after_s: f64,
    /// Objectives.
    pub objectives: &'a [ObjectiveResult],
    /// Feature matrix.
    pub features: &'a [FeatureResult],
    /// The account of every event; `None` for a workload that keeps none.
    pub ledger: Option<&'a LedgerSummary>,
    /// Why the measurement cannot be trusted, one reason each: [`generator_faults`], and anything
    /// else the harness found. Empty for a valid run.
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

/// Share of the schedule that must have been handed over.
const HELD_AT_LEAST: f64 = 0.99;
/// Share of its own ceiling beyond which the generator may be what was measured.
const UTILISATION_AT_MOST: f64 = 0.8;

/// Why the generator's own figures make the measurement untrustworthy; empty where they do not.
///
/// Faults are: a dropped arrival, less than 99 % of the schedule handed over, an offered rate over
/// 80 % of the generator's ceiling, and Little's law broken on any operation.
#[must_use]
pub fn generator_faults(
    generator: &GeneratorSummary,
    operations: &[OperationSummary],
) -> Vec<String> {
    let mut faults = Vec::new();
    if generator.dropped > 0 {
        faults.push(format!(
            "the generator dropped {} arrivals whose lane was full; lower --scale",
            count(generator.dropped)
        ));
    }
    // `held` is 0 ÷ 0 in a run that scheduled nothing; that is inconclusive, not invalid.
    if generator.scheduled > 0 && generator.held < HELD_AT_LEAST {
        faults.push(format!(
            "the generator held only {} of its schedule; lower --scale",
            percent(generator.held)
        ));
    }
    if generator.utilisation > UTILISATION_AT_MOST {
        faults.push(format!(
            "the offered rate is {} of the generator's own ceiling of {}/s; lower --scale or use a \
             faster machine",
            percent(generator.utilisation),
            rate(generator.ceiling_events_per_s)
        ));
    }
    for operation in operations {
        if let Some(law) = &operation.littles_law
            && law.holds == Some(false)
        {
            faults.push(format!(
                "Little's law does not hold for {}: {} in flight, {} expected; this is a bug in \
                 odg-bench",
                operation.name,
                rate(law.measured_in_flight),
                rate(law.expected_in_flight)
            ));
        }
    }
    faults
}

/// Folds everything into one verdict; see the module's text for what beats what.
#[must_use]
pub fn overall(evidence: &Evidence<'_>) -> Outcome {
    let facts = failed_facts(evidence);
    let failed_objectives = objectives_with(evidence, Verdict::Fail);
    let unsettled = unsettled(evidence);

    let (verdict, exit_code) = if !facts.is_empty() {
        (Verdict::Fail, 1)
    } else if !evidence.faults.is_empty() {
        (Verdict::Invalid, 4)
    } else if !failed_objectives.is_empty() {
        (Verdict::Fail, 1)
    } else if !unsettled.is_empty() {
        (Verdict::Inconclusive, 4)
    } else {
        (Verdict::Pass, 0)
    };

    let mut reasons = facts;
    reasons.extend_from_slice(evidence.faults);
    reasons.extend(failed_objectives);
    reasons.extend(unsettled);
    if reasons.is_empty() {
        reasons.push(passed(evidence));
    }
    reasons.extend(notes(evidence));
    Outcome { verdict, reasons, exit_code }
}

/// What failed whatever the pacing was.
fn failed_facts(evidence: &Evidence<'_>) -> Vec<String> {
    let mut facts = Vec::new();
    if evidence.state == RunState::Aborted {
        facts.push("the run was aborted: a component died or could not be reached".to_owned());
    }
    if let Some(ledger) = evidence.ledger
        && !ledger.balanced
    {
        let sum = |field: fn(&crate::record::HopSummary) -> u64| -> u64 {
            ledger.hops.iter().map(field).fold(0, u64::saturating_add)
        };
        let (lost, twice, bad) = (sum(|h| h.lost), sum(|h| h.duplicated), sum(|h| h.corrupted));
        let checks = ledger.checks.iter().filter(|c| !c.ok).count();
        // An interrupted run leaves events on their way, so there "lost" may mean "not there yet".
        let at_rest = evidence.state != RunState::Interrupted;
        if bad > 0 || (at_rest && !ledger.hops.is_empty()) {
            let mut text = format!(
                "the ledger does not balance: {} lost, {} duplicated, {} corrupted",
                count(lost),
                count(twice),
                count(bad)
            );
            if checks > 0 {
                text.push_str(&format!(", {checks} of {} checks differ", ledger.checks.len()));
            }
            facts.push(text);
        }
    }
    let failed = evidence.features.iter().filter(|f| f.required && f.verdict == Verdict::Fail);
    facts.extend(failed.map(|f| {
        format!("feature {} is not as promised ({}): {}", f.feature, f.promised, f.answered)
    }));
    facts
}

fn objectives_with(evidence: &Evidence<'_>, verdict: Verdict) -> Vec<String> {
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

/// Why the run can be neither passed nor failed.
fn unsettled(evidence: &Evidence<'_>) -> Vec<String> {
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
    if evidence.ledger.is_some_and(|l| l.hops.is_empty()) {
        reasons.push("no event reached the ledger".to_owned());
    }
    let judged = evidence.objectives.iter().any(|o| o.required && o.verdict == Verdict::Pass)
        || evidence.features.iter().any(|f| f.required && f.verdict == Verdict::Pass);
    if !judged && reasons.is_empty() {
        reasons.push("nothing that is required could be shown".to_owned());
    }
    reasons
}

fn passed(evidence: &Evidence<'_>) -> String {
    let held = |verdict| {
        (
            evidence.objectives.iter().filter(|o| o.required && o.verdict == verdict).count(),
            evidence.features.iter().filter(|f| f.required && f.verdict == verdict).count(),
        )
    };
    let (objectives, features) = held(Verdict::Pass);
    let mut text = format!(
        "{objectives} required objective{} and {features} required feature{} hold",
        if objectives == 1 { "" } else { "s" },
        if features == 1 { "" } else { "s" }
    );
    if evidence.ledger.is_some() {
        text.push_str("; the ledger balances");
    }
    text
}

/// What a reader must know and the verdict does not depend on.
fn notes(evidence: &Evidence<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    let missing = evidence.features.iter().filter(|f| f.verdict == Verdict::NotVerified).count();
    if missing > 0 {
        notes.push(format!(
            "{missing} matrix cell{} not verified: this provider cannot show {}",
            if missing == 1 { " was" } else { "s were" },
            if missing == 1 { "it" } else { "them" }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{HopSummary, LedgerCheck, LittlesLaw};

    fn objective(verdict: Verdict, required: bool) -> ObjectiveResult {
        ObjectiveResult {
            id: "kafka.publish.p99".into(),
            operation: "kafka.publish".into(),
            metric: "p99 response time".into(),
            threshold: "≤ 250 ms".into(),
            measured: "12.0 ms".into(),
            ratio: Some(0.05),
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
            hops: vec![HopSummary { hop: "stored".into(), lost, ..HopSummary::default() }],
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
        faults: Vec<String>,
    }

    impl Default for Case {
        fn default() -> Self {
            Self {
                state: RunState::Complete,
                objectives: vec![objective(Verdict::Pass, true)],
                features: vec![feature(Verdict::Pass)],
                ledger: Some(ledger(0)),
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
        let objectives =
            vec![objective(Verdict::Inconclusive, true), objective(Verdict::Fail, true)];
        assert_eq!(verdict(&Case { objectives, ..Case::default() }), (Verdict::Fail, 1));
        let objectives = vec![objective(Verdict::Inconclusive, true)];
        assert_eq!(verdict(&Case { objectives, ..Case::default() }), (Verdict::Inconclusive, 4));
    }

    #[test]
    fn cells_that_the_provider_cannot_show_neither_pass_nor_fail_and_are_counted() {
        let features = vec![feature(Verdict::Pass), feature(Verdict::NotVerified)];
        let outcome = judge(&Case { features, ..Case::default() });
        assert_eq!(outcome.verdict, Verdict::Pass);
        assert!(outcome.reasons.iter().any(|r| r.contains("1 matrix cell was not verified")));
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
        let case =
            Case { state: RunState::Interrupted, ledger: Some(ledger(5)), ..Case::default() };
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
        let case =
            Case { objectives: Vec::new(), features: Vec::new(), ledger: None, ..Case::default() };
        assert_eq!(verdict(&case), (Verdict::Inconclusive, 4));
    }

    #[test]
    fn each_fault_of_the_generator_is_named() {
        let good = GeneratorSummary {
            scheduled: 100,
            dispatched: 100,
            held: 1.0,
            utilisation: 0.2,
            ..GeneratorSummary::default()
        };
        assert!(generator_faults(&good, &[]).is_empty());
        assert!(generator_faults(&GeneratorSummary::default(), &[]).is_empty());
        let bad = GeneratorSummary { dropped: 1, held: 0.98, utilisation: 0.9, ..good.clone() };
        let operation = OperationSummary {
            name: "s3.put".into(),
            littles_law: Some(LittlesLaw { holds: Some(false), ..LittlesLaw::default() }),
            ..OperationSummary::default()
        };
        assert_eq!(generator_faults(&bad, &[operation]).len(), 4);
    }
}
