//! What was promised, what was measured, and what was not verified and why, in a few lines.

use serde::Serialize;

use crate::load;
use crate::record::{RunRecord, Verdict};
use crate::units::{bytes, plural};
use crate::words;

/// Most lines of a column.
const MOST: usize = 12;

#[derive(Serialize)]
pub(super) struct Answer {
    promised: Vec<String>,
    measured: Vec<String>,
    /// What, and why.
    not_verified: Vec<(String, String)>,
    /// How many more are not verified.
    more: usize,
}

pub(super) fn answer(r: &RunRecord) -> Answer {
    let not_verified = not_verified(r);
    Answer {
        promised: promised(r),
        measured: measured(r),
        more: not_verified.len().saturating_sub(MOST),
        not_verified: not_verified.into_iter().take(MOST).collect(),
    }
}

fn promised(r: &RunRecord) -> Vec<String> {
    let of = |promised: &str| r.features.iter().filter(|f| f.promised == promised).count();
    let required = r.objectives.iter().filter(|o| o.required).count();
    let mut lines = vec![
        format!("{} a day", bytes(r.config.volume_bytes_per_day)),
        format!(
            "{}, {required} of them required",
            plural(r.objectives.len() as u64, "objective", "objectives")
        ),
    ];
    let cells: Vec<String> = ["present", "optional", "absent"]
        .into_iter()
        .filter(|promised| of(promised) > 0)
        .map(|promised| format!("{} {promised}", of(promised)))
        .collect();
    if !cells.is_empty() {
        lines.push(format!(
            "{}: {}",
            plural(r.features.len() as u64, "feature", "features"),
            cells.join(", ")
        ));
    }
    lines
}

fn measured(r: &RunRecord) -> Vec<String> {
    let verdicts = |all: &[Verdict]| {
        let parts = [Verdict::Fail, Verdict::Invalid, Verdict::Inconclusive, Verdict::Pass]
            .into_iter()
            .map(|v| (v, all.iter().filter(|a| **a == v).count()))
            .filter(|(_, n)| *n > 0)
            .map(|(v, n)| format!("{n} {v}"));
        let parts: Vec<String> = parts.collect();
        if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
    };
    let objectives: Vec<Verdict> = r.objectives.iter().map(|o| o.verdict).collect();
    let features: Vec<Verdict> = r.features.iter().map(|f| f.verdict).collect();
    vec![
        format!("load {} of the daily volume", load::times(load::factor_of(r))),
        format!("objectives: {}", verdicts(&objectives)),
        format!("features: {}", verdicts(&features)),
        format!("ledger: {}", words::ledger_state(r)),
    ]
}

fn not_verified(r: &RunRecord) -> Vec<(String, String)> {
    let features = r.features.iter().filter(|f| f.verdict == Verdict::NotVerified);
    let features = features.map(|f| (f.feature.clone(), f.answered.clone()));
    let objectives = r.objectives.iter().filter(|o| o.verdict == Verdict::NotVerified);
    let objectives = objectives.map(|o| {
        let name = if o.operation.is_empty() { &o.id } else { &o.operation };
        (format!("{name} {}", o.metric), o.evidence.clone())
    });
    features.chain(objectives).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn what_was_not_verified_is_named_with_its_reason_and_never_counted_as_passed() {
        let record = testing::record();
        let answer = answer(&record);
        let unseen: Vec<_> =
            record.features.iter().filter(|f| f.verdict == Verdict::NotVerified).collect();
        assert!(!unseen.is_empty());
        for (feature, told) in unseen.iter().zip(&answer.not_verified) {
            assert_eq!((&feature.feature, &feature.answered), (&told.0, &told.1));
        }
        let passed = record.features.iter().filter(|f| f.verdict == Verdict::Pass).count();
        assert!(
            answer.measured.contains(&format!("features: {passed} PASS")),
            "{:?}",
            answer.measured
        );
    }
}
