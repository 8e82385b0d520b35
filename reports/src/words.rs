//! Sentences and badges that every report shares, so that a page, a pull request and a terminal say
//! the same.

use crate::judge::CONFIDENCE;
use crate::record::{Fidelity, LatencySummary, OperationSummary, RunRecord, RunState, Verdict};
use crate::stats::samples_needed;
use crate::units;
use crate::{escape, load};

/// The verdict in plain words, without the reasons; with what the load and the stack were not.
pub(crate) fn sentence(record: &RunRecord) -> String {
    let who = format!("{} on {}", record.profile, record.provider);
    let factor = load::factor_of(record);
    let mut text = match record.verdict {
        Verdict::Pass if load::is_scaled(factor) => {
            let mut text =
                format!("{who} held its objectives at {} of the daily volume", load::times(factor));
            if factor < 1.0 {
                text.push_str("; the full volume was not offered");
            }
            text + "."
        }
        Verdict::Pass => format!("{who} kept every promise that could be checked here."),
        Verdict::Fail if load::is_scaled(factor) => format!(
            "{who} did not keep what it promises, at {} of the daily volume.",
            load::times(factor)
        ),
        Verdict::Fail => format!("{who} did not keep what it promises."),
        Verdict::Invalid => {
            "Not a valid measurement: its figures prove nothing, good or bad.".to_owned()
        }
        Verdict::Inconclusive => {
            format!("{who} is undecided: neither success nor failure is shown.")
        }
        Verdict::NotVerified => format!("Nothing that {who} promises could be shown here."),
    };
    let stand_ins: Vec<String> = record
        .implementations
        .iter()
        .filter(|i| i.fidelity != Fidelity::Real)
        .map(|i| format!("{} ({})", i.component, i.fidelity))
        .collect();
    if !stand_ins.is_empty() {
        text.push_str(&format!(
            " {} {} not the real component.",
            stand_ins.join(", "),
            if stand_ins.len() == 1 { "was" } else { "were" }
        ));
    }
    text
}

/// Marks of the whole run: those in the record, and those that its other fields imply.
pub(crate) fn marks(record: &RunRecord) -> Vec<String> {
    let mut marks = record.marks.clone();
    let mut imply = |words: &[&str], mark: String| {
        if !marks.iter().any(|m| words.iter().any(|word| m.contains(word))) {
            marks.push(mark);
        }
    };
    for i in &record.implementations {
        if i.fidelity != Fidelity::Real {
            let mark = format!("{} {}", i.fidelity, i.component);
            imply(&[&mark], mark.clone());
        }
    }
    if load::is_scaled(load::factor_of(record)) {
        imply(&["scale", "load"], format!("load {}", load::times(load::factor_of(record))));
    }
    match record.state {
        RunState::Complete => {}
        RunState::Interrupted => imply(&["interrupted"], "interrupted".to_owned()),
        RunState::Aborted => imply(&["aborted"], "aborted".to_owned()),
    }
    // What was no real component comes first: where there is little room, it must not be what is cut off.
    let unreal = [Fidelity::Fake, Fidelity::Compatible].map(|fidelity| format!("{fidelity} "));
    marks.sort_by_key(|mark| !unreal.iter().any(|word| mark.starts_with(word)));
    marks
}

/// Marks of one operation's figures.
pub(crate) fn operation_marks(record: &RunRecord, operation: &str) -> Vec<String> {
    let known = record.operations.iter().find(|o| o.name == operation);
    let component = known.map_or("", |o| o.component.as_str());
    let system = operation.split('.').next().unwrap_or(operation);
    let mut marks = Vec::new();
    for i in record.implementations.iter().filter(|i| i.fidelity != Fidelity::Real) {
        // An operation of no component goes through all of them.
        let touched = if component.is_empty() {
            known.is_some() || i.component == system
        } else {
            i.component == component
        };
        if touched {
            marks.push(if component.is_empty() {
                format!("{} {}", i.fidelity, i.component)
            } else {
                i.fidelity.to_string()
            });
        }
    }
    if load::is_scaled(load::factor_of(record)) {
        marks.push(format!("load {}", load::times(load::factor_of(record))));
    }
    match record.state {
        RunState::Complete => {}
        RunState::Interrupted => marks.push("interrupted".to_owned()),
        RunState::Aborted => marks.push("aborted".to_owned()),
    }
    marks
}

