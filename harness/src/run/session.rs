//! One run from start to end.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use odg_profiles::{Component, Presence, Profile};
use odg_reports::record::{
    GeneratorSummary, JournalLine, LedgerSummary, Repeat, RunRecord, RunState, SCHEMA_VERSION,
    TimelineEvent, Verdict, Warning,
};
use odg_reports::{RunWriter, render_all};
use odg_workloads::day::{self, Day, DayOptions, Running, operations};
use odg_workloads::governance;
use odg_workloads::null::ceiling_events_per_s;
use odg_workloads::payload::Pool;
use odg_workloads::recorder::Recorder;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::assemble::{self, Measured};
use super::interrupts::Interrupts;
use super::label;
use super::monitor::Monitor;
use super::platform;
use super::progress::{Progress, Style};
use super::request::RunPlan;
use crate::exit::{self, Failure};
use crate::host;
use crate::probes::{Asking, platform::services, probe_all};
use crate::provider::{Death, Machine, Plan, Provider, Stack, StartOptions, disk};

/// How long the generator's ceiling is measured before each run.
const CEILING_TIME: Duration = Duration::from_millis(500);
/// Pause between two looks at the clock.
const LOOK: Duration = Duration::from_millis(20);
/// Draining after a component has died or Ctrl-C was pressed.
const SHORT_DRAIN: Duration = Duration::from_secs(5);
/// Time for probes before the load, for store checks and for clean-up after it.
const AROUND_THE_LOAD: Duration = Duration::from_secs(900);
/// Bytes on disk per offered byte: the bus's log, the bronze object, silver Parquet, the database and its
/// log, with a quarter for what is not known.
const DISK_FACTOR: f64 = 4.0;
/// Bytes on disk of a stack without load: PostgreSQL's own files and log, Kafka's index files.
const DISK_BASE: u64 = 1 << 30;

/// Options of a run that do not shape the load.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Directory under which the run directory is made.
    pub runs_dir: PathBuf,
    /// Time for events to arrive after the load has ended.
    pub drain: Duration,
    /// How progress is shown.
    pub style: Style,
    /// The command line that repeats the run.
    pub command: Vec<String>,
}

/// What a run leaves.
#[derive(Debug)]
pub struct RunResult {
    /// The record, as in `run.json`.
    pub record: RunRecord,
    /// The run directory.
    pub dir: PathBuf,
}

/// Components that `profile` promises. A provider says of each whether it can start it.
pub fn wanted(profile: &Profile) -> Vec<Component> {
    Component::ALL.into_iter().filter(|c| profile.presence(*c) == Presence::Present).collect()
}

/// The marks of a run that are known before it starts: the plan's, and by how much less than the profile promises
/// the servers' machine has.
pub fn marks(plan: &RunPlan, chosen: &Plan) -> Vec<String> {
    let less = chosen.machine.and_then(|machine| {
        host::scaled_mark(machine.cores, machine.memory_bytes, &plan.profile.resources)
    });
    let unsure =
        if chosen.machine_is_presumed { ", if the servers run on this machine" } else { "" };
    let less = less.map(|mark| mark + unsure);
    plan.marks.iter().cloned().chain(less).collect()
}

/// Bytes that a run will need on the disk of the servers' data.
pub fn disk_needed(plan: &RunPlan) -> u64 {
    let payload = plan.offered.bytes_per_s * plan.load.length.as_secs_f64();
    DISK_BASE + (payload * DISK_FACTOR) as u64
}

/// Runs the plan, on its own.
///
/// # Errors
/// See [`run_among`].
pub async fn run(
    plan: &RunPlan,
    provider: &dyn Provider,
    options: &RunOptions,
) -> Result<RunResult, Failure> {
    run_among(plan, provider, options, &Interrupts::listen(), None).await
}

