//! From recordings to the run record: figures, judgement, marks and warnings.

use odg_profiles::units::format_bytes;
use odg_reports::judge::{self, Evidence, judge_objective};
use odg_reports::record::{
    Fidelity, GeneratorSummary, LatencySummary, ObjectiveResult, OperationSummary, RunRecord,
    RunState, TimelineEvent, Verdict, Warning,
};
use odg_reports::stats::batch_means;
use odg_reports::summary::{latency_summary, resource_summary};
use odg_workloads::day::DayOutcome;
use odg_workloads::littles_law;
use odg_workloads::recorder::{Recorder, Tally};

use super::monitor::Monitor;
use super::request::RunPlan;
use crate::host::GENERATOR;

/// Operations that the schedule or the pipeline began and that had not ended when draining did.
const UNFINISHED: &str = "unfinished";
/// Share of all cores that servers and generator may use together before the reader is warned.
const BUSY: f64 = 0.9;

/// What was measured, ready to be judged.
pub struct Measured<'a> {
    /// What was asked.
    pub plan: &'a RunPlan,
    /// Recordings.
    pub monitor: Monitor,
    /// Operations.
    pub recorder: &'a Recorder,
    /// The workload's own account.
    pub outcome: DayOutcome,
    /// Events per second of the generator against the null target.
    pub ceiling_events_per_s: f64,
    /// How it ended.
    pub state: RunState,
    /// When it ended, in seconds since the epoch.
    pub ended_after_s: f64,
    /// Moments to mark.
    pub events: Vec<TimelineEvent>,
}

fn warn(record: &mut RunRecord, code: &str, text: String, action: &str) {
    record.warnings.push(Warning { code: code.into(), text, action: action.into() });
}

/// Fills the record with figures and judges it.
pub fn complete(record: &mut RunRecord, measured: Measured<'_>) {
    let Measured { plan, mut monitor, recorder, outcome, ceiling_events_per_s, .. } = measured;
    let (from_ns, to_ns) = recorder.measured_ns();
    record.state = measured.state;
    for total in &mut monitor.totals {
        let ended = total.completed + total.error_count();
        if let Some(unfinished) = total.offered.checked_sub(ended).filter(|n| *n > 0) {
            *total.errors.entry(UNFINISHED).or_default() += unfinished;
        }
    }
    let window_ns = to_ns.min((measured.ended_after_s * 1e9) as u64).saturating_sub(from_ns);
    record.operations = recorder
        .operations()
        .map(|(id, operation)| {
            let total = &monitor.totals[id.index()];
            let [response, service] = &monitor.means[id.index()];
            let sampled = outcome.in_flight.means.get(id.index()).copied().unwrap_or(0.0);
            let unfinished = total.errors.get(UNFINISHED).copied().unwrap_or(0);
            OperationSummary {
                name: operation.name.into(),
                component: operation.component.into(),
                description: operation.description.into(),
                offered: total.offered,
                completed: total.completed,
                errors: total.errors.iter().map(|(k, n)| ((*k).to_owned(), *n)).collect(),
                retries: total.retries,
                bytes: total.bytes,
                response: with_ci(
                    latency_summary(&total.response, total.out_of_range[0]),
                    response,
                ),
                service: with_ci(latency_summary(&total.service, total.out_of_range[1]), service),
                littles_law: Some(littles_law::check(
                    sampled,
                    outcome.in_flight.samples,
                    total.overlap_ns,
                    window_ns,
                    unfinished,
                )),
            }
        })
        .collect();
    record.resources =
        resource_summary(&monitor.resources, from_ns as f64 / 1e9, to_ns as f64 / 1e9);
    record.generator = generator(plan, &monitor, &outcome, ceiling_events_per_s, record);
    record.ledger = outcome.ledger.clone();
    record.objectives = objectives(plan, recorder, &monitor.totals);
    record.events = measured.events;
    marks_and_warnings(record, &outcome);
    let faults = judge::generator_faults(&record.generator, &record.operations);
    let judged = judge::overall(&Evidence {
        state: record.state,
        ended_after_s: measured.ended_after_s,
        objectives: &record.objectives,
        features: &record.features,
        ledger: Some(&record.ledger),
        faults: &faults,
    });
    record.verdict = judged.verdict;
    record.reasons = judged.reasons;
    record.exit_code = judged.exit_code;
}

fn with_ci(summary: LatencySummary, interval_means: &[f64]) -> LatencySummary {
    let ci = batch_means(interval_means).map(|ci| ci.half_width95);
    LatencySummary { mean_ci95_ns: ci, ..summary }
}

