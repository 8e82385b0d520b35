//! `report.md`: compact, for pull requests (GitHub takes 65,536 characters).

use crate::escape::markdown;
use crate::read::Run;
use crate::record::{RunRecord, Verdict};
use crate::{load, units, words};

/// GitHub's limit is 65,536 characters; this leaves room for a frame around it.
const MOST_BYTES: usize = 60_000;
const MOST_ROWS: usize = 40;

/// The Markdown text of a run, under 60 kB. Foreign text in it cannot begin a tag, a link or a
/// mention.
#[must_use]
pub fn markdown_report(run: &Run) -> String {
    // Rows are cut until it fits; a record of usual size fits at once.
    let mut rows = MOST_ROWS;
    loop {
        let text = with_rows(run, rows);
        if text.len() <= MOST_BYTES || rows == 0 {
            return text;
        }
        rows /= 2;
    }
}

fn with_rows(run: &Run, rows: usize) -> String {
    let record = &run.record;
    let mut out = String::new();
    out.push_str(&format!(
        "# {} {}: {} on {}\n\n",
        icon(record.verdict),
        record.verdict,
        text(&record.profile),
        text(&record.provider)
    ));
    out.push_str(&format!("{}\n\n", text(&words::sentence(record))));
    let marks = words::marks(record);
    if !marks.is_empty() {
        let marks: Vec<String> =
            marks.iter().take(12).map(|m| format!("**{}**", text(m))).collect();
        out.push_str(&format!("Marked: {}\n\n", marks.join(" · ")));
    }
    for reason in record.reasons.iter().take(rows.max(3)) {
        out.push_str(&format!("- {}\n", text(reason)));
    }
    out.push('\n');
    let measured_s = run.measured_s();
    out.push_str(&format!(
        "{}. Measured for {} after {} of warm-up; schedule {}; ledger {}.\n\n",
        text(&load::line(record, measured_s)),
        units::seconds(measured_s),
        units::seconds(record.config.warmup_s),
        text(&words::schedule(record)),
        text(&words::ledger(record))
    ));
    objectives(&mut out, record, rows);
    features(&mut out, record, rows);
    ledger(&mut out, record, rows);
    operations(&mut out, run, rows);
    components(&mut out, record, rows);
    if !record.warnings.is_empty() {
        out.push_str("## Warnings\n\n");
        for w in record.warnings.iter().take(rows) {
            out.push_str(&format!("- {} *{}*\n", text(&w.text), text(&w.action)));
        }
        out.push('\n');
    }
    provenance(&mut out, record);
    for note in run.notes.iter().take(rows) {
        out.push_str(&format!("\n> {}\n", text(note)));
    }
    out
}

fn text(s: &str) -> String {
    markdown(s, 240)
}

fn icon(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✅",
        Verdict::Fail => "❌",
        Verdict::Invalid => "🚫",
        Verdict::Inconclusive => "❔",
        Verdict::NotVerified => "➖",
    }
}