/// Runs the plan as one of several: a signal before it began ends it too, and its record says where it stands
/// among the others.
///
/// # Errors
/// Where the stack cannot be brought up (nothing is left behind then), the disk is too small, or the
/// record cannot be written. Once load has begun, trouble ends in a record with a verdict instead.
pub async fn run_among(
    plan: &RunPlan,
    provider: &dyn Provider,
    options: &RunOptions,
    interrupts: &Interrupts,
    repeat: Option<Repeat>,
) -> Result<RunResult, Failure> {
    let chosen = provider.plan(&wanted(&plan.profile)).await?;
    if let Some(parent) = provider.data_dir_parent() {
        disk::require(&parent, disk_needed(plan), provider.if_disk_is_full())?;
    }
    writable(&options.runs_dir)?;
    let started_at = OffsetDateTime::now_utc();
    let id = label::run_id(started_at, &plan.profile.name);
    let short = id.rsplit('-').next().unwrap_or_default().to_owned();
    let dir = options.runs_dir.join(&id);
    let length_s = plan.load.length.as_secs_f64();
    let mut progress = Progress::new(options.style, plan.warmup.as_secs_f64(), length_s);

    progress.step("measuring the generator against the null target");
    let seed = plan.load.seed;
    let ceiling = move || ceiling_events_per_s(Pool::day(seed), CEILING_TIME, seed);
    let ceiling = tokio::task::spawn_blocking(ceiling)
        .await
        .map_err(|e| Failure::stack(format!("measuring the generator: {e}")))?;

    let names: Vec<&str> = chosen.choices.iter().map(|c| c.name.as_str()).collect();
    let verb = if provider.outlives_run() { "connecting to" } else { "starting" };
    progress.step(&format!("{verb} {}", names.join(", ")));
    let mut start = StartOptions::new(short.clone());
    start.log_dir = Some(dir.join("logs"));
    let started = tokio::select! {
        stack = provider.start(&chosen, start) => stack,
        () = interrupts.first() => return Err(Failure::interrupted("while the stack was starting")),
    };
    // Everything in a stack that stays is marked with the run's id and with the time by which the run is over.
    let stays = provider.outlives_run();
    let label =
        if stays { label::until(&short, planned_end(plan, options)) } else { short.clone() };
    let mut stack = started.map_err(|error| {
        let mut failure = Failure::from(error);
        let logs = dir.join("logs");
        if logs.is_dir() {
            failure.message.push_str(&format!("; logs are in {}", logs.display()));
        }
        failure
    })?;
    progress.step(&format!("stack ready in {:.1} s", stack.ready_ms as f64 / 1e3));

    let marks = marks(plan, &chosen);
    let mut record = empty_record(plan, provider, options, &stack, id, started_at, marks);
    record.repeat = repeat;
    let machine = chosen.machine;
    let parts =
        Parts { plan, options, label: &label, dir: &dir, ceiling, interrupts, stays, machine };
    // A panic must not leave anything in a stack that stays.
    let loading = AssertUnwindSafe(load(&parts, &mut stack, &mut record, &mut progress));
    let loaded = loading.catch_unwind().await;
    progress.finish();
    if stays && !plan.read_only {
        progress.step("removing what the run created");
        let mut left = day::sweep(&stack.endpoints, &label).await;
        left.extend(governance::sweep(&stack.endpoints.platform, &label).await);
        for problem in left {
            eprintln!("odg-bench: left behind: {problem}");
            record.warnings.push(Warning {
                code: "leftovers".into(),
                text: problem.to_string(),
                action: format!(
                    "remove what is named odgbench-{label}… and odgbench_{label}…, or run \
                     `odg-bench clean --endpoints FILE`"
                ),
            });
        }
    }
    let mut loaded = loaded.unwrap_or_else(|panic| resume_unwind(panic));
    if let (Err(failure), Some(death)) = (&mut loaded, stack.died()) {
        // Whatever failed, a server that ended by itself is why.
        failure.message = format!("{}; {}", death_reason(&death), failure.message);
        failure.log_tail = death.last_log_lines;
    }
    progress.step("stopping the stack");
    for problem in stack.stop().await {
        eprintln!("odg-bench: while stopping the stack: {problem}");
        record.warnings.push(Warning {
            code: "not-stopped-cleanly".into(),
            text: problem,
            action: "run `odg-bench clean`".into(),
        });
    }
    loaded?.finish(&record).map_err(Failure::record)?;
    progress.step("writing the report");
    if let Err(error) = render_all(&dir) {
        // The record is whole and the verdict stands.
        eprintln!("odg-bench: cannot write the report: {error}; try `odg-bench report` later");
    }
    Ok(RunResult { record, dir })
}

/// When the run will have ended, its clean-up included, unless something keeps it.
fn planned_end(plan: &RunPlan, options: &RunOptions) -> OffsetDateTime {
    OffsetDateTime::now_utc() + plan.load.length + options.drain + AROUND_THE_LOAD
}

/// Makes the directory for run directories before anything is started.
fn writable(runs_dir: &Path) -> Result<(), Failure> {
    let probe = runs_dir.join(format!(".odg-bench-{}", std::process::id()));
    let tried = std::fs::create_dir_all(runs_dir)
        .and_then(|()| std::fs::create_dir(&probe))
        .and_then(|()| std::fs::remove_dir(&probe));
    tried.map_err(|e| {
        Failure::usage(format!(
            "cannot write to {}: {e}; name another directory with --runs-dir",
            runs_dir.display()
        ))
    })
}

/// What a loaded run needs to know.
struct Parts<'a> {
    plan: &'a RunPlan,
    options: &'a RunOptions,
    /// The run's id, and what everything that it creates is named after.
    label: &'a str,
    dir: &'a Path,
    ceiling: f64,
    interrupts: &'a Interrupts,
    /// Whether the stack is somebody else's, and stays.
    stays: bool,
    /// What the servers share, where that is known.
    machine: Option<Machine>,
}

