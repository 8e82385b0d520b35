//! From recordings to the run record: figures, judgement, marks and warnings.

use odg_profiles::Objective;
use odg_profiles::units::{format_bytes, format_duration_ns};
use odg_reports::judge::{self, Evidence, UNFINISHED, judge_objective};
use odg_reports::record::{
    Fidelity, GeneratorSummary, LatencySummary, ObjectiveResult, OperationSummary, RunRecord,
    RunState, TimelineEvent, Verdict, Warning,
};
use odg_reports::stats::batch_means;
use odg_reports::summary::{IntervalMean, latency_summary, mean_ci95_ns, resource_summary};
use odg_reports::units::percentile_name;
use odg_workloads::day::DayOutcome;
use odg_workloads::littles_law;
use odg_workloads::recorder::{Recorder, Tally};

use super::monitor::Monitor;
use super::request::RunPlan;
use crate::host::GENERATOR;
use crate::provider::Machine;

/// Relative change of a mean between the halves of a run that a reader is warned of.
const MOVED: f64 = 0.25;
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
    /// What the servers share; this machine where that is not known.
    pub machine: Option<Machine>,
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
    let unfinished =
        |tally: &Tally| tally.offered.saturating_sub(tally.completed + tally.error_count());
    // Of both parts: an operation of the warm-up that never ended stays in flight in the measured part.
    let never_ended: Vec<u64> = monitor
        .totals
        .iter()
        .zip(&monitor.outside)
        .map(|(total, outside)| unfinished(total) + unfinished(outside))
        .collect();
    for total in &mut monitor.totals {
        let unfinished = unfinished(total);
        if unfinished > 0 {
            *total.errors.entry(UNFINISHED).or_default() += unfinished;
        }
    }
    record.operations = recorder
        .operations()
        .map(|(id, operation)| {
            let total = &monitor.totals[id.index()];
            let [response, service] = &monitor.means[id.index()];
            let load_end_s = measured.ended_after_s;
            let sampled = outcome.in_flight.means.get(id.index()).copied().unwrap_or(0.0);
            let overlap_ns = total.overlap_ns + monitor.outside[id.index()].overlap_ns;
            // Sampling covers the whole measured part, so that only a complete run can be compared.
            let littles_law = (measured.state == RunState::Complete).then(|| {
                let samples = outcome.in_flight.samples;
                let unfinished = never_ended[id.index()];
                littles_law::check(sampled, samples, overlap_ns, to_ns - from_ns, unfinished)
            });
            OperationSummary {
                name: operation.name.into(),
                component: operation.component.into(),
                description: operation.description.into(),
                offered: total.offered,
                completed: total.completed,
                errors: total.errors.iter().map(|(k, n)| ((*k).to_owned(), *n)).collect(),
                retries: total.retries,
                bytes: total.bytes,
                response: LatencySummary {
                    mean_ci95_ns: mean_ci95_ns(response, load_end_s),
                    ..latency_summary(&total.response, total.out_of_range[0])
                },
                service: LatencySummary {
                    mean_ci95_ns: mean_ci95_ns(service, load_end_s),
                    ..latency_summary(&total.service, total.out_of_range[1])
                },
                littles_law,
            }
        })
        .collect();
    record.resources =
        resource_summary(&monitor.resources, from_ns as f64 / 1e9, to_ns as f64 / 1e9);
    record.generator = generator(plan, &monitor, &outcome, ceiling_events_per_s, record);
    record.ledger = outcome.ledger.clone();
    record.objectives = objectives(plan, recorder, &monitor);
    record.events = measured.events;
    marks_and_warnings(record, &outcome);
    let here = Machine { cores: record.host.cores, memory_bytes: record.host.memory_bytes };
    let used = record.resources.iter().map(|r| r.cpu_cores_mean).sum();
    let memory = record.resources.iter().map(|r| r.rss_max_bytes).sum();
    record.warnings.extend(scarcity(used, memory, measured.machine.unwrap_or(here)));
    stationarity(record, &monitor, recorder, measured.ended_after_s);
    let mut faults = judge::generator_faults(&record.generator, &record.operations);
    let generator = &record.generator;
    if record.state == RunState::Complete
        && generator.dispatched + generator.dropped < generator.scheduled
    {
        faults.push(format!(
            "the generator handed over {} of {} scheduled arrivals; this is a bug in odg-bench",
            generator.dispatched, generator.scheduled
        ));
    }
    let judged = judge::overall(&Evidence {
        state: record.state,
        ended_after_s: measured.ended_after_s,
        load_factor: plan.load_factor,
        operations: &record.operations,
        objectives: &record.objectives,
        features: &record.features,
        // A stack that carries no events keeps no account of them.
        ledger: plan.load.carries.last_hop().map(|_| &record.ledger),
        drained: outcome.drained,
        faults: &faults,
    });
    record.verdict = judged.verdict;
    record.reasons = judged.reasons;
    record.exit_code = judged.exit_code;
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
        scheduled: outcome.scheduled,
        dispatched: pacing.dispatched - outcome.dropped.min(pacing.dispatched),
        dropped: outcome.dropped,
        // The worse of the two threads that every event passes before it reaches the bus's client.
        held: share(pacing.held, pacing.measured)
            .min(share(outcome.publishing.held, outcome.publishing.counted)),
        ceiling_events_per_s: ceiling,
        utilisation: plan.offered.events_per_s / ceiling.max(1.0),
        cpu_cores: own.map_or(0.0, |r| r.cpu_cores_mean),
        peak_rss_bytes: monitor.peak_rss_bytes,
        realtime_pacing: pacing.realtime,
        peak_backlog: monitor.peak_backlog,
    }
}

