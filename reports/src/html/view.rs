//! What the page shows, as text ready to be set: every figure has its unit here already.

use serde::Serialize;

use super::answer::{self, Answer};
use super::rows::{self, Brief, Check, Feature, Hop, Moment, Objective, Operation, Part, Resource};
use super::shorten;
use crate::escape;
use crate::plots::Charts;
use crate::record::{ObjectiveResult, RunRecord, Verdict, Warning};
use crate::units::{bytes, bytes_per_s, count, duration_ns, memory, percent, rate, seconds};
use crate::{load, words};

/// How much of a record a page shows; what is left out, it says.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Rows of a table whose length the record decides.
    pub(super) rows: usize,
    /// Operations behind those rows that are told in few figures.
    pub(super) brief: usize,
    /// Charts of each kind.
    pub(super) charts: usize,
    /// Characters of a text.
    pub(super) text: usize,
}

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
    answer: Answer,
    objectives: Vec<Objective>,
    bound: &'static str,
    assumption: &'static str,
    features: Vec<Feature>,
    ledger_state: String,
    ledger_class: &'static str,
    rejected: String,
    hops: Vec<Hop>,
    checks: Vec<Check>,
    operations: Vec<Operation>,
    brief: Vec<Brief>,
    percentile_note: String,
    left_out: Vec<String>,
    charts: Charts,
    generator: Vec<Fact>,
    resources: Vec<Resource>,
    container_figures: bool,
    parts: Vec<Part>,
    host: Vec<Fact>,
    timeline: Vec<Moment>,
    command: String,
    provenance: Vec<Fact>,
}

/// The page of a record that was measured for `measured_s` seconds; `all` is the record before it
/// was cut to the limits.
pub(super) fn page(
    r: &RunRecord,
    all: &RunRecord,
    measured_s: f64,
    notes: &[String],
    mut charts: Charts,
    limits: Limits,
) -> Page {
    let most = limits.rows;
    let mut left_out = std::mem::take(&mut charts.left_out);
    let operations = r.operations.len();
    if operations > most {
        let told = (operations - most).min(limits.brief);
        left_out.push(format!(
            "{most} of {operations} operations are listed with all figures and {told} more with a few; \
             run.json has all."
        ));
    }
    for (what, n) in [
        ("objectives", r.objectives.len()),
        ("features", r.features.len()),
        ("checks of the ledger", r.ledger.checks.len()),
        ("resources", r.resources.len()),
        ("implementations", all.implementations.len()),
        ("marks", all.marks.len()),
        ("hops of the ledger", all.ledger.hops.len()),
        ("reasons", r.reasons.len()),
        ("warnings", r.warnings.len()),
        ("timeline events", r.events.len()),
    ] {
        if n > most {
            left_out.push(format!("{most} of {n} {what} are listed; run.json has all."));
        }
    }
    if charts.latency.len().max(charts.throughput.len()) > limits.charts {
        left_out.push("Some charts are in plots/ only, so that this page stays small.".to_owned());
        charts.throughput.truncate(limits.charts);
        charts.latency.truncate(limits.charts);
    }
    Page {
        title: format!("{} · {} on {} · odg-bench", r.verdict, r.profile, r.provider),
        run_id: r.run_id.clone(),
        profile: r.profile.clone(),
        provider: r.provider.clone(),
        started_at: started(&r.started_at),
        verdict: r.verdict.into(),
        sentence: words::sentence(r),
        marks: words::marks(r),
        reasons: r.reasons.iter().take(most).cloned().collect(),
        headline: headline(r, measured_s),
        warnings: r.warnings.iter().take(most).cloned().collect(),
        notes: notes.to_vec(),
        answer: answer::answer(r),
        objectives: rows::objectives(r, most),
        bound: words::bound(r),
        assumption: words::assumption(r),
        features: rows::features(r, most),
        ledger_state: words::ledger_state(r).to_owned(),
        ledger_class: match words::ledger_state(r) {
            "balances" => "pass",
            "does not balance" => "fail",
            _ => "unseen",
        },
        rejected: count(r.ledger.rejected),
        hops: rows::hops(r),
        checks: rows::checks(r, most),
        operations: rows::operations(r, measured_s, most),
        brief: rows::brief(r, most, limits.brief),
        percentile_note: words::percentile_note(),
        left_out,
        charts,
        generator: generator(r),
        resources: rows::resources(r, most),
        container_figures: r.resources.iter().any(|x| x.received_bytes.is_some()),
        parts: rows::parts(r, most),
        host: host(r),
        timeline: rows::timeline(r, most),
        command: shorten::text(&words::command(r), limits.text),
        provenance: provenance(r),
    }
}