fn generator(
    plan: &RunPlan,
    monitor: &Monitor,
    outcome: &DayOutcome,
    ceiling: f64,
    record: &RunRecord,
) -> GeneratorSummary {
    let pacing = &outcome.pacing;
    let own = record.resources.iter().find(|r| r.component == GENERATOR);
    GeneratorSummary {
        lag: latency_summary(&pacing.lag, pacing.lag_out_of_range),
        scheduled: pacing.dispatched,
        dispatched: pacing.dispatched - outcome.dropped.min(pacing.dispatched),
        dropped: outcome.dropped,
        held: if pacing.measured > 0 { pacing.held as f64 / pacing.measured as f64 } else { 0.0 },
        ceiling_events_per_s: ceiling,
        utilisation: plan.offered.operations_per_s() / ceiling.max(1.0),
        cpu_cores: own.map_or(0.0, |r| r.cpu_cores_mean),
        peak_rss_bytes: own.map_or(0, |r| r.rss_max_bytes),
        realtime_pacing: pacing.realtime,
        peak_backlog: monitor.peak_backlog,
    }
}

fn objectives(plan: &RunPlan, recorder: &Recorder, totals: &[Tally]) -> Vec<ObjectiveResult> {
    let nothing = Tally::default();
    let mut results: Vec<ObjectiveResult> = plan
        .profile
        .objectives
        .iter()
        .map(|objective| {
            let total =
                recorder.find(&objective.operation).map_or(&nothing, |id| &totals[id.index()]);
            let asked = judge::Objective {
                id: &objective.id,
                operation: &objective.operation,
                percentile: objective.percentile / 100.0,
                threshold_ns: objective.threshold_ns,
                origin: objective.origin.label(),
                source: &objective.source,
                required: objective.required,
            };
            judge_objective(&asked, &total.response, total.error_count(), total.out_of_range[0])
        })
        .collect();
    if let Some(uptime) = &plan.profile.uptime {
        results.push(ObjectiveResult {
            id: uptime.id.clone(),
            operation: String::new(),
            metric: "uptime".into(),
            threshold: format!("≥ {} %", uptime.percent),
            measured: String::new(),
            ratio: None,
            upper99: None,
            samples: 0,
            samples_needed: 0,
            origin: uptime.origin.label().into(),
            source: uptime.source.clone(),
            required: false,
            verdict: Verdict::NotVerified,
            evidence: "one run cannot show it; a month of probes can".into(),
        });
    }
    results
}

fn marks_and_warnings(record: &mut RunRecord, outcome: &DayOutcome) {
    for implementation in record.implementations.clone() {
        if implementation.fidelity == Fidelity::Real {
            continue;
        }
        record.marks.push(format!("{} {}", implementation.fidelity, implementation.component));
        warn(
            record,
            "not-the-real-component",
            format!(
                "{} was a {} implementation ({}){}",
                implementation.component,
                implementation.fidelity,
                implementation.name,
                implementation.note.map(|n| format!(": {n}")).unwrap_or_default()
            ),
            "do not publish its figures as the component's; `odg-bench doctor` says how to get the real one",
        );
    }
    match record.state {
        RunState::Complete => {}
        RunState::Interrupted => record.marks.push("interrupted".into()),
        RunState::Aborted => record.marks.push("aborted".into()),
    }
    if !outcome.pacing.realtime {
        warn(
            record,
            "no-realtime-pacing",
            "the pacing thread was not given a real-time class; a busy machine delays it".into(),
            "run as root, or grant CAP_SYS_NICE to odg-bench",
        );
    }
    if !outcome.drained {
        warn(
            record,
            "not-drained",
            "events were still on their way when draining ended; the ledger counts them as lost"
                .into(),
            "lower the load, or raise --drain",
        );
    }
    if outcome.consumer_errors > 0 {
        warn(
            record,
            "consumer-errors",
            format!("the consumer got {} errors from the bus", outcome.consumer_errors),
            "look into logs/ of the bus",
        );
    }
    for error in &outcome.leftovers {
        warn(record, "leftovers", error.to_string(), "remove what carries the run's name by hand");
    }
    let cores = f64::from(record.host.cores.max(1));
    let used: f64 = record.resources.iter().map(|r| r.cpu_cores_mean).sum();
    if used > BUSY * cores {
        warn(
            record,
            "machine-saturated",
            format!(
                "servers and generator used {used:.2} of {cores:.0} cores: latencies include waiting for a core"
            ),
            "use a larger machine, or lower --scale",
        );
    }
    let memory: u64 = record.resources.iter().map(|r| r.rss_max_bytes).sum();
    if memory > record.host.memory_bytes / 10 * 9 {
        warn(
            record,
            "memory-tight",
            format!(
                "processes used {} of {}",
                format_bytes(memory),
                format_bytes(record.host.memory_bytes)
            ),
            "use a machine with more memory",
        );
    }
}
