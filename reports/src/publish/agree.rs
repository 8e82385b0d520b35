//! Whether the files of a run say the same: an edited figure stands in one place only.

use crate::judge::{Evidence, generator_faults, overall};
use crate::read::Run;
use crate::record::{RunRecord, RunState};
use crate::summary::latency_summary;
use crate::{load, plots};

/// What stands before each contradiction in the violations of a run.
pub(super) const CONTRADICTS: &str = "its files contradict each other: ";

/// In what the files of a run contradict each other; empty where they do not. Of a run that did not end in order
/// nothing is expected.
pub(crate) fn contradictions(run: &Run) -> Vec<String> {
    let record = &run.record;
    if record.state != RunState::Complete {
        return Vec::new();
    }
    let mut all = Vec::new();
    for operation in &record.operations {
        let name = &operation.name;
        let rows = run.series.iter().filter(|r| r.measured && r.operation == *name);
        let completed = rows.map(|r| r.completed).fold(0, u64::saturating_add);
        if completed != operation.completed {
            all.push(format!(
                "{name} completed {} in run.json and {completed} in series.csv",
                operation.completed
            ));
        }
        let Some(both) = run.histograms.get(name) else {
            // Of very many operations the reader keeps those that are charted.
            if operation.response.count > 0 && record.operations.len() <= plots::MOST {
                all.push(format!("latency.hlog has nothing of {name}"));
            }
            continue;
        };
        let logged = latency_summary(&both.response, 0);
        if operation.response.count != logged.count {
            all.push(format!(
                "{name} has {} responses in run.json and {} in latency.hlog",
                operation.response.count, logged.count
            ));
        }
        for (what, noted, logged) in [
            ("a p50 in ns", operation.response.p50_ns, logged.p50_ns),
            ("a p99 in ns", operation.response.p99_ns, logged.p99_ns),
        ] {
            if !alike(noted, logged) {
                all.push(format!(
                    "{name} has {what} of {noted} in run.json and {logged} in latency.hlog"
                ));
            }
        }
    }
    let judged = judged_again(record);
    if judged.0 != record.verdict || judged.1 != record.exit_code {
        all.push(format!(
            "its verdict is {} (exit code {}), and its own figures make it {} ({})",
            record.verdict, record.exit_code, judged.0, judged.1
        ));
    }
    all
}

/// Whether two figures can come from the same values: merging histograms of other bounds moves a percentile by up to
/// two buckets of three significant digits.
fn alike(a: u64, b: u64) -> bool {
    a.abs_diff(b) as f64 <= 2e-3 * a.max(b) as f64
}

/// Verdict and exit code from the record's own figures.
fn judged_again(record: &RunRecord) -> (crate::record::Verdict, u8) {
    let mut faults = generator_faults(&record.generator, &record.operations);
    let generator = &record.generator;
    if generator.dispatched.saturating_add(generator.dropped) < generator.scheduled {
        faults.push("not all arrivals were handed over".to_owned());
    }
    let kept = !record.ledger.hops.is_empty() || !record.ledger.checks.is_empty();
    let outcome = overall(&Evidence {
        state: record.state,
        ended_after_s: record.config.warmup_s + record.config.duration_s,
        load_factor: load::factor_of(record),
        operations: &record.operations,
        objectives: &record.objectives,
        features: &record.features,
        ledger: kept.then_some(&record.ledger),
        drained: true,
        faults: &faults,
    });
    (outcome.verdict, outcome.exit_code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Verdict;
    use crate::testing;

    #[test]
    fn the_files_of_a_run_agree_and_an_edited_figure_does_not() {
        let run = testing::run();
        assert_eq!(contradictions(&run), Vec::<String>::new());
        type Edit = fn(&mut RunRecord);
        let edits: [(Edit, &str); 4] = [
            (|r| r.operations[0].response.p99_ns /= 2, "bus.publish has a p99"),
            (|r| r.operations[1].completed += 1, "s3.put completed"),
            (|r| (r.verdict, r.exit_code) = (Verdict::Fail, 1), "make it PASS"),
            (|r| r.ledger.balanced = false, "make it FAIL"),
        ];
        for (edit, said) in edits {
            let mut run = run.clone();
            edit(&mut run.record);
            let got = contradictions(&run);
            assert!(got.len() == 1 && got[0].contains(said), "{said}: {got:?}");
        }
    }
}
