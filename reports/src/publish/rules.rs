//! What a run must be to be published as a measurement. All rules are here, and each violation is told.

use crate::load;
use crate::record::{Fidelity, RunRecord, RunState, SCHEMA_VERSION, Verdict};
use crate::summary::measured_s;
use crate::units;

/// Shortest measured part, in seconds.
///
/// A p99 is claimed from 459 samples that do not depend on each other. What delays one operation delays those of its
/// second, so at worst seconds are the samples: 459 of them, rounded up to ten minutes. Batch means take up to 32
/// batches of 12 seconds, which fit too.
pub const SHORTEST_S: f64 = 600.0;
/// Fewest runs of equal conditions and versions: with fewer, nobody sees how much runs differ.
pub const REPEATS: usize = 3;

/// Why a run cannot be published as a measurement; empty where it can. `repeats` is how many complete runs of
/// its conditions and versions are published together, itself included.
#[must_use]
pub fn violations(record: &RunRecord, repeats: usize) -> Vec<String> {
    let mut all = Vec::new();
    match record.state {
        RunState::Complete => {}
        RunState::Interrupted => all.push("it was interrupted".to_owned()),
        RunState::Aborted => all.push("it was aborted: a component died".to_owned()),
    }
    if !matches!(record.verdict, Verdict::Pass | Verdict::Fail) {
        all.push(format!("it is {}: neither a pass nor a fail was shown", record.verdict));
    }
    let factor = load::factor_of(record);
    if !factor.is_finite() || load::is_scaled(factor) {
        all.push(format!("its load was {} of the daily volume", load::times(factor)));
    }
    // Every mark says in what a run is not the whole thing: scaled, a subset, a debug build …
    let told = |mark: &&String| {
        let scaled_load = mark.starts_with("scaled load");
        let fake = [Fidelity::Fake, Fidelity::Compatible].map(Fidelity::label);
        let stand_in = fake.iter().any(|word| mark.starts_with(&format!("{word} ")));
        let ended = matches!(mark.as_str(), "interrupted" | "aborted");
        !scaled_load && !stand_in && !ended
    };
    all.extend(record.marks.iter().filter(told).map(|mark| format!("it is marked {mark:?}")));
    let unreal = record.implementations.iter().filter(|i| i.fidelity != Fidelity::Real);
    all.extend(unreal.map(|i| format!("{} was {} ({})", i.component, i.fidelity, i.name)));
    if record.implementations.is_empty() {
        all.push("nothing real answered".to_owned());
    }
    let measured = measured_s(record, &[]);
    if measured < SHORTEST_S {
        let (measured, wanted) = (units::seconds(measured), units::seconds(SHORTEST_S));
        all.push(format!("it measured {measured}, less than {wanted}"));
    }
    let short = |o: &&crate::record::ObjectiveResult| o.required && o.samples < o.samples_needed;
    all.extend(record.objectives.iter().filter(short).map(|o| {
        let (samples, needed) = (units::count(o.samples), units::count(o.samples_needed));
        format!("objective {} stands on {samples} samples of {needed} needed", o.id)
    }));
    if repeats < REPEATS {
        all.push(format!(
            "{repeats} of {REPEATS} runs of equal conditions and versions are published with it"
        ));
    }
    if newer_minor(&record.schema_version) {
        all.push(format!(
            "its schema {} is newer than {SCHEMA_VERSION}, so not all of it was understood",
            record.schema_version
        ));
    }
    all
}

fn newer_minor(found: &str) -> bool {
    let parts = |v: &str| -> Option<(u32, u32)> {
        let (major, minor) = v.split_once('.')?;
        Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
    };
    parts(found).is_none_or(|found| parts(SCHEMA_VERSION).is_some_and(|known| found > known))
}

/// The first `most` of these, and how many more there are: a record decides how many.
pub(crate) fn some(all: &[String], most: usize) -> Vec<String> {
    let mut some: Vec<String> = all.iter().take(most).cloned().collect();
    if all.len() > most {
        some.push(format!("{} more", all.len() - most));
    }
    some
}

/// The violations in one line, as they stand on a page.
#[must_use]
pub(crate) fn mark(violations: &[String]) -> String {
    const MOST: usize = 12;
    format!("NOT PUBLISHABLE: {}", some(violations, MOST).join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn good() -> RunRecord {
        let mut record = testing::record();
        record.implementations.iter_mut().for_each(|i| i.fidelity = Fidelity::Real);
        record.marks.clear();
        record.config.duration_s = 600.0;
        // How long was measured is read from the end of the load, also of a run that did not end in order.
        record.events.retain(|event| event.kind == "load_end");
        record.events[0].t_s = record.config.warmup_s + 600.0;
        record
    }

    #[test]
    fn a_complete_full_real_long_valid_and_repeated_run_is_publishable() {
        assert_eq!(violations(&good(), 3), Vec::<String>::new());
        let failed = RunRecord { verdict: Verdict::Fail, ..good() };
        assert_eq!(violations(&failed, 3), Vec::<String>::new(), "a fail is a result too");
    }

    #[test]
    fn each_rule_alone_keeps_a_run_back_and_says_why() {
        type Edit = fn(&mut RunRecord);
        let edits: [(Edit, &str); 11] = [
            (|r| r.state = RunState::Interrupted, "interrupted"),
            (|r| r.verdict = Verdict::Inconclusive, "INCONCLUSIVE"),
            (|r| r.verdict = Verdict::Invalid, "INVALID"),
            (|r| r.config.scale = 0.2, "×0.2"),
            (|r| r.config.scale = f64::NAN, "of the daily volume"),
            (|r| r.marks.push("scaled host: 2 of 16 vCPU".into()), "2 of 16 vCPU"),
            (|r| r.implementations[4].fidelity = Fidelity::Fake, "s3 was fake"),
            (|r| r.implementations.clear(), "nothing real"),
            (|r| r.config.duration_s = 599.0, "less than 10 min"),
            (|r| r.objectives[0].samples = 458, "458 samples of 459"),
            (|r| r.schema_version = "1.99".into(), "newer than"),
        ];
        for (edit, said) in edits {
            let mut record = good();
            edit(&mut record);
            let got = violations(&record, 3);
            assert!(got.len() == 1 && got[0].contains(said), "{said}: {got:?}");
        }
        assert!(violations(&good(), 2)[0].contains("2 of 3 runs"));
    }
}