/// Probes the stack, offers the load, and completes the record; the writer comes back to finish it.
async fn load(
    parts: &Parts<'_>,
    stack: &mut Stack,
    record: &mut RunRecord,
    progress: &mut Progress,
) -> Result<RunWriter, Failure> {
    let mut writer = RunWriter::create(parts.dir).map_err(Failure::record)?;
    let start = JournalLine::Start { record: Box::new(record.clone()) };
    writer.journal(&start).map_err(Failure::record)?;
    let running = tokio::select! {
        prepared = prepare(parts, stack, record, &mut writer, progress) => prepared?,
        () = parts.interrupts.first() => return Err(Failure::interrupted("before the load began")),
    };
    measure(parts, stack, record, writer, progress, running).await
}

/// The load, started.
struct Loading {
    day: Running,
    /// The platform's own services, where they are there.
    services: Option<platform::UnderWay>,
    recorder: Arc<Recorder>,
}

/// Probes the stack, creates what the run needs, and starts the load.
async fn prepare(
    parts: &Parts<'_>,
    stack: &Stack,
    record: &mut RunRecord,
    writer: &mut RunWriter,
    progress: &Progress,
) -> Result<Loading, Failure> {
    let plan = parts.plan;
    progress.step("probing every component");
    let asking = Asking {
        run: parts.label,
        attached: parts.stays,
        strict: plan.strict,
        read_only: plan.read_only,
    };
    record.features =
        probe_all(&plan.profile, &stack.endpoints, &stack.implementations, &asking).await;
    let own = &stack.endpoints.platform;
    let rows = services(&plan.profile, own, &stack.implementations, parts.label).await;
    record.features.extend(rows);
    for finding in &record.features {
        writer.journal(&JournalLine::Finding(finding.clone())).map_err(Failure::record)?;
    }
    progress.step("creating topics, buckets, tables and seed data");
    let day_options = DayOptions {
        run: parts.label.to_owned(),
        load: plan.load,
        warmup: plan.warmup,
        partitions: plan.partitions,
        replication: plan.replication,
        kafka: plan.kafka,
        beside: platform::beside(own, plan),
    };
    let day = Day::prepare(&stack.endpoints, day_options).await.map_err(Failure::stack)?;
    let recorder = day.recorder();
    let services =
        platform::Prepared::new(stack, plan, parts.label).await.map_err(Failure::stack)?;
    let day = match day.start().await {
        Ok(day) => day,
        Err(error) => {
            if let Some(services) = services {
                services.abandon().await;
            }
            return Err(Failure::stack(error));
        }
    };
    let started = services.map(|services| services.start(&recorder, day.clock())).transpose();
    let services = started.map_err(Failure::stack)?;
    if services.is_some() {
        record.marks.push(format!("governance load of {} decisions/s", plan.decisions_per_s));
    }
    Ok(Loading { day, services, recorder })
}

/// Watches the load to its end, drains, and completes the record.
async fn measure(
    parts: &Parts<'_>,
    stack: &mut Stack,
    record: &mut RunRecord,
    mut writer: RunWriter,
    progress: &mut Progress,
    loading: Loading,
) -> Result<RunWriter, Failure> {
    let plan = parts.plan;
    let Loading { day: running, services, recorder } = loading;
    let recorder = &recorder;
    let clock = running.clock();
    let objectives = plan.profile.objectives.iter();
    let operations = objectives.map(|o| recorder.find(&o.operation)).collect();
    let planned_s = record.config.warmup_s + record.config.duration_s;
    let mut monitor = Monitor::new(clock, Arc::clone(recorder), operations, planned_s);
    progress.start();
    let mut timeline = Timeline { writer: &mut writer, events: Vec::new() };
    let (mut state, mut death) =
        watch(parts, stack, &running, &mut monitor, &mut timeline, progress).await?;
    let ended_after_s = clock.now_ns() as f64 / 1e9;
    timeline.mark(ended_after_s, "load_end", "load ends, draining")?;
    let Timeline { events, .. } = timeline;

    let drain = if state == RunState::Complete { parts.options.drain } else { SHORT_DRAIN };
    progress.finish();
    progress.step(&format!("draining, for at most {} s", drain.as_secs()));
    let mut written = Ok(());
    let mut outcome = running
        .finish(drain, || {
            if monitor.is_due() && written.is_ok() {
                written = monitor.tick(&mut writer, stack);
                death = death.take().or_else(|| stack.died());
            }
            if death.is_some() {
                state = RunState::Aborted;
            }
            match parts.interrupts.count() {
                0 if state == RunState::Complete => None,
                0 | 1 => {
                    if state == RunState::Complete {
                        state = RunState::Interrupted;
                    }
                    Some(SHORT_DRAIN)
                }
                _ => Some(Duration::ZERO),
            }
        })
        .await;
    written.map_err(Failure::record)?;
    if let Some(services) = services {
        progress.step("asking the platform what became of its decisions");
        let patience = if state == RunState::Complete { drain } else { SHORT_DRAIN };
        let mut left =
            services.finish(stack, parts.label, patience, parts.interrupts.first()).await;
        left.add_to(&mut outcome);
        for finding in &left.findings {
            writer.journal(&JournalLine::Finding(finding.clone())).map_err(Failure::record)?;
        }
        record.features.append(&mut left.findings);
    }
    monitor.tick(&mut writer, stack).map_err(Failure::record)?;
    record.finished_at = OffsetDateTime::now_utc().format(&Rfc3339).ok();
    let measured = Measured {
        plan,
        monitor,
        recorder,
        outcome,
        ceiling_events_per_s: parts.ceiling,
        machine: parts.machine,
        state,
        ended_after_s,
        events,
    };
    assemble::complete(record, measured);
    if let Some(death) = death {
        record.reasons.insert(0, death_reason(&death));
    }
    Ok(writer)
}

