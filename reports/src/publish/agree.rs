//! Whether the files of a run say the same: an edited figure stands in one place only.

use crate::judge::{CONFIDENCE, Evidence, generator_faults, overall};
use crate::read::Run;
use crate::record::{ObjectiveResult, RunRecord, RunState, Verdict};
use crate::summary::latency_summary;
use crate::{load, plots, stats, words};

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
    // Other versions may judge by other rules.
    if !is_ours(record) {
        return all;
    }
    all.extend(record.objectives.iter().filter_map(|o| unlikely(record, o)));
    let judged = judged_again(record);
    if judged.0 != record.verdict || judged.1 != record.exit_code {
        all.push(format!(
            "its verdict is {} (exit code {}), and its own figures make it {} ({})",
            record.verdict, record.exit_code, judged.0, judged.1
        ));
    }
    all
}

/// Whether this version of odg-bench wrote the record, so that it can be judged again.
pub(crate) fn is_ours(record: &RunRecord) -> bool {
    record.tool_version == env!("CARGO_PKG_VERSION")
}

/// Why an objective cannot have come out as it says. Its threshold's share of slow operations is not in the record, so
/// a verdict between these bounds is taken as it is.
fn unlikely(record: &RunRecord, objective: &ObjectiveResult) -> Option<String> {
    let ObjectiveResult { id, samples, samples_needed: noted, ratio, verdict, .. } = objective;
    let operation = record.operations.iter().find(|o| o.name == objective.operation);
    // What failed or was out of range missed the objective, and is a sample too.
    let ended = operation.map_or(0, |o| {
        let response = &o.response;
        response.count.saturating_add(words::errors(o)).saturating_add(response.out_of_range)
    });
    if *samples != ended {
        return Some(format!("objective {id} has {samples} samples, and its operation {ended}"));
    }
    let least = percentile(&objective.metric).map(|p| stats::samples_needed(p, CONFIDENCE));
    let pass = *verdict == Verdict::Pass;
    match least {
        None if pass => return Some(format!("objective {id} is PASS, and is no percentile")),
        Some(least) if pass && *samples < least => {
            return Some(format!("objective {id} is PASS with {samples} samples of {least}"));
        }
        Some(least) if *samples > 0 && *noted < least => {
            return Some(format!("objective {id} wants {noted} samples, and the law {least}"));
        }
        _ => {}
    }
    match ratio {
        Some(ratio) if pass && (!ratio.is_finite() || *ratio > 1.0) => {
            Some(format!("objective {id} is PASS at {ratio:.3} of its threshold"))
        }
        None if pass => Some(format!("objective {id} is PASS, and nothing was measured")),
        Some(ratio) if *verdict == Verdict::Fail && *ratio < 1.0 => {
            Some(format!("objective {id} is FAIL at {ratio:.3} of its threshold"))
        }
        _ => None,
    }
}

/// 0.99 of `p99 response time`.
fn percentile(metric: &str) -> Option<f64> {
    let number = metric.strip_prefix('p')?.strip_suffix(" response time")?;
    number.parse::<f64>().ok().map(|percent| percent / 100.0)
}

/// Whether two figures can come from the same values: merging histograms of other bounds moves a percentile by up to
/// two buckets of three significant digits.
fn alike(a: u64, b: u64) -> bool {
    a.abs_diff(b) as f64 <= 2e-3 * a.max(b) as f64
}

/// Verdict and exit code from the record's own figures.
fn judged_again(record: &RunRecord) -> (Verdict, u8) {
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
    use crate::testing;

    #[test]
    fn the_files_of_a_run_agree_and_an_edited_figure_does_not() {
        let run = testing::run();
        assert_eq!(contradictions(&run), Vec::<String>::new());
        type Edit = fn(&mut RunRecord);
        let edits: [(Edit, &str); 9] = [
            (|r| r.operations[0].response.p99_ns /= 2, "bus.publish has a p99"),
            (|r| r.operations[1].completed += 1, "s3.put completed"),
            (|r| (r.verdict, r.exit_code) = (Verdict::Fail, 1), "make it PASS"),
            (|r| r.ledger.balanced = false, "make it FAIL"),
            (|r| r.objectives[0].samples += 1, "samples, and its operation"),
            (|r| r.objectives[0].samples_needed = 1, "and the law 459"),
            (|r| r.objectives[0].ratio = Some(1.2), "PASS at 1.200"),
            (|r| r.objectives[0].ratio = None, "nothing was measured"),
            (|r| r.objectives[1].metric = "p99 response time".into(), "samples of 459"),
        ];
        for (edit, said) in edits {
            let mut run = run.clone();
            edit(&mut run.record);
            let got = contradictions(&run);
            assert!(got.len() == 1 && got[0].contains(said), "{said}: {got:?}");
        }
        // Another version may have judged by other rules.
        let mut other = run;
        other.record.tool_version = "0.0.1".into();
        other.record.objectives[0].ratio = Some(1.2);
        assert_eq!(contradictions(&other), Vec::<String>::new());
    }
}