/// Marks of a component's own figures.
pub(crate) fn component_marks(record: &RunRecord, component: &str) -> Vec<String> {
    let of = record.implementations.iter().filter(|i| i.component == component);
    of.filter(|i| i.fidelity != Fidelity::Real).map(|i| i.fidelity.to_string()).collect()
}

/// The command that repeats the run, as a shell takes it.
pub(crate) fn command(record: &RunRecord) -> String {
    record.command.iter().map(|word| escape::shell(word)).collect::<Vec<_>>().join(" ")
}

/// Errors of an operation.
pub(crate) fn errors(operation: &OperationSummary) -> u64 {
    operation.errors.values().fold(0, |sum, n| sum.saturating_add(*n))
}

/// Errors by kind (`timeout 3, refused 1`), most frequent first; empty with none.
pub(crate) fn error_kinds(operation: &OperationSummary) -> String {
    let mut kinds: Vec<(&String, &u64)> =
        operation.errors.iter().filter(|(_, n)| **n > 0).collect();
    kinds.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let mut text: Vec<String> =
        kinds.iter().take(4).map(|(kind, n)| format!("{kind} {}", units::count(**n))).collect();
    if kinds.len() > 4 {
        text.push(format!("{} more kinds", kinds.len() - 4));
    }
    text.join(", ")
}

/// Stands for a figure that a run without an orderly end has not written.
pub(crate) const NOT_RECORDED: &str = "not recorded";

/// Whether the generator's figures on itself were written: they are in the record's last version
/// only, which a killed run never wrote.
pub(crate) fn generator_known(record: &RunRecord) -> bool {
    record.generator.scheduled > 0
}

/// How well the schedule was held, in one line.
pub(crate) fn schedule(record: &RunRecord) -> String {
    if !generator_known(record) {
        return NOT_RECORDED.to_owned();
    }
    let g = &record.generator;
    format!(
        "{} held, lag p99 {}, {} of its ceiling",
        units::percent(g.held),
        percentile(&g.lag, 0.99),
        units::percent(g.utilisation)
    )
}

/// A percentile (0.5, 0.99 or 0.999) of a summary; a dash where its samples cannot claim it at
/// [`CONFIDENCE`].
pub(crate) fn percentile(latency: &LatencySummary, share: f64) -> String {
    let ns = match share {
        s if s < 0.9 => latency.p50_ns,
        s if s < 0.999 => latency.p99_ns,
        _ => latency.p999_ns,
    };
    if latency.count < samples_needed(share, CONFIDENCE) {
        NONE.to_owned()
    } else {
        units::duration_ns(ns as f64)
    }
}

/// Stands for a figure that the samples do not give.
pub(crate) const NONE: &str = "–";

/// What [`NONE`] means among percentiles.
pub(crate) fn percentile_note() -> String {
    let needed = |share: f64| {
        let n = units::count(samples_needed(share, CONFIDENCE));
        format!("{n} for {}", units::percentile_name(share))
    };
    format!(
        "{NONE} stands where there are too few samples to claim the percentile at 99 % confidence \
         ({}, {}, {}).",
        needed(0.5),
        needed(0.99),
        needed(0.999)
    )
}

/// Whether the record's upper bounds count clustered operations as fewer, as its verdicts do. Those
/// of before the design effect was written do not.
fn bounds_are_clustered(record: &RunRecord) -> bool {
    record.objectives.iter().all(|o| o.upper99.is_none() || o.design_effect.is_some())
}

/// The name of the upper bound in a table's head.
pub(crate) fn bound(record: &RunRecord) -> &'static str {
    if bounds_are_clustered(record) {
        "upper bound (99 %)"
    } else {
        "upper bound if independent (99 %)"
    }
}

/// What the verdicts on objectives and the upper bounds beside them assume.
pub(crate) fn assumption(record: &RunRecord) -> &'static str {
    if bounds_are_clustered(record) {
        "Verdicts and upper bounds let operations within one interval of latency.hlog depend on each \
         other (design effect, with intervals as clusters), so an upper bound is the smallest \
         threshold that would have passed. What carries over from one interval to the next is not \
         seen."
    } else {
        "Verdicts let operations within one second depend on each other (design effect, with seconds \
         as clusters). The upper bounds of this record are older and take every operation as \
         independent, so the true uncertainty is at least that large."
    }
}

