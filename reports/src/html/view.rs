//! What the page shows, as text ready to be set: every figure has its unit here already.

use serde::Serialize;

use crate::escape;
use crate::plots::Charts;
use crate::read::Run;
use crate::record::{LatencySummary, OperationSummary, RunRecord, Verdict, Warning};
use crate::units::{bytes, bytes_per_s, count, duration_ns, memory, percent, rate, seconds};
use crate::words;

/// Most rows of a table whose length the record decides.
const MOST_ROWS: usize = 200;

/// A verdict: its word and its class in the style sheet.
#[derive(Serialize)]
pub(super) struct Tag {
    label: &'static str,
    class: &'static str,
}

impl From<Verdict> for Tag {
    fn from(verdict: Verdict) -> Self {
        let class = match verdict {
            Verdict::Pass => "pass",
            Verdict::NotVerified => "unseen",
            Verdict::Inconclusive => "open",
            Verdict::Invalid => "invalid",
            Verdict::Fail => "fail",
        };
        Self { label: verdict.label(), class }
    }
}

/// A name, its value, and a small line below.
#[derive(Serialize)]
pub(super) struct Fact {
    name: String,
    value: String,
    note: String,
    marks: Vec<String>,
}

fn fact(name: &str, value: impl Into<String>) -> Fact {
    Fact { name: name.to_owned(), value: value.into(), note: String::new(), marks: Vec::new() }
}

impl Fact {
    fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    fn marks(mut self, marks: &[String]) -> Self {
        self.marks = marks.to_vec();
        self
    }
}

#[derive(Serialize)]
struct Objective {
    name: String,
    metric: String,
    source: String,
    origin: String,
    threshold: String,
    measured: String,
    /// Share of the bar, 0 to 100, as text; empty without a figure.
    bar: String,
    over: bool,
    upper: String,
    samples: String,
    needed: String,
    evidence: String,
    required: bool,
    marks: Vec<String>,
    verdict: Tag,
}

#[derive(Serialize)]
struct Feature {
    name: String,
    promised: String,
    fidelity: String,
    asked: String,
    answered: String,
    took: String,
    required: bool,
    verdict: Tag,
}

#[derive(Serialize)]
struct Hop {
    name: String,
    reached: String,
    /// Lost, duplicated, reordered, corrupted; with whether it is a fault.
    figures: Vec<(String, bool)>,
}

#[derive(Serialize)]
struct Check {
    what: String,
    expected: String,
    found: String,
    ok: bool,
}

#[derive(Serialize)]
struct Operation {
    name: String,
    description: String,
    marks: Vec<String>,
    offered: String,
    completed: String,
    errors: String,
    error_kinds: String,
    per_s: String,
    bytes_per_s: String,
    mean: String,
    mean_ci: String,
    p50: String,
    p99: String,
    p999: String,
    max: String,
    service_p99: String,
    wait: String,
}

#[derive(Serialize)]
struct Resource {
    component: String,
    marks: Vec<String>,
    cpu_mean: String,
    cpu_max: String,
    rss: String,
    written: String,
}

#[derive(Serialize)]
struct Part {
    component: String,
    name: String,
    version: String,
    fidelity: String,
    real: bool,
    endpoint: String,
    ready: String,
    note: String,
}

#[derive(Serialize)]
struct Moment {
    at: String,
    kind: String,
    text: String,
}

/// The page.
#[derive(Serialize)]
pub(super) struct Page {
    title: String,
    run_id: String,
    profile: String,
    provider: String,
    started_at: String,
    verdict: Tag,
    sentence: String,
    marks: Vec<String>,
    reasons: Vec<String>,
    headline: Vec<Fact>,
    warnings: Vec<Warning>,
    notes: Vec<String>,
    objectives: Vec<Objective>,
    features: Vec<Feature>,
    ledger_state: String,
    ledger_class: &'static str,
    rejected: String,
    hops: Vec<Hop>,
    checks: Vec<Check>,
    operations: Vec<Operation>,
    left_out: Vec<String>,
    charts: Charts,
    generator: Vec<Fact>,
    resources: Vec<Resource>,
    parts: Vec<Part>,
    host: Vec<Fact>,
    timeline: Vec<Moment>,
    command: String,
    provenance: Vec<Fact>,
}

