//! The verdict on one screen.

use crate::escape;
use crate::record::{Fidelity, RunRecord, Verdict};
use crate::summary::measured_s;
use crate::{load, units, words};

const MOST_LINES: usize = 24;
const MOST_REASONS: usize = 3;
/// Lines that the objectives want: a gap, the head, and a few rows.
const OBJECTIVES_WANT: usize = 6;

/// The run on one screen: at most 24 lines of at most `width` columns (at least 60 are used), with
/// ANSI colours if `colour`. What does not fit is cut with a `…` and is in the report.
#[must_use]
pub fn one_screen(record: &RunRecord, width: usize, colour: bool) -> String {
    let screen = || Screen { width: width.max(60), colour, wrap: 1, lines: Vec::new() };
    let mut below = screen();
    facts(&mut below, record);
    // Long sentences are wrapped as far as that leaves room for the objectives.
    let wants = if record.objectives.is_empty() { 0 } else { OBJECTIVES_WANT };
    let mut above = screen();
    for wrap in [3, 2, 1] {
        above = Screen { wrap, ..screen() };
        verdict(&mut above, record);
        if above.lines.len() + below.lines.len() + wants <= MOST_LINES {
            break;
        }
    }
    let room = MOST_LINES.saturating_sub(above.lines.len() + below.lines.len());
    objectives(&mut above, record, room);
    above.lines.append(&mut below.lines);
    above.lines.concat()
}

/// The verdict and why.
fn verdict(screen: &mut Screen, record: &RunRecord) {
    screen.verdict(record.verdict, &words::sentence(record));
    screen.plain(&format!(
        "Run {}, {} measured after {} of warm-up",
        record.run_id,
        units::seconds(measured_s(record, &[])),
        units::seconds(record.config.warmup_s)
    ));
    let marks = words::marks(record);
    if !marks.is_empty() {
        screen.wrapped("Marked: ", &marks.join(", "));
    }
    for (i, reason) in record.reasons.iter().take(MOST_REASONS).enumerate() {
        if i == 0 {
            screen.wrapped("- ", reason);
        } else {
            screen.plain(&format!("- {reason}"));
        }
    }
    more(screen, record.reasons.len(), MOST_REASONS, "reasons");
}

/// A table of as many objectives as there is room for.
fn objectives(screen: &mut Screen, record: &RunRecord, room: usize) {
    if record.objectives.is_empty() {
        return;
    }
    screen.blank();
    screen.dim(&row("objective", "measured", "threshold", "bound", "samples"));
    let rows = room.saturating_sub(2);
    let all = record.objectives.len();
    let shown = if all <= rows { all } else { rows.saturating_sub(1) };
    // What failed comes first, so that it is never among the rows left out.
    let mut objectives: Vec<_> = record.objectives.iter().collect();
    objectives.sort_by_key(|o| std::cmp::Reverse(o.verdict));
    for o in objectives.iter().take(shown) {
        let metric = o.metric.split(' ').next().unwrap_or_default();
        let name = format!("{} {metric}", o.operation);
        let measured = if o.measured.is_empty() { "none" } else { &o.measured };
        let bound = o.upper99.as_deref().unwrap_or(words::NONE);
        let samples = units::count(o.samples);
        screen.verdict(o.verdict, &row(&name, measured, &o.threshold, bound, &samples));
    }
    more(screen, all, shown, "objectives");
}

/// What the verdict stands on.
fn facts(screen: &mut Screen, record: &RunRecord) {
    screen.blank();
    let load = load::load(record, measured_s(record, &[]));
    screen.plain(&format!("Load      {}, {}, {}", load.bytes, load.events, load::volume(record)));
    screen.plain(&format!("Schedule  {}", words::schedule(record)));
    screen.plain(&format!("Ledger    {}", words::ledger(record)));
    if !record.features.is_empty() {
        screen.plain(&format!("Features  {}", features(record)));
    }
    for (i, line) in stack(record).iter().enumerate() {
        screen.plain(&format!("{:<10}{line}", if i == 0 { "Stack" } else { "" }));
    }
    if let Some(w) = record.warnings.first() {
        let of = match record.warnings.len() {
            1 => String::new(),
            n => format!("(1 of {n}) "),
        };
        screen.plain(&format!("Warning   {of}{}", w.text));
        screen.plain(&format!("          {}", w.action));
    }
}