/// A share; everything where there was nothing to keep.
fn share(part: u64, whole: u64) -> f64 {
    if whole > 0 { part as f64 / whole as f64 } else { 1.0 }
}

/// Warns where an operation's mean moved between the halves of the measured part by more than its noise.
fn stationarity(record: &mut RunRecord, monitor: &Monitor, recorder: &Recorder, load_end_s: f64) {
    let moved: Vec<String> = recorder
        .operations()
        .filter_map(|(id, operation)| {
            let within = |m: &&IntervalMean| m.end_s <= load_end_s + 0.5;
            let means = monitor.means[id.index()][0].iter().filter(within);
            let means: Vec<f64> = means.map(|m| m.mean_ns).collect();
            let (first, second) = means.split_at(means.len() / 2);
            let (first, second) = (batch_means(first)?, batch_means(second)?);
            let change = (second.mean - first.mean).abs();
            let noise = first.half_width95.hypot(second.half_width95);
            (change > noise && change > MOVED * first.mean.min(second.mean)).then(|| {
                let (from, to) = (first.mean as u64, second.mean as u64);
                format!(
                    "{} {} → {}",
                    operation.name,
                    format_duration_ns(from),
                    format_duration_ns(to)
                )
            })
        })
        .collect();
    if !moved.is_empty() {
        // Between the halves that were compared, so that charts mark where to look.
        let middle_s = (record.config.warmup_s + load_end_s) / 2.0;
        record.events.push(TimelineEvent {
            t_s: middle_s,
            kind: "not_steady".into(),
            text: format!("mean response times differ before and after: {}", moved.join(", ")),
        });
        record.events.sort_by(|a, b| a.t_s.total_cmp(&b.t_s));
        warn(
            record,
            "not-steady",
            format!(
                "mean response times moved between the halves of the measured part: {}",
                moved.join(", ")
            ),
            "lengthen --warmup or --duration before publishing or comparing",
        );
    }
}

fn objectives(plan: &RunPlan, recorder: &Recorder, monitor: &Monitor) -> Vec<ObjectiveResult> {
    let totals = &monitor.totals;
    let nothing = Tally::default();
    let mut results: Vec<ObjectiveResult> = plan
        .profile
        .objectives
        .iter()
        .zip(&monitor.clusters)
        .map(|(objective, clusters)| {
            let missing = plan.load.carries.missing_for(&objective.operation);
            if !missing.is_empty() {
                return not_offered(plan, objective, &missing);
            }
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
            judge_objective(
                &asked,
                &total.response,
                total.error_count(),
                total.out_of_range[0],
                clusters,
            )
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
            design_effect: None,
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

/// An objective of an operation that this stack does not carry.
fn not_offered(plan: &RunPlan, objective: &Objective, missing: &[&str]) -> ObjectiveResult {
    let strict = plan.strict && objective.required;
    let why = if plan.read_only {
        "read-only: no load was offered".to_owned()
    } else {
        format!("not among the endpoints: {}", missing.join(", "))
    };
    ObjectiveResult {
        id: objective.id.clone(),
        operation: objective.operation.clone(),
        metric: format!("{} response time", percentile_name(objective.percentile / 100.0)),
        threshold: format!("≤ {}", format_duration_ns(objective.threshold_ns)),
        measured: String::new(),
        ratio: None,
        upper99: None,
        design_effect: None,
        samples: 0,
        samples_needed: 0,
        origin: objective.origin.label().into(),
        source: objective.source.clone(),
        required: objective.required,
        verdict: if strict { Verdict::Fail } else { Verdict::NotVerified },
        evidence: if strict { format!("{why}, and --strict wants it") } else { why },
    }
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
    if outcome.connection_failures > 0 {
        warn(
            record,
            "connections-lost",
            format!(
                "connections to the bus or NATS broke or could not be opened {} times",
                outcome.connection_failures
            ),
            "look into logs/ of the bus",
        );
    }
    for error in &outcome.leftovers {
        warn(record, "leftovers", error.to_string(), "remove what carries the run's name by hand");
    }
}

/// What servers and generator used nearly all of: cores, bytes of memory. `machine` is the servers', which an engine
/// may have made smaller than this one.
fn scarcity(used: f64, memory: u64, machine: Machine) -> Vec<Warning> {
    let mut all = Vec::new();
    let cores = f64::from(machine.cores.max(1));
    if used > BUSY * cores {
        all.push(Warning {
            code: "machine-saturated".into(),
            text: format!(
                "servers and generator used {used:.2} of {cores:.0} cores: latencies include waiting for a core"
            ),
            action: "use a larger machine, or lower --scale".into(),
        });
    }
    // 0 is unknown.
    if machine.memory_bytes > 0 && memory > machine.memory_bytes / 10 * 9 {
        all.push(Warning {
            code: "memory-tight".into(),
            text: format!(
                "processes used {} of {}",
                format_bytes(memory),
                format_bytes(machine.memory_bytes)
            ),
            action: "use a machine with more memory".into(),
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scarce_is_what_the_servers_machine_has_too_little_of() {
        let codes = |cores, memory_bytes| -> Vec<String> {
            let machine = Machine { cores, memory_bytes };
            scarcity(2.0, 4 << 30, machine).into_iter().map(|warning| warning.code).collect()
        };
        assert_eq!(codes(8, 64 << 30), Vec::<String>::new());
        assert_eq!(codes(2, 4 << 30), ["machine-saturated", "memory-tight"]);
        assert_eq!(codes(2, 0), ["machine-saturated"], "its memory is unknown");
    }
}