pub(super) fn page(run: &Run, charts: Charts) -> Page {
    let r = &run.record;
    let mut left_out = charts.left_out.clone();
    for (what, n) in [
        ("operations", r.operations.len()),
        ("objectives", r.objectives.len()),
        ("features", r.features.len()),
        ("timeline events", r.events.len()),
    ] {
        if n > MOST_ROWS {
            left_out.push(format!("{MOST_ROWS} of {n} {what} are listed; run.json has all."));
        }
    }
    Page {
        title: format!("{} · {} on {} · odg-bench", r.verdict, r.profile, r.provider),
        run_id: r.run_id.clone(),
        profile: r.profile.clone(),
        provider: r.provider.clone(),
        started_at: r.started_at.replace('T', " ").replace('Z', " UTC"),
        verdict: r.verdict.into(),
        sentence: words::sentence(r),
        marks: words::marks(r),
        reasons: r.reasons.iter().take(MOST_ROWS).cloned().collect(),
        headline: headline(run),
        warnings: r.warnings.iter().take(MOST_ROWS).cloned().collect(),
        notes: run.notes.clone(),
        objectives: objectives(r),
        features: features(r),
        ledger_state: words::ledger_state(r).to_owned(),
        ledger_class: match words::ledger_state(r) {
            "balances" => "pass",
            "not kept" => "unseen",
            _ => "fail",
        },
        rejected: count(r.ledger.rejected),
        hops: hops(r),
        checks: checks(r),
        operations: operations(run),
        left_out,
        charts,
        generator: generator(r),
        resources: resources(r),
        parts: parts(r),
        host: host(r),
        timeline: timeline(r),
        command: words::command(r),
        provenance: provenance(r),
    }
}

/// The figures that a hurried reader looks for.
fn headline(run: &Run) -> Vec<Fact> {
    let r = &run.record;
    let c = &r.config;
    let scaled: Vec<String> =
        words::marks(r).into_iter().filter(|m| m.to_lowercase().contains("load")).collect();
    let load = fact("Offered load", bytes_per_s(c.offered_bytes_per_s))
        .note(format!("{} events/s, {}", rate(c.offered_events_per_s), c.arrivals))
        .marks(&scaled);
    let measured = fact("Measured for", seconds(run.measured_s()))
        .note(format!("after {} of warm-up", seconds(c.warmup_s)));
    let held = fact("Schedule held", percent(r.generator.held))
        .note(format!("lag p99 {}", duration_ns(r.generator.lag.p99_ns as f64)));
    let last = r.ledger.hops.last().map_or(0, |h| h.reached);
    let first = r.ledger.hops.first().map_or(0, |h| h.reached);
    let ledger = if r.ledger.hops.is_empty() {
        fact("Ledger", words::ledger_state(r))
    } else {
        fact("Events accounted for", count(last)).note(format!(
            "of {}, {}",
            count(first),
            words::ledger_state(r)
        ))
    };
    let mut facts = vec![load, measured, held, ledger];
    let ratio = |o: &&crate::record::ObjectiveResult| o.ratio.unwrap_or(0.0);
    if let Some(tightest) = r
        .objectives
        .iter()
        .filter(|o| o.ratio.is_some())
        .max_by(|a, b| ratio(a).total_cmp(&ratio(b)))
    {
        facts.push(
            fact("Tightest objective", tightest.measured.clone())
                .note(format!("{}, {}", tightest.operation, tightest.threshold))
                .marks(&words::operation_marks(r, &tightest.operation)),
        );
    }
    facts
}

