//! The rows of the page's tables.

use serde::Serialize;

use super::view::Tag;
use crate::record::{Fidelity, LatencySummary, OperationSummary, RunRecord};
use crate::units::{bytes, bytes_per_s, count, duration_ns, memory, rate};
use crate::words;

#[derive(Serialize)]
pub(super) struct Objective {
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
pub(super) struct Feature {
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
pub(super) struct Hop {
    name: String,
    reached: String,
    /// Lost, duplicated, reordered, corrupted; with whether it is a fault.
    figures: Vec<(String, bool)>,
}

#[derive(Serialize)]
pub(super) struct Check {
    what: String,
    expected: String,
    found: String,
    ok: bool,
}

#[derive(Serialize)]
pub(super) struct Operation {
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
pub(super) struct Resource {
    component: String,
    marks: Vec<String>,
    cpu_mean: String,
    cpu_max: String,
    rss: String,
    written: String,
    read: String,
    received: String,
    sent: String,
}

#[derive(Serialize)]
pub(super) struct Part {
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
pub(super) struct Moment {
    at: String,
    kind: String,
    text: String,
}

pub(super) fn objectives(r: &RunRecord, most: usize) -> Vec<Objective> {
    r.objectives
        .iter()
        .take(most)
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

pub(super) fn features(r: &RunRecord, most: usize) -> Vec<Feature> {
    r.features
        .iter()
        .take(most)
        .map(|f| Feature {
            name: f.feature.clone(),
            promised: f.promised.clone(),
            fidelity: f.fidelity.map_or("–", |f| f.label()).to_owned(),
            asked: f.asked.clone(),
            answered: f.answered.clone(),
            took: if f.took_ms > 0.0 { duration_ns(f.took_ms * 1e6) } else { "–".into() },
            required: f.required,
            verdict: f.verdict.into(),
        })
        .collect()
}

pub(super) fn hops(r: &RunRecord) -> Vec<Hop> {
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

pub(super) fn checks(r: &RunRecord, most: usize) -> Vec<Check> {
    let checks = r.ledger.checks.iter().take(most);
    checks
        .map(|c| Check {
            what: c.what.clone(),
            expected: c.expected.clone(),
            found: c.found.clone(),
            ok: c.ok,
        })
        .collect()
}

pub(super) fn operations(r: &RunRecord, s: f64, most: usize) -> Vec<Operation> {
    r.operations
        .iter()
        .take(most)
        .map(|o| {
            let figure = |l: &LatencySummary, ns: u64| {
                if l.count == 0 { "–".to_owned() } else { duration_ns(ns as f64) }
            };
            Operation {
                name: o.name.clone(),
                description: o.description.clone(),
                marks: words::operation_marks(r, &o.name),
                offered: count(o.offered),
                completed: count(o.completed),
                errors: count(words::errors(o)),
                error_kinds: kinds(o),
                per_s: words::per_s(o.completed, s),
                bytes_per_s: if o.bytes == 0 || s <= 0.0 {
                    "–".into()
                } else {
                    bytes_per_s(o.bytes as f64 / s)
                },
                mean: figure(&o.response, o.response.mean_ns as u64),
                mean_ci: o
                    .response
                    .mean_ci95_ns
                    .map_or(String::new(), |half| format!("± {}", duration_ns(half))),
                p50: words::percentile(&o.response, 0.5),
                p99: words::percentile(&o.response, 0.99),
                p999: words::percentile(&o.response, 0.999),
                max: figure(&o.response, o.response.max_ns),
                service_p99: words::percentile(&o.service, 0.99),
                wait: if o.response.count == 0 {
                    "–".into()
                } else {
                    duration_ns((o.response.mean_ns - o.service.mean_ns).max(0.0))
                },
            }
        })
        .collect()
}

/// An operation in few figures, where there are more than a table with all figures can hold.
#[derive(Serialize)]
pub(super) struct Brief {
    name: String,
    completed: String,
    errors: String,
    p50: String,
    p99: String,
}

/// The operations behind the first `listed`, at most `most`.
pub(super) fn brief(r: &RunRecord, listed: usize, most: usize) -> Vec<Brief> {
    let rest = r.operations.iter().skip(listed).take(most);
    rest.map(|o| Brief {
        name: o.name.clone(),
        completed: count(o.completed),
        errors: count(words::errors(o)),
        p50: words::percentile(&o.response, 0.5),
        p99: words::percentile(&o.response, 0.99),
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

/// Bytes, or a dash where nobody counted them.
fn known(counted: Option<u64>) -> String {
    counted.map_or_else(|| "–".to_owned(), |n| bytes(n as f64))
}

pub(super) fn resources(r: &RunRecord, most: usize) -> Vec<Resource> {
    r.resources
        .iter()
        .take(most)
        .map(|x| Resource {
            component: x.component.clone(),
            marks: words::component_marks(r, &x.component),
            cpu_mean: rate(x.cpu_cores_mean),
            cpu_max: rate(x.cpu_cores_max),
            rss: memory(x.rss_max_bytes),
            written: known(x.write_bytes),
            read: known(x.read_bytes),
            received: known(x.received_bytes),
            sent: known(x.sent_bytes),
        })
        .collect()
}

pub(super) fn parts(r: &RunRecord, most: usize) -> Vec<Part> {
    r.implementations
        .iter()
        .take(most)
        .map(|i| Part {
            component: i.component.clone(),
            name: i.name.clone(),
            version: i.version.clone(),
            fidelity: i.fidelity.to_string(),
            real: i.fidelity == Fidelity::Real,
            endpoint: i.endpoint.clone(),
            ready: duration_ns(i.ready_ms as f64 * 1e6),
            note: i.note.clone().unwrap_or_default(),
        })
        .collect()
}

pub(super) fn timeline(r: &RunRecord, most: usize) -> Vec<Moment> {
    let mut events: Vec<_> = r.events.iter().collect();
    events.sort_by(|a, b| a.t_s.total_cmp(&b.t_s));
    events
        .into_iter()
        .take(most)
        .map(|e| Moment {
            at: format!("{:.1} s", e.t_s),
            kind: e.kind.replace('_', " "),
            text: e.text.clone(),
        })
        .collect()
}