/// `n` over `seconds`, with a dash where nothing was measured.
pub(crate) fn per_s(n: u64, seconds: f64) -> String {
    if seconds > 0.0 { units::rate(n as f64 / seconds) } else { NONE.to_owned() }
}

/// The ledger in one line: its word, then one count where every hop has the same, else one a hop,
/// and what the bus refused.
pub(crate) fn ledger(record: &RunRecord) -> String {
    let mut text = ledger_state(record).to_owned();
    let hops = &record.ledger.hops;
    if let Some(first) = hops.first() {
        let chain = if hops.iter().all(|h| h.reached == first.reached) {
            let names: Vec<&str> = hops.iter().map(|h| h.hop.as_str()).collect();
            format!("{} {}", units::count(first.reached), names.join(", "))
        } else {
            let all = hops.iter().map(|h| format!("{} {}", h.hop, units::count(h.reached)));
            all.collect::<Vec<_>>().join(" → ")
        };
        text.push_str(&format!(": {chain}"));
    }
    if record.ledger.rejected > 0 {
        text.push_str(&format!("; {} refused by the bus", units::count(record.ledger.rejected)));
    }
    text
}

/// The ledger's own word on itself.
pub(crate) fn ledger_state(record: &RunRecord) -> &'static str {
    match (record.ledger.hops.is_empty(), record.ledger.balanced) {
        (true, _) if record.state == RunState::Complete => "not kept",
        (true, _) => NOT_RECORDED,
        (false, true) => "balances",
        (false, false) => "does not balance",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn marks_are_implied_where_the_record_forgot_them() {
        let mut record = testing::record();
        record.marks.clear();
        record.config.scale = 0.5;
        record.state = RunState::Interrupted;
        let got = marks(&record);
        for word in ["fake s3", "load ×0.5", "interrupted"] {
            assert!(got.iter().any(|m| m == word), "{word} in {got:?}");
        }
        record.marks = got.clone();
        assert_eq!(marks(&record), got, "no mark stands twice");
    }

    #[test]
    fn a_fake_marks_its_own_operations_and_those_that_go_through_everything() {
        let record = testing::record();
        assert_eq!(operation_marks(&record, "s3.put"), ["fake"]);
        assert_eq!(operation_marks(&record, "end_to_end"), ["fake s3"]);
        assert!(operation_marks(&record, "bus.publish").is_empty());
    }

    #[test]
    fn a_pass_at_another_load_or_on_a_stand_in_says_so_in_its_sentence() {
        let mut record = testing::record();
        assert_eq!(
            sentence(&record),
            "small on local kept every promise that could be checked here. s3 (fake) was not the \
             real component."
        );
        record.implementations.pop();
        record.config.scale = 0.05;
        assert_eq!(
            sentence(&record),
            "small on local held its objectives at ×0.05 of the daily volume; the full volume was \
             not offered."
        );
        record.verdict = Verdict::Fail;
        assert!(sentence(&record).contains("at ×0.05 of the daily volume"));
    }

    #[test]
    fn a_percentile_without_the_samples_to_claim_it_is_a_dash() {
        let of = |count| LatencySummary {
            count,
            p50_ns: 1,
            p99_ns: 2,
            p999_ns: 3,
            ..Default::default()
        };
        assert_eq!(percentile(&of(6), 0.5), "–");
        assert_eq!(percentile(&of(7), 0.5), "1 ns");
        assert_eq!(percentile(&of(458), 0.99), "–");
        assert_eq!(percentile(&of(459), 0.99), "2 ns");
        assert_eq!(percentile(&of(4_602), 0.999), "–");
        assert_eq!(percentile(&of(4_603), 0.999), "3 ns");
        assert!(percentile_note().contains("7 for p50, 459 for p99, 4,603 for p99.9"));
    }

    #[test]
    fn what_the_bus_refused_stands_in_the_ledgers_line() {
        let mut record = testing::record();
        assert!(!ledger(&record).contains("refused"));
        record.ledger.rejected = 1_204;
        assert!(ledger(&record).ends_with("registered; 1,204 refused by the bus"));
    }
}