/// What answered, a line per fidelity.
fn stack(record: &RunRecord) -> Vec<String> {
    let of = |fidelity| {
        let all = record.implementations.iter().filter(|i| i.fidelity == fidelity);
        let names: Vec<String> = all.map(|i| format!("{} {}", i.name, i.version)).collect();
        (!names.is_empty()).then(|| format!("{fidelity}: {}", names.join(", ")))
    };
    [Fidelity::Real, Fidelity::Compatible, Fidelity::Fake].into_iter().filter_map(of).collect()
}

/// `5 PASS, 1 NOT VERIFIED`, and the names of those that failed.
fn features(record: &RunRecord) -> String {
    let order = [
        Verdict::Fail,
        Verdict::Invalid,
        Verdict::Inconclusive,
        Verdict::Pass,
        Verdict::NotVerified,
    ];
    let mut parts = Vec::new();
    for verdict in order {
        let of: Vec<&str> = record
            .features
            .iter()
            .filter(|f| f.verdict == verdict)
            .map(|f| f.feature.as_str())
            .collect();
        if !of.is_empty() {
            let mut part = format!("{} {verdict}", of.len());
            if verdict == Verdict::Fail {
                part.push_str(&format!(" ({})", of.join(", ")));
            }
            parts.push(part);
        }
    }
    parts.join(", ")
}

fn row(name: &str, measured: &str, threshold: &str, bound: &str, n: &str) -> String {
    format!("{name:<22}{measured:>10}{threshold:>12}{bound:>10}{n:>11}")
}

fn more(screen: &mut Screen, all: usize, shown: usize, what: &str) {
    if all > shown {
        screen.dim(&format!("  and {} more {what} in the report", all - shown));
    }
}

struct Screen {
    width: usize,
    colour: bool,
    /// Most lines that a sentence may take.
    wrap: usize,
    lines: Vec<String>,
}

impl Screen {
    /// Columns of the verdict before a line.
    const LABEL: usize = 13;

    fn verdict(&mut self, verdict: Verdict, text: &str) {
        let label = format!("{verdict:<width$}", width = Self::LABEL);
        let code = match verdict {
            Verdict::Pass => "32",
            Verdict::Fail => "31",
            Verdict::Invalid => "35",
            Verdict::Inconclusive => "33",
            Verdict::NotVerified => "2",
        };
        for (i, text) in self.split(text, self.width - Self::LABEL).iter().enumerate() {
            self.lines.push(match (i, self.colour) {
                (0, true) => format!("\x1b[1;{code}m{label}\x1b[0m{text}\n"),
                (0, false) => format!("{label}{text}\n"),
                _ => format!("{:width$}{text}\n", "", width = Self::LABEL),
            });
        }
    }

    /// A sentence on as many lines as it may take; those behind the first are indented.
    fn wrapped(&mut self, lead: &str, text: &str) {
        let indent = lead.chars().count();
        for (i, text) in self.split(text, self.width - indent).iter().enumerate() {
            let lead = if i == 0 { lead } else { "" };
            self.lines.push(format!("{lead:<indent$}{text}\n"));
        }
    }

    fn plain(&mut self, text: &str) {
        let text = cut(&escape::terminal(text), self.width);
        self.lines.push(format!("{text}\n"));
    }

    fn dim(&mut self, text: &str) {
        // Aligned with the text behind a verdict where it is a table's head.
        let indented = if text.starts_with("  ") {
            text.to_owned()
        } else {
            format!("{:width$}{text}", "", width = Self::LABEL)
        };
        let text = cut(&escape::terminal(&indented), self.width);
        self.lines.push(if self.colour {
            format!("\x1b[2m{text}\x1b[0m\n")
        } else {
            format!("{text}\n")
        });
    }

