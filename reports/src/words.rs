//! Sentences and badges that every report shares, so that a page, a pull request and a terminal say
//! the same.

use crate::escape;
use crate::record::{Fidelity, OperationSummary, RunRecord, RunState, Verdict};
use crate::units;

/// The verdict in plain words, without the reasons; with what the load and the stack were not.
pub(crate) fn sentence(record: &RunRecord) -> String {
    let who = format!("{} on {}", record.profile, record.provider);
    let factor = load_factor(record);
    let mut text = match record.verdict {
        Verdict::Pass if is_scaled(factor) => {
            let mut text = format!(
                "{who} held its objectives at {} of the daily volume",
                self::factor(factor)
            );
            if factor < 1.0 {
                text.push_str("; the full volume was not offered");
            }
            text + "."
        }
        Verdict::Pass => format!("{who} kept every promise that could be checked here."),
        Verdict::Fail if is_scaled(factor) => format!(
            "{who} did not keep what it promises, at {} of the daily volume.",
            self::factor(factor)
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

/// Offered load ÷ daily volume, as rates: 1 is the full volume.
pub(crate) fn load_factor(record: &RunRecord) -> f64 {
    record.config.scale * record.config.speedup
}

/// Whether the load was not the full one.
pub(crate) fn is_scaled(factor: f64) -> bool {
    factor.is_finite() && (factor - 1.0).abs() > 1e-6
}

/// A load factor (`×0.05`), to three significant digits.
pub(crate) fn factor(factor: f64) -> String {
    let digits = 10f64.powf(2.0 - factor.abs().log10().floor());
    let rounded = (factor * digits).round() / digits;
    format!("×{}", if rounded.is_finite() { rounded } else { factor })
}

/// The sentence for a load that was not the full one.
pub(crate) fn other_volume(factor: f64) -> String {
    let mut text = format!("the load was {} of the daily volume", self::factor(factor));
    if factor < 1.0 {
        text.push_str("; the full volume was not offered");
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
    if is_scaled(record.config.scale) {
        imply(&["scale", "load"], format!("load × {}", record.config.scale));
    }
    match record.state {
        RunState::Complete => {}
        RunState::Interrupted => imply(&["interrupted"], "interrupted".to_owned()),
        RunState::Aborted => imply(&["aborted"], "aborted".to_owned()),
    }
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
    if is_scaled(record.config.scale) {
        marks.push(format!("load × {}", record.config.scale));
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

/// What was offered, in one line.
pub(crate) fn load(record: &RunRecord) -> String {
    let c = &record.config;
    format!(
        "{}, {} events/s ({} a day × {}), {}",
        units::bytes_per_s(c.offered_bytes_per_s),
        units::rate(c.offered_events_per_s),
        units::bytes(c.volume_bytes_per_day),
        c.scale,
        c.arrivals
    )
}

/// The ledger in one line: one count where every hop has the same, else one a hop; empty where no
/// ledger was kept.
pub(crate) fn ledger_chain(record: &RunRecord) -> String {
    let hops = &record.ledger.hops;
    let Some(first) = hops.first() else { return String::new() };
    if hops.iter().all(|h| h.reached == first.reached) {
        let names: Vec<&str> = hops.iter().map(|h| h.hop.as_str()).collect();
        return format!("{} {}", units::count(first.reached), names.join(", "));
    }
    let all = hops.iter().map(|h| format!("{} {}", h.hop, units::count(h.reached)));
    all.collect::<Vec<_>>().join(" → ")
}

/// The ledger's own word on itself.
pub(crate) fn ledger_state(record: &RunRecord) -> &'static str {
    match (record.ledger.hops.is_empty(), record.ledger.balanced) {
        (true, _) => "not kept",
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
        for word in ["fake s3", "load × 0.5", "interrupted"] {
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
        assert!(operation_marks(&record, "kafka.publish").is_empty());
    }
}
