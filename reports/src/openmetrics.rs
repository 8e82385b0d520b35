//! `metrics.om`: the run's figures as OpenMetrics text, for whoever keeps metrics.
//!
//! The text follows OpenMetrics 1.0 (<https://prometheus.io/docs/specs/om/open_metrics_spec/>): one
//! block a family, units in the names, counters end in `_total`, `# EOF` at the end. There are no
//! timestamps: the run's are labels of `odgbench_run_info`. What is not known is left out, and
//! percentiles that too few samples stand behind are too. Marks (a fake, a scaled load) are a label
//! of every figure that they touch.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::escape;
use crate::html::shorten;
use crate::judge::CONFIDENCE;
use crate::load;
use crate::record::{LatencySummary, RunRecord, RunState, Verdict};
use crate::stats::samples_needed;
use crate::units::parse_duration_ns;
use crate::words;

/// Characters of a kind of error.
const LONGEST_KIND: usize = 200;

type Labels<'a> = [(&'a str, &'a str)];

/// The OpenMetrics text of a run that was measured for `measured_s` seconds.
#[must_use]
pub fn openmetrics(record: &RunRecord, measured_s: f64) -> String {
    let mut page = Page::default();
    run(&mut page, record, measured_s);
    objectives(&mut page, record);
    features(&mut page, record);
    operations(&mut page, record, measured_s);
    ledger(&mut page, record);
    generator(&mut page, record);
    resources(&mut page, record);
    page.text.push_str("# EOF\n");
    page.text
}

fn run(page: &mut Page, r: &RunRecord, measured_s: f64) {
    page.family("run", Type::Info, None, "The run, and when and how it was made.");
    let state = match r.state {
        RunState::Complete => "complete",
        RunState::Interrupted => "interrupted",
        RunState::Aborted => "aborted",
    };
    page.info(&[
        ("run_id", &r.run_id),
        ("profile", &r.profile),
        ("provider", &r.provider),
        ("state", state),
        ("started_at", &r.started_at),
        ("finished_at", r.finished_at.as_deref().unwrap_or_default()),
        ("arrivals", &r.config.arrivals),
        ("seed", &r.config.seed.to_string()),
        ("configuration", &r.config.hash),
        ("tool_version", &r.tool_version),
        ("schema_version", &r.schema_version),
    ]);
    page.family("mark", Type::Info, None, "What every figure is to be read with.");
    for mark in words::marks(r) {
        page.info(&[("mark", &mark)]);
    }
    page.family("implementation", Type::Info, None, "What answered for a component.");
    for i in &r.implementations {
        page.info(&[
            ("component", &i.component),
            ("name", &i.name),
            ("version", &i.version),
            ("fidelity", i.fidelity.label()),
        ]);
    }
    page.family("verdict", Type::StateSet, None, "The run's verdict.");
    page.verdict(&[], r.verdict);
    page.family("exit_code", Type::Gauge, None, "Exit code of the run.");
    page.sample("", &[], f64::from(r.exit_code));
    page.family("measured_seconds", Type::Gauge, Some("seconds"), "Length of the measured part.");
    page.sample("", &[], measured_s);
    page.family(
        "load_ratio",
        Type::Gauge,
        Some("ratio"),
        "Offered load as a share of the daily volume.",
    );
    page.sample("", &[], load::factor_of(r));
    page.family("planned_events_per_second", Type::Gauge, None, "Events offered, as planned.");
    page.sample("", &[], r.config.offered_events_per_s);
    page.family("planned_bytes_per_second", Type::Gauge, None, "Payload offered, as planned.");
    page.sample("", &[], r.config.offered_bytes_per_s);
}