/// A time of day without the fraction of its second (`2026-11-24 06:00:00 UTC`); one of another offset as it is.
fn started(rfc3339: &str) -> String {
    let Some(utc) = rfc3339.strip_suffix('Z') else { return rfc3339.to_owned() };
    let whole = utc.split('.').next().unwrap_or(utc);
    format!("{} UTC", whole.replacen('T', " ", 1))
}

/// The figures that a hurried reader looks for.
fn headline(r: &RunRecord, measured_s: f64) -> Vec<Fact> {
    let c = &r.config;
    let scaled: Vec<String> =
        words::marks(r).into_iter().filter(|m| m.to_lowercase().contains("load")).collect();
    let offered = load::load(r, measured_s);
    let load = match offered.apart {
        Some((realised, planned)) => fact("Load, realised", realised)
            .note(format!("of {planned} planned; {}, {}", offered.events, c.arrivals)),
        None => fact("Load, planned", bytes_per_s(c.offered_bytes_per_s))
            .note(format!("{}, {}", offered.events, c.arrivals)),
    }
    .marks(&scaled);
    let measured = fact("Measured for", seconds(measured_s))
        .note(format!("after {} of warm-up", seconds(c.warmup_s)));
    let held = if words::generator_known(r) {
        fact("Schedule held", percent(r.generator.held))
            .note(format!("lag p99 {}", words::percentile(&r.generator.lag, 0.99)))
    } else {
        fact("Schedule held", words::NOT_RECORDED)
    };
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
    let ratio = |o: &&ObjectiveResult| o.ratio.unwrap_or(0.0);
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

fn generator(r: &RunRecord) -> Vec<Fact> {
    let g = &r.generator;
    let facts = vec![
        fact("Arrivals scheduled", count(g.scheduled)),
        fact("Handed over", count(g.dispatched)).note(format!("{} held", percent(g.held))),
        fact("Dropped", count(g.dropped)).note("any at all makes the run INVALID"),
        fact("Lag of the schedule, p99", words::percentile(&g.lag, 0.99)).note(format!(
            "p50 {}, largest {}",
            words::percentile(&g.lag, 0.5),
            duration_ns(g.lag.max_ns as f64)
        )),
        fact("Own ceiling", format!("{}/s", rate(g.ceiling_events_per_s)))
            .note(format!("{} of it was asked for", percent(g.utilisation))),
        fact("CPU", format!("{} cores", rate(g.cpu_cores))),
        fact("Memory, peak", memory(g.peak_rss_bytes)),
        fact("Longest queue", count(g.peak_backlog)).note("arrivals waiting for a lane"),
        fact("Real-time pacing", if g.realtime_pacing { "yes" } else { "no" }),
    ];
    if words::generator_known(r) {
        return facts;
    }
    facts.into_iter().map(|f| fact(&f.name, words::NOT_RECORDED)).collect()
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

/// Where a run stands among those that were made together.
fn repeated(r: &RunRecord) -> String {
    let Some(repeat) = &r.repeat else { return "no, a run on its own".to_owned() };
    let side =
        repeat.turn.map_or_else(String::new, |turn| format!(" of the {}", turn.side.label()));
    format!("run {} of {}{side} of group {}", repeat.index, repeat.of, repeat.group)
}

fn provenance(r: &RunRecord) -> Vec<Fact> {
    let c = &r.config;
    let mut facts = vec![
        fact("Run", r.run_id.clone()),
        fact("Repeated", repeated(r)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{PairSide, Repeat, Turn};
    use crate::testing;

    #[test]
    fn a_time_of_another_offset_is_not_called_utc() {
        assert_eq!(started("2026-11-24T06:00:00.25Z"), "2026-11-24 06:00:00 UTC");
        assert_eq!(started("2026-11-24T06:00:00+02:00"), "2026-11-24T06:00:00+02:00");
    }

    #[test]
    fn a_run_says_where_it_stands_among_those_of_its_group() {
        let mut record = testing::record();
        let told = |record: &RunRecord| {
            let facts = provenance(record).into_iter();
            facts.filter(|f| f.name == "Repeated").map(|f| f.value).collect::<String>()
        };
        assert_eq!(told(&record), "no, a run on its own");
        let mut repeat = Repeat { group: "g-x5".into(), index: 2, of: 5, turn: None };
        record.repeat = Some(repeat.clone());
        assert_eq!(told(&record), "run 2 of 5 of group g-x5");
        repeat.turn = Some(Turn { side: PairSide::Base, order: 3 });
        record.repeat = Some(repeat);
        assert_eq!(told(&record), "run 2 of 5 of the base of group g-x5");
    }
}