fn objectives(r: &RunRecord) -> Vec<Objective> {
    r.objectives
        .iter()
        .take(MOST_ROWS)
        .map(|o| Objective {
            name: o.operation.clone(),
            metric: o.metric.clone(),
            source: o.source.clone(),
            origin: o.origin.clone(),
            threshold: o.threshold.clone(),
            measured: if o.measured.is_empty() { "no samples".into() } else { o.measured.clone() },
            bar: o
                .ratio
                .filter(|x| x.is_finite())
                .map_or(String::new(), |x| format!("{:.1}", (x * 100.0).clamp(0.0, 100.0))),
            over: o.ratio.is_some_and(|x| x > 1.0),
            upper: o.upper99.as_ref().map_or("–".into(), |u| format!("≤ {u}")),
            samples: count(o.samples),
            needed: if o.samples < o.samples_needed && o.samples_needed != u64::MAX {
                format!("{} needed", count(o.samples_needed))
            } else {
                String::new()
            },
            evidence: o.evidence.clone(),
            required: o.required,
            marks: words::operation_marks(r, &o.operation),
            verdict: o.verdict.into(),
        })
        .collect()
}

fn features(r: &RunRecord) -> Vec<Feature> {
    r.features
        .iter()
        .take(MOST_ROWS)
        .map(|f| Feature {
            name: f.feature.clone(),
            promised: f.promised.clone(),
            fidelity: f.fidelity.map_or("–", |f| f.label()).to_owned(),
            asked: f.asked.clone(),
            answered: f.answered.clone(),
            took: duration_ns(f.took_ms * 1e6),
            required: f.required,
            verdict: f.verdict.into(),
        })
        .collect()
}

fn hops(r: &RunRecord) -> Vec<Hop> {
    r.ledger
        .hops
        .iter()
        .map(|h| Hop {
            name: h.hop.clone(),
            reached: count(h.reached),
            figures: vec![
                (count(h.lost), h.lost > 0),
                (count(h.duplicated), h.duplicated > 0),
                // Another order is allowed between hops, so it is shown and is no fault.
                (count(h.reordered), false),
                (count(h.corrupted), h.corrupted > 0),
            ],
        })
        .collect()
}

fn checks(r: &RunRecord) -> Vec<Check> {
    let checks = r.ledger.checks.iter().take(MOST_ROWS);
    checks
        .map(|c| Check {
            what: c.what.clone(),
            expected: c.expected.clone(),
            found: c.found.clone(),
            ok: c.ok,
        })
        .collect()
}

fn operations(run: &Run) -> Vec<Operation> {
    let s = run.measured_s();
    run.record
        .operations
        .iter()
        .take(MOST_ROWS)
        .map(|o| {
            let figure = |l: &LatencySummary, ns: u64| {
                if l.count == 0 { "–".to_owned() } else { duration_ns(ns as f64) }
            };
            Operation {
                name: o.name.clone(),
                description: o.description.clone(),
                marks: words::operation_marks(&run.record, &o.name),
                offered: count(o.offered),
                completed: count(o.completed),
                errors: count(words::errors(o)),
                error_kinds: kinds(o),
                per_s: rate(o.completed as f64 / s),
                bytes_per_s: if o.bytes == 0 {
                    "–".into()
                } else {
                    bytes_per_s(o.bytes as f64 / s)
                },
                mean: figure(&o.response, o.response.mean_ns as u64),
                mean_ci: o
                    .response
                    .mean_ci95_ns
                    .map_or(String::new(), |half| format!("± {}", duration_ns(half))),
                p50: figure(&o.response, o.response.p50_ns),
                p99: figure(&o.response, o.response.p99_ns),
                p999: figure(&o.response, o.response.p999_ns),
                max: figure(&o.response, o.response.max_ns),
                service_p99: figure(&o.service, o.service.p99_ns),
                wait: if o.response.count == 0 {
                    "–".into()
                } else {
                    duration_ns((o.response.mean_ns - o.service.mean_ns).max(0.0))
                },
            }
        })
        .collect()
}

/// Errors by kind, retries and values out of range, where there are any.
fn kinds(o: &OperationSummary) -> String {
    let mut parts = Vec::new();
    let kinds = words::error_kinds(o);
    if !kinds.is_empty() {
        parts.push(kinds);
    }
    if o.retries > 0 {
        parts.push(format!("{} retried", count(o.retries)));
    }
    if o.response.out_of_range > 0 {
        parts.push(format!("{} out of range", count(o.response.out_of_range)));
    }
    parts.join("; ")
}