fn objectives(page: &mut Page, r: &RunRecord) {
    let all: Vec<_> = r
        .objectives
        .iter()
        .map(|o| {
            let marks = words::operation_marks(r, &o.operation).join(", ");
            let required = if o.required { "true" } else { "false" };
            (o, marks, required)
        })
        .collect();
    let mut each =
        |name, unit, help, figure: &dyn Fn(&crate::record::ObjectiveResult) -> Option<f64>| {
            page.family(name, Type::Gauge, unit, help);
            for (o, marks, _) in &all {
                let labels =
                    [("objective", o.id.as_str()), ("operation", &o.operation), ("marks", marks)];
                if let Some(figure) = figure(o) {
                    page.sample("", &labels, figure);
                }
            }
        };
    let seconds =
        |text: &str| parse_duration_ns(text.trim_start_matches(['≤', ' '])).map(|ns| ns / 1e9);
    each("objective_threshold_seconds", Some("seconds"), "What an objective allows.", &|o| {
        seconds(&o.threshold)
    });
    each("objective_measured_seconds", Some("seconds"), "What was measured.", &|o| {
        seconds(&o.measured)
    });
    each(
        "objective_upper_bound_seconds",
        Some("seconds"),
        "Upper bound of what was measured, at 99 % confidence.",
        &|o| seconds(o.upper99.as_deref()?),
    );
    each("objective_ratio", Some("ratio"), "Measured ÷ threshold.", &|o| o.ratio);
    each("objective_samples", None, "Operations that an objective was judged on.", &|o| {
        Some(o.samples as f64)
    });
    each("objective_design_effect", None, "Clustered operations that say as much as one.", &|o| {
        o.design_effect
    });
    page.family("objective_verdict", Type::StateSet, None, "The verdict on an objective.");
    for (o, marks, required) in &all {
        let labels = [
            ("objective", o.id.as_str()),
            ("operation", &o.operation),
            ("required", required),
            ("marks", marks),
        ];
        page.verdict(&labels, o.verdict);
    }
}

fn features(page: &mut Page, r: &RunRecord) {
    page.family("feature_verdict", Type::StateSet, None, "The verdict on a cell of the matrix.");
    for f in &r.features {
        let required = if f.required { "true" } else { "false" };
        let fidelity = f.fidelity.map_or("", |f| f.label());
        let labels = [
            ("feature", f.feature.as_str()),
            ("promised", &f.promised),
            ("required", required),
            ("fidelity", fidelity),
        ];
        page.verdict(&labels, f.verdict);
    }
}

fn operations(page: &mut Page, r: &RunRecord, measured_s: f64) {
    let all: Vec<_> =
        r.operations.iter().map(|o| (o, words::operation_marks(r, &o.name).join(", "))).collect();
    let seconds = Some("seconds");
    page.family("response_seconds", Type::Summary, seconds, "Time from the intended start.");
    for (o, marks) in &all {
        page.latency(&[("operation", &o.name), ("marks", marks)], &o.response);
    }
    page.family("service_seconds", Type::Summary, seconds, "Time from the actual start.");
    for (o, marks) in &all {
        page.latency(&[("operation", &o.name), ("marks", marks)], &o.service);
    }
    page.family("response_max_seconds", Type::Gauge, seconds, "Longest response time.");
    for (o, marks) in all.iter().filter(|(o, _)| o.response.count > 0) {
        let labels = [("operation", o.name.as_str()), ("marks", marks)];
        page.sample("", &labels, o.response.max_ns as f64 / 1e9);
    }
    page.family("operations_per_second", Type::Gauge, None, "Operations that ended well.");
    for (o, marks) in all.iter().filter(|_| measured_s > 0.0) {
        let labels = [("operation", o.name.as_str()), ("marks", marks)];
        page.sample("", &labels, o.completed as f64 / measured_s);
    }
    type Count = fn(&crate::record::OperationSummary) -> u64;
    let counts: [(&str, Option<&str>, &str, Count); 5] = [
        ("operations_offered", None, "Arrivals that the schedule wanted.", |o| o.offered),
        ("operations_completed", None, "Operations that ended well.", |o| o.completed),
        ("operations_retried", None, "Retries that did not end in an error.", |o| o.retries),
        ("operations_out_of_range", None, "Latencies beyond the histogram.", |o| {
            o.response.out_of_range
        }),
        ("payload_bytes", Some("bytes"), "Payload of operations that ended well.", |o| o.bytes),
    ];
    for (name, unit, help, count) in counts {
        page.family(name, Type::Counter, unit, help);
        for (o, marks) in &all {
            page.count(&[("operation", &o.name), ("marks", marks)], count(o));
        }
    }
    page.family("operations_failed", Type::Counter, None, "Operations that ended in an error.");
    for (o, marks) in &all {
        for (kind, n) in shorten::kinds(&o.errors, LONGEST_KIND) {
            page.count(&[("operation", &o.name), ("kind", &kind), ("marks", marks)], n);
        }
    }
}