/// Marked moments, journalled as they happen.
struct Timeline<'a> {
    writer: &'a mut RunWriter,
    events: Vec<TimelineEvent>,
}

impl Timeline<'_> {
    fn mark(&mut self, t_s: f64, kind: &str, text: &str) -> Result<(), Failure> {
        let event = TimelineEvent { t_s, kind: kind.into(), text: text.into() };
        self.writer.journal(&JournalLine::Event(event.clone())).map_err(Failure::record)?;
        self.events.push(event);
        Ok(())
    }
}

/// Watches the load until its schedule ends, a component dies, or somebody interrupts.
async fn watch(
    parts: &Parts<'_>,
    stack: &mut Stack,
    running: &Running,
    monitor: &mut Monitor,
    timeline: &mut Timeline<'_>,
    progress: &mut Progress,
) -> Result<(RunState, Option<Death>), Failure> {
    let clock = running.clock();
    let end_ns = parts.plan.load.length.as_nanos() as u64;
    let warmup_s = parts.plan.warmup.as_secs_f64();
    let mut warm = false;
    loop {
        tokio::time::sleep(LOOK).await;
        let now_s = clock.now_ns() as f64 / 1e9;
        if !warm && now_s >= warmup_s {
            warm = true;
            timeline.mark(warmup_s, "warmup_end", "warm-up ends, measuring")?;
        }
        if monitor.is_due() {
            monitor.tick(timeline.writer, stack).map_err(Failure::record)?;
            let p99 = monitor.p99_ns(operations::PUBLISH);
            progress.tick(&monitor.latest, running.progress(), p99);
            if let Some(death) = stack.died() {
                timeline.mark(now_s, "component_died", &death_reason(&death))?;
                return Ok((RunState::Aborted, Some(death)));
            }
        }
        if parts.interrupts.count() > 0 {
            timeline.mark(now_s, "interrupted", "interrupted by a signal")?;
            return Ok((RunState::Interrupted, None));
        }
        if running.schedule_ended() && clock.now_ns() >= end_ns {
            return Ok((RunState::Complete, None));
        }
    }
}

fn death_reason(death: &Death) -> String {
    let mut text = format!("{} ended by itself: {}", death.component.name(), death.status);
    if !death.last_log_lines.is_empty() {
        text.push_str("; its last log lines: ");
        text.push_str(&death.last_log_lines.join(" | "));
    }
    text
}

/// The record before anything was measured.
fn empty_record(
    plan: &RunPlan,
    provider: &dyn Provider,
    options: &RunOptions,
    stack: &Stack,
    run_id: String,
    started_at: OffsetDateTime,
    marks: Vec<String>,
) -> RunRecord {
    RunRecord {
        schema_version: SCHEMA_VERSION.into(),
        tool_version: env!("CARGO_PKG_VERSION").into(),
        run_id,
        started_at: started_at.format(&Rfc3339).unwrap_or_default(),
        finished_at: None,
        repeat: None,
        state: RunState::Interrupted,
        command: options.command.clone(),
        profile: plan.profile.name.clone(),
        provider: provider.name().into(),
        config: plan.config.clone(),
        implementations: stack.implementations.clone(),
        host: host::describe(),
        stack_ready_ms: stack.ready_ms,
        marks,
        operations: Vec::new(),
        ledger: LedgerSummary::default(),
        generator: GeneratorSummary::default(),
        resources: Vec::new(),
        objectives: Vec::new(),
        features: Vec::new(),
        verdict: Verdict::Inconclusive,
        reasons: Vec::new(),
        exit_code: exit::UNCERTAIN,
        warnings: [plan.warnings.as_slice(), &stack.warnings].concat(),
        events: Vec::new(),
    }
}