fn generator(r: &RunRecord) -> Vec<Fact> {
    let g = &r.generator;
    vec![
        fact("Arrivals scheduled", count(g.scheduled)),
        fact("Handed over", count(g.dispatched)).note(format!("{} held", percent(g.held))),
        fact("Dropped", count(g.dropped)).note("any at all makes the run INVALID"),
        fact("Lag of the schedule, p99", duration_ns(g.lag.p99_ns as f64)).note(format!(
            "p50 {}, largest {}",
            duration_ns(g.lag.p50_ns as f64),
            duration_ns(g.lag.max_ns as f64)
        )),
        fact("Own ceiling", format!("{}/s", rate(g.ceiling_events_per_s)))
            .note(format!("{} of it was asked for", percent(g.utilisation))),
        fact("CPU", format!("{} cores", rate(g.cpu_cores))),
        fact("Memory, peak", memory(g.peak_rss_bytes)),
        fact("Longest queue", count(g.peak_backlog)).note("arrivals waiting for a lane"),
        fact("Real-time pacing", if g.realtime_pacing { "yes" } else { "no" }),
    ]
}

fn resources(r: &RunRecord) -> Vec<Resource> {
    r.resources
        .iter()
        .take(MOST_ROWS)
        .map(|x| Resource {
            component: x.component.clone(),
            marks: words::component_marks(r, &x.component),
            cpu_mean: rate(x.cpu_cores_mean),
            cpu_max: rate(x.cpu_cores_max),
            rss: memory(x.rss_max_bytes),
            written: bytes(x.write_bytes as f64),
        })
        .collect()
}

fn parts(r: &RunRecord) -> Vec<Part> {
    r.implementations
        .iter()
        .take(MOST_ROWS)
        .map(|i| Part {
            component: i.component.clone(),
            name: i.name.clone(),
            version: i.version.clone(),
            fidelity: i.fidelity.to_string(),
            real: i.fidelity == crate::record::Fidelity::Real,
            endpoint: i.endpoint.clone(),
            ready: duration_ns(i.ready_ms as f64 * 1e6),
            note: i.note.clone().unwrap_or_default(),
        })
        .collect()
}

fn host(r: &RunRecord) -> Vec<Fact> {
    let h = &r.host;
    vec![
        fact("Processor", h.cpu_model.clone()),
        fact("Cores", count(u64::from(h.cores))),
        fact("Memory", memory(h.memory_bytes)),
        fact("System", h.os.clone()),
        fact("Kernel", h.kernel.clone()),
        fact("Virtualisation", h.virtualisation.clone().unwrap_or_else(|| "none seen".into())),
    ]
}

fn timeline(r: &RunRecord) -> Vec<Moment> {
    let mut events: Vec<_> = r.events.iter().collect();
    events.sort_by(|a, b| a.t_s.total_cmp(&b.t_s));
    events
        .into_iter()
        .take(MOST_ROWS)
        .map(|e| Moment {
            at: format!("{:.1} s", e.t_s),
            kind: e.kind.replace('_', " "),
            text: e.text.clone(),
        })
        .collect()
}

fn provenance(r: &RunRecord) -> Vec<Fact> {
    let c = &r.config;
    let mut facts = vec![
        fact("Run", r.run_id.clone()),
        fact("Started", r.started_at.clone()),
        fact("Finished", r.finished_at.clone().unwrap_or_else(|| "did not end in order".into())),
        fact("odg-bench", format!("{} (record schema {})", r.tool_version, r.schema_version)),
        fact("Stack ready after", duration_ns(r.stack_ready_ms as f64 * 1e6)),
        fact("Daily volume", format!("{} a day", bytes(c.volume_bytes_per_day))),
        fact("Load multiplier", format!("× {}", c.scale))
            .note(c.scale_reason.clone().unwrap_or_default()),
        fact("Arrivals", c.arrivals.clone()).note(match &c.window {
            Some(window) => format!("{window} of the day, × {} speed", c.speedup),
            None => String::new(),
        }),
        fact("Seed", c.seed.to_string()),
        fact("Exit code", r.exit_code.to_string()),
    ];
    facts.push(fact("Configuration", escape::terminal(&c.hash)));
    facts
}