fn ledger(page: &mut Page, r: &RunRecord) {
    let l = &r.ledger;
    page.family("ledger_events", Type::Counter, None, "Events at a hop, by what became of them.");
    for h in &l.hops {
        for (what, n) in [
            ("reached", h.reached),
            ("lost", h.lost),
            ("duplicated", h.duplicated),
            ("reordered", h.reordered),
            ("corrupted", h.corrupted),
        ] {
            page.count(&[("hop", &h.hop), ("what", what)], n);
        }
    }
    page.family("ledger_rejected", Type::Counter, None, "Events that the bus refused.");
    page.family("ledger_balanced", Type::Gauge, None, "1 where every event is accounted for.");
    if !l.hops.is_empty() {
        page.sample("", &[], if l.balanced { 1.0 } else { 0.0 });
    }
    page.family("ledger_check", Type::Gauge, None, "1 where a store at rest holds what it should.");
    for c in &l.checks {
        page.sample("", &[("what", &c.what)], if c.ok { 1.0 } else { 0.0 });
    }
}

fn generator(page: &mut Page, r: &RunRecord) {
    if !words::generator_known(r) {
        return;
    }
    let g = &r.generator;
    let (seconds, ratio) = (Some("seconds"), Some("ratio"));
    page.family("generator_lag_seconds", Type::Summary, seconds, "Hand-over − intended start.");
    page.latency(&[], &g.lag);
    for (name, help, n) in [
        ("generator_scheduled", "Arrivals that the schedule wanted.", g.scheduled),
        ("generator_dispatched", "Arrivals handed over.", g.dispatched),
        ("generator_dropped", "Arrivals dropped.", g.dropped),
    ] {
        page.family(name, Type::Counter, None, help);
        page.count(&[], n);
    }
    for (name, unit, help, figure) in [
        ("generator_held_ratio", ratio, "Arrivals handed over within 10 ms.", g.held),
        ("generator_utilisation_ratio", ratio, "Offered ÷ own ceiling.", g.utilisation),
        ("generator_ceiling_events_per_second", None, "Own ceiling.", g.ceiling_events_per_s),
        ("generator_cpu_cores", None, "Cores kept busy.", g.cpu_cores),
        ("generator_memory_peak_bytes", Some("bytes"), "Resident set.", g.peak_rss_bytes as f64),
        ("generator_backlog_peak", None, "Most arrivals waiting.", g.peak_backlog as f64),
    ] {
        page.family(name, Type::Gauge, unit, help);
        page.sample("", &[], figure);
    }
}