/// A table; `right` says from which column on cells are figures.
fn table(
    out: &mut String,
    title: &str,
    headers: &[&str],
    right: usize,
    rows: Vec<Vec<String>>,
    most: usize,
) {
    if rows.is_empty() {
        return;
    }
    out.push_str(&format!("## {title}\n\n| {} |\n|", headers.join(" | ")));
    for i in 0..headers.len() {
        out.push_str(if i >= right { "---:|" } else { "---|" });
    }
    out.push('\n');
    for row in rows.iter().take(most) {
        out.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    if rows.len() > most {
        out.push_str(&format!("\n{} more in run.json.\n", rows.len() - most));
    }
    out.push('\n');
}

fn with_marks(name: &str, marks: &[String]) -> String {
    let mut out = text(name);
    for mark in marks.iter().take(6) {
        out.push_str(&format!(" *({})*", text(mark)));
    }
    out
}

fn objectives(out: &mut String, record: &RunRecord, most: usize) {
    let rows = record
        .objectives
        .iter()
        .map(|o| {
            let name = format!("{} {}", o.operation, o.metric);
            let marks = words::operation_marks(record, &o.operation);
            vec![
                format!("{} {}", icon(o.verdict), o.verdict),
                with_marks(&name, &marks),
                if o.required { text(&o.origin) } else { format!("{}, optional", text(&o.origin)) },
                text(&o.threshold),
                text(&o.measured),
                text(o.upper99.as_deref().unwrap_or("–")),
                units::count(o.samples),
            ]
        })
        .collect();
    let headers = [
        "verdict",
        "objective",
        "origin",
        "threshold",
        "measured",
        words::bound(record),
        "samples",
    ];
    table(out, "Objectives", &headers, 3, rows, most);
    if !record.objectives.is_empty() {
        out.push_str(&format!("{}\n\n", words::assumption(record)));
    }
}

fn features(out: &mut String, record: &RunRecord, most: usize) {
    let rows = record
        .features
        .iter()
        .map(|f| {
            let fidelity = f.fidelity.map_or("–", |f| f.label());
            vec![
                format!("{} {}", icon(f.verdict), f.verdict),
                text(&f.feature),
                text(&f.promised),
                fidelity.to_owned(),
                text(&f.answered),
            ]
        })
        .collect();
    let headers = ["verdict", "feature", "promised", "fidelity", "what answered"];
    table(out, "Features", &headers, 5, rows, most);
}

fn ledger(out: &mut String, record: &RunRecord, most: usize) {
    let rows = record
        .ledger
        .hops
        .iter()
        .map(|h| {
            let figures = [h.reached, h.lost, h.duplicated, h.reordered, h.corrupted];
            std::iter::once(text(&h.hop)).chain(figures.map(units::count)).collect()
        })
        .collect();
    let headers = ["hop", "reached", "lost", "duplicated", "reordered", "corrupted"];
    table(out, "Ledger", &headers, 1, rows, most);
    let checks = record.ledger.checks.iter();
    let rows = checks
        .map(|c| {
            let equal = if c.ok { "yes" } else { "**no**" };
            vec![text(&c.what), text(&c.expected), text(&c.found), equal.to_owned()]
        })
        .collect();
    let headers = ["at rest", "by the ledger", "in the store", "equal"];
    table(out, "Store checks", &headers, 1, rows, most);
}

fn operations(out: &mut String, run: &Run, most: usize) {
    let seconds = run.measured_s();
    let rows: Vec<Vec<String>> = run
        .record
        .operations
        .iter()
        .map(|o| {
            let largest = match o.response.count {
                0 => words::NONE.to_owned(),
                _ => units::duration_ns(o.response.max_ns as f64),
            };
            vec![
                with_marks(&o.name, &words::operation_marks(&run.record, &o.name)),
                units::count(o.completed),
                units::count(words::errors(o)),
                words::per_s(o.completed, seconds),
                words::percentile(&o.response, 0.5),
                words::percentile(&o.response, 0.99),
                words::percentile(&o.response, 0.999),
                largest,
                words::percentile(&o.service, 0.99),
            ]
        })
        .collect();
    let headers =
        ["operation", "completed", "errors", "/s", "p50", "p99", "p99.9", "max", "service p99"];
    let some = !rows.is_empty();
    table(out, "Operations (response time)", &headers, 1, rows, most);
    if some {
        out.push_str(&format!("{}\n\n", words::percentile_note()));
    }
}

fn components(out: &mut String, record: &RunRecord, most: usize) {
    let rows = record
        .implementations
        .iter()
        .map(|i| {
            vec![
                text(&i.component),
                text(&format!("{} {}", i.name, i.version)),
                i.fidelity.to_string(),
                text(i.note.as_deref().unwrap_or("")),
            ]
        })
        .collect();
    table(out, "Stack", &["component", "implementation", "fidelity", "note"], 4, rows, most);
}

fn provenance(out: &mut String, record: &RunRecord) {
    let h = &record.host;
    out.push_str(&format!(
        "## Provenance\n\nRun {}, odg-bench {}, started {}. Host: {}, {} cores, {}, {}, kernel {}. \
         Seed {}, configuration {}.\n\n",
        text(&record.run_id),
        text(&record.tool_version),
        text(&record.started_at),
        text(&h.cpu_model),
        h.cores,
        units::memory(h.memory_bytes),
        text(&h.os),
        text(&h.kernel),
        record.config.seed,
        text(record.config.hash.get(..12).unwrap_or(&record.config.hash))
    ));
    // In a code span nothing is escaped, so the words must not hold a back-tick or a new line.
    let command: String = words::command(record)
        .chars()
        .take(2_000)
        .map(|c| if c == '`' || c.is_control() { ' ' } else { c })
        .collect();
    out.push_str(&format!("Repeat it: `{command}`\n"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn it_says_what_a_reviewer_needs() {
        let text = markdown_report(&testing::run());
        for part in [
            "# ✅ PASS: small on local",
            "bus.publish",
            "**fake s3**",
            "| rows in lineage_events | 58514 | 58514 | yes |",
            "of 11.57 MB/s planned",
            "upper bound (99 %)",
            "depend on each other",
            "too few samples to claim the percentile",
            "Repeat it: `odg-bench run",
        ] {
            assert!(text.replace('\\', "").contains(part), "{part} in\n{text}");
        }
    }

    #[test]
    fn percentiles_that_too_few_samples_stand_behind_are_dashes() {
        let mut run = testing::run();
        run.record.operations.truncate(1);
        run.record.operations[0].response.count = 100;
        run.record.operations[0].service.count = 100;
        let text = markdown_report(&run);
        let row = text.lines().find(|l| l.starts_with("| bus.publish |")).unwrap();
        let cells: Vec<&str> = row.split(" | ").collect();
        assert!(cells[4].ends_with('s') && cells[7].ends_with('s'), "p50 and maximum: {row}");
        assert!(cells[5] == "–" && cells[6] == "–" && cells[8].starts_with('–'), "{row}");
    }

    #[test]
    fn it_stays_under_the_limit_however_large_the_record() {
        let mut run = testing::run();
        let operation = run.record.operations[0].clone();
        let objective = run.record.objectives[0].clone();
        let feature = run.record.features[0].clone();
        for i in 0..10_000 {
            let mut o = operation.clone();
            o.name = format!("{i}.{}", "_".repeat(500));
            run.record.operations.push(o);
            let mut o = objective.clone();
            o.source = "*".repeat(500);
            o.operation = "|".repeat(500);
            run.record.objectives.push(o);
            let mut f = feature.clone();
            f.answered = "<".repeat(5000);
            run.record.features.push(f);
        }
        let text = markdown_report(&run);
        assert!(text.len() <= MOST_BYTES, "{} bytes", text.len());
    }
}
