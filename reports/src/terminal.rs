//! The verdict on one screen.

use crate::escape;
use crate::record::{Fidelity, RunRecord, Verdict};
use crate::units;
use crate::words;

const MOST_OBJECTIVES: usize = 5;
const MOST_REASONS: usize = 3;

/// The run on one screen: at most 24 lines of at most `width` columns (at least 60 are used), with
/// ANSI colours if `colour`.
#[must_use]
pub fn one_screen(record: &RunRecord, width: usize, colour: bool) -> String {
    let mut screen = Screen { width: width.max(60), colour, out: String::new() };
    screen.verdict(record.verdict, &words::sentence(record));
    screen.plain(&format!("Run {}, {}", record.run_id, duration(record)));
    let marks = words::marks(record);
    if !marks.is_empty() {
        screen.plain(&format!("Marked: {}", marks.join(", ")));
    }
    for reason in record.reasons.iter().take(MOST_REASONS) {
        screen.plain(&format!("- {reason}"));
    }
    more(&mut screen, record.reasons.len(), MOST_REASONS, "reasons");

    if !record.objectives.is_empty() {
        screen.blank();
        screen.dim(&row("", "objective", "measured", "threshold", "at most", "samples"));
    }
    // What failed comes first, so that it is never among the rows left out.
    let mut objectives: Vec<_> = record.objectives.iter().collect();
    objectives.sort_by_key(|o| std::cmp::Reverse(o.verdict));
    for o in objectives.iter().take(MOST_OBJECTIVES) {
        let metric = o.metric.split(' ').next().unwrap_or_default();
        let name = format!("{} {metric}", o.operation);
        let measured = if o.measured.is_empty() { "none" } else { &o.measured };
        let bound = o.upper99.as_deref().unwrap_or("–");
        let samples = units::count(o.samples);
        screen.verdict(o.verdict, &row("", &name, measured, &o.threshold, bound, &samples));
    }
    more(&mut screen, objectives.len(), MOST_OBJECTIVES, "objectives");

    screen.blank();
    screen.plain(&format!("Load      {}", words::load(record)));
    let g = &record.generator;
    screen.plain(&format!(
        "Schedule  {} held, lag p99 {}, {} of its ceiling",
        units::percent(g.held),
        units::duration_ns(g.lag.p99_ns as f64),
        units::percent(g.utilisation)
    ));
    let chain = words::ledger_chain(record);
    if !chain.is_empty() {
        screen.plain(&format!("Ledger    {}: {chain}", words::ledger_state(record)));
    }
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
    screen.out
}

fn duration(record: &RunRecord) -> String {
    let c = &record.config;
    format!(
        "{} measured after {} of warm-up",
        units::seconds(c.duration_s),
        units::seconds(c.warmup_s)
    )
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

fn row(lead: &str, name: &str, measured: &str, threshold: &str, bound: &str, n: &str) -> String {
    format!("{lead}{name:<22}{measured:>10}{threshold:>12}{bound:>10}{n:>11}")
}

fn more(screen: &mut Screen, all: usize, shown: usize, what: &str) {
    if all > shown {
        screen.dim(&format!("  and {} more {what} in the report", all - shown));
    }
}

struct Screen {
    width: usize,
    colour: bool,
    out: String,
}

impl Screen {
    /// Columns of the verdict before a line.
    const LABEL: usize = 13;

    fn verdict(&mut self, verdict: Verdict, text: &str) {
        let label = format!("{verdict:<width$}", width = Self::LABEL);
        let text = self.cut(text, self.width - Self::LABEL);
        let code = match verdict {
            Verdict::Pass => "32",
            Verdict::Fail => "31",
            Verdict::Invalid => "35",
            Verdict::Inconclusive => "33",
            Verdict::NotVerified => "2",
        };
        if self.colour {
            self.out.push_str(&format!("\x1b[1;{code}m{label}\x1b[0m{text}\n"));
        } else {
            self.out.push_str(&format!("{label}{text}\n"));
        }
    }

    fn plain(&mut self, text: &str) {
        let text = self.cut(text, self.width);
        self.out.push_str(&text);
        self.out.push('\n');
    }

    fn dim(&mut self, text: &str) {
        // Aligned with the text behind a verdict where it is a table's head.
        let indented = if text.starts_with("  ") {
            text.to_owned()
        } else {
            format!("{:width$}{text}", "", width = Self::LABEL)
        };
        let text = self.cut(&indented, self.width);
        if self.colour {
            self.out.push_str(&format!("\x1b[2m{text}\x1b[0m\n"));
        } else {
            self.out.push_str(&format!("{text}\n"));
        }
    }

    fn blank(&mut self) {
        self.out.push('\n');
    }

    fn cut(&self, text: &str, most: usize) -> String {
        let text = escape::terminal(text);
        let text = text.trim_end();
        if text.chars().count() <= most {
            return text.to_owned();
        }
        let mut out: String = text.chars().take(most.saturating_sub(1)).collect();
        out.push('…');
        out
    }
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