fn resources(page: &mut Page, r: &RunRecord) {
    let all: Vec<_> = r
        .resources
        .iter()
        .map(|x| (x, words::component_marks(r, &x.component).join(", ")))
        .collect();
    page.family("cpu_cores", Type::Gauge, None, "Cores that a component kept busy.");
    for (x, marks) in &all {
        for (of, cores) in [("mean", x.cpu_cores_mean), ("max", x.cpu_cores_max)] {
            page.sample("", &[("component", &x.component), ("of", of), ("marks", marks)], cores);
        }
    }
    page.family("memory_max_bytes", Type::Gauge, Some("bytes"), "Largest resident set.");
    for (x, marks) in &all {
        let labels = [("component", x.component.as_str()), ("marks", marks)];
        page.sample("", &labels, x.rss_max_bytes as f64);
    }
    type Known = fn(&crate::record::ResourceSummary) -> Option<u64>;
    let counts: [(&str, &str, Known); 4] = [
        ("written_bytes", "Written to storage.", |x| x.write_bytes),
        ("read_bytes", "Read from storage.", |x| x.read_bytes),
        ("received_bytes", "Received from the network.", |x| x.received_bytes),
        ("sent_bytes", "Sent to the network.", |x| x.sent_bytes),
    ];
    for (name, help, count) in counts {
        page.family(name, Type::Counter, Some("bytes"), help);
        for (x, marks) in &all {
            if let Some(n) = count(x) {
                page.count(&[("component", &x.component), ("marks", marks)], n);
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Type {
    Counter,
    Gauge,
    Info,
    StateSet,
    Summary,
}

/// The text so far. Families come one after the other, so that no two are mixed.
#[derive(Default)]
struct Page {
    text: String,
    family: String,
    /// Of the family at hand: a record can name two things alike, the format cannot.
    seen: BTreeSet<String>,
}

impl Page {
    fn family(&mut self, name: &str, kind: Type, unit: Option<&str>, help: &str) {
        self.family = format!("odgbench_{name}");
        self.seen.clear();
        let kind = match kind {
            Type::Counter => "counter",
            Type::Gauge => "gauge",
            Type::Info => "info",
            Type::StateSet => "stateset",
            Type::Summary => "summary",
        };
        // Writing into a String cannot fail.
        let _ = writeln!(self.text, "# TYPE {} {kind}", self.family);
        if let Some(unit) = unit {
            let _ = writeln!(self.text, "# UNIT {} {unit}", self.family);
        }
        let _ = writeln!(self.text, "# HELP {} {}", self.family, escape::openmetrics(help));
    }

    /// One sample; figures that are not finite are left out, and so is a second one of the same name.
    fn sample(&mut self, suffix: &str, labels: &Labels<'_>, value: f64) {
        if value.is_finite() {
            // Debug writes large and small figures with an exponent.
            self.push(suffix, labels, &format!("{value:?}"));
        }
    }

    fn count(&mut self, labels: &Labels<'_>, n: u64) {
        self.push("_total", labels, &n.to_string());
    }

    fn info(&mut self, labels: &Labels<'_>) {
        self.push("_info", labels, "1");
    }

    fn verdict(&mut self, labels: &Labels<'_>, is: Verdict) {
        let family = self.family.clone();
        let mut first = true;
        for verdict in [
            Verdict::Pass,
            Verdict::NotVerified,
            Verdict::Inconclusive,
            Verdict::Invalid,
            Verdict::Fail,
        ] {
            let mut with = labels.to_vec();
            with.push((&family, verdict.label()));
            let pushed = self.push("", &with, if verdict == is { "1" } else { "0" });
            if std::mem::take(&mut first) && !pushed {
                return;
            }
        }
    }

    fn latency(&mut self, labels: &Labels<'_>, l: &LatencySummary) {
        if !l.mean_ns.is_finite() || l.mean_ns < 0.0 {
            return;
        }
        let quantiles = [
            ("0.5", 0.5, l.p50_ns),
            ("0.9", 0.9, l.p90_ns),
            ("0.95", 0.95, l.p95_ns),
            ("0.99", 0.99, l.p99_ns),
            ("0.999", 0.999, l.p999_ns),
        ];
        if !self.push("_count", labels, &l.count.to_string()) {
            return;
        }
        let sum = l.mean_ns * l.count as f64 / 1e9;
        self.sample("_sum", labels, sum);
        for (name, quantile, ns) in quantiles {
            if l.count >= samples_needed(quantile, CONFIDENCE) {
                let mut with = labels.to_vec();
                with.push(("quantile", name));
                self.sample("", &with, ns as f64 / 1e9);
            }
        }
    }

    /// Whether the sample is the first of its name and labels, and so was written. Empty labels are
    /// the same as none.
    fn push(&mut self, suffix: &str, labels: &Labels<'_>, value: &str) -> bool {
        let mut sample = format!("{}{suffix}", self.family);
        let labels: Vec<String> = labels
            .iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(name, text)| format!("{name}=\"{}\"", escape::openmetrics(text)))
            .collect();
        if !labels.is_empty() {
            let _ = write!(sample, "{{{}}}", labels.join(","));
        }
        if !self.seen.insert(sample.clone()) {
            return false;
        }
        let _ = writeln!(self.text, "{sample} {value}");
        true
    }
}

#[cfg(test)]
mod tests;