    fn blank(&mut self) {
        self.lines.push("\n".to_owned());
    }

    /// Lines of at most `most` columns, broken between words; the last one allowed is cut.
    fn split(&self, text: &str, most: usize) -> Vec<String> {
        let text = escape::terminal(text);
        let mut rest = text.trim_end();
        let mut lines = Vec::new();
        while lines.len() + 1 < self.wrap && rest.chars().count() > most {
            let end = rest.char_indices().nth(most + 1).map_or(rest.len(), |(at, _)| at);
            let Some(at) = rest[..end].rfind(' ').filter(|at| *at > 0) else { break };
            lines.push(rest[..at].trim_end().to_owned());
            rest = rest[at..].trim_start();
        }
        lines.push(cut(rest, most));
        lines
    }
}

fn cut(text: &str, most: usize) -> String {
    let text = text.trim_end();
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(most.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// Foreign text as one line for a terminal: without control characters, so without escape sequences.
#[must_use]
pub fn plain(text: &str) -> String {
    escape::terminal(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn it_fits_one_screen_of_80_columns() {
        let mut record = testing::record();
        for _ in 0..5 {
            let (objective, warning) = (record.objectives[0].clone(), record.warnings[0].clone());
            record.objectives.extend([objective.clone(), objective]);
            record.warnings.extend([warning.clone(), warning]);
            record.reasons.push("x".repeat(300));
        }
        let screen = one_screen(&record, 80, false);
        assert!(screen.lines().count() <= 24, "{} lines\n{screen}", screen.lines().count());
        assert!(screen.lines().all(|l| l.chars().count() <= 80), "{screen}");
    }

    #[test]
    fn the_reason_of_a_pass_is_read_to_its_end_and_all_objectives_fit() {
        let mut record = testing::record();
        let objective = record.objectives[0].clone();
        record.objectives.extend(vec![objective; 3]);
        // On the real components, as a run that is published.
        record.implementations.pop();
        record.marks.clear();
        let screen = one_screen(&record, 80, false);
        assert!(screen.lines().count() <= 24, "{screen}");
        assert!(screen.contains("the ledger balances\n"), "{screen}");
        assert!(!screen.contains("more objectives"), "{screen}");
    }

    #[test]
    fn figures_that_a_killed_run_never_wrote_are_not_shown_as_zero() {
        let mut record = testing::record();
        record.state = crate::record::RunState::Interrupted;
        record.generator = crate::record::GeneratorSummary::default();
        record.ledger = crate::record::LedgerSummary::default();
        record.events.truncate(1);
        let screen = one_screen(&record, 80, false);
        assert!(screen.contains("Schedule  not recorded"), "{screen}");
        assert!(screen.contains("Ledger    not recorded"), "{screen}");
        assert!(screen.contains(", 0 s measured"), "{screen}");
    }

    #[test]
    fn the_verdict_comes_first_and_what_failed_is_never_left_out() {
        let mut record = testing::record();
        let mut failed = record.objectives[0].clone();
        failed.verdict = Verdict::Fail;
        failed.operation = "redis.get".into();
        for _ in 0..10 {
            let objective = record.objectives[0].clone();
            record.objectives.push(objective);
        }
        record.objectives.push(failed);
        let screen = one_screen(&record, 80, false);
        assert!(screen.starts_with("PASS"), "{screen}");
        assert!(screen.contains("FAIL         redis.get p99"), "{screen}");
        assert!(screen.contains("fake s3"), "{screen}");
    }

    #[test]
    fn no_escape_sequence_of_a_record_reaches_the_terminal() {
        let mut record = testing::record();
        testing::poison(&mut record, "\x1b[2J\x07");
        let screen = one_screen(&record, 80, false);
        assert!(!screen.contains('\x1b') && !screen.contains('\x07'));
        assert!(one_screen(&record, 80, true).contains("\x1b[1;32mPASS"));
    }
}
