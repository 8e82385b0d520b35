//! A history in words: what every page and the terminal say.

use std::fmt::Write as _;

use serde::Serialize;

use super::series::MOST_FOLLOWED;
use super::{Change, Era, History, Kind, Per, Series, verdicts};
use crate::escape;
use crate::record::{RunState, Verdict};
use crate::units::{self, plural};

/// Rows of a table whose length the records decide.
pub(super) const MOST_ROWS: usize = 200;
/// Lines of each kind on a terminal.
const MOST_LINES: usize = 40;

/// How changes are found, for people.
pub(super) const METHOD: &str = "A change is a level that lasts three points or more and differs from the one before, \
    by Student's t on robust, autocorrelation-corrected noise, with a p-value under 5 % after correction for every place \
    at which any series of this page could have changed. It is a regression where it is worse by more than the noise \
    threshold, by itself or (creep) with the changes since the best level. The 5 % hold for noise that is about normal; \
    with spikes (a slow night in ten) false alarms come more often. Runs of other conditions are never compared; INVALID and interrupted runs are shown and not used. \
    Operations count where there are enough of them to claim the percentile at 99 % confidence. More in docs/history.md.";

/// The words and classes of a history.
#[derive(Serialize)]
pub(super) struct View {
    pub(super) label: &'static str,
    pub(super) class: &'static str,
    pub(super) sentence: String,
    pub(super) notes: Vec<String>,
    pub(super) changes: Vec<ChangeView>,
    pub(super) more_changes: usize,
    pub(super) eras: Vec<EraView>,
}

#[derive(Serialize)]
pub(super) struct ChangeView {
    pub(super) label: &'static str,
    pub(super) class: &'static str,
    /// Why it raises no alarm, where it is a regression that does not.
    pub(super) state: String,
    pub(super) run: String,
    pub(super) day: String,
    pub(super) last_before: String,
    pub(super) series: String,
    pub(super) before: String,
    pub(super) after: String,
    pub(super) by: String,
    pub(super) p: String,
    pub(super) points: usize,
    pub(super) with: String,
    pub(super) era: String,
}

#[derive(Serialize)]
pub(super) struct EraView {
    pub(super) name: String,
    pub(super) span: String,
    pub(super) current: bool,
    pub(super) marks: Vec<String>,
    pub(super) differs: Vec<String>,
    pub(super) versions: Vec<String>,
    pub(super) conditions: Vec<(String, String)>,
    pub(super) strip: Vec<RunView>,
    pub(super) counts: String,
}

#[derive(Serialize)]
pub(super) struct RunView {
    pub(super) id: String,
    pub(super) day: String,
    pub(super) label: &'static str,
    pub(super) class: &'static str,
    pub(super) note: &'static str,
}

/// The class of a verdict in the style sheet.
pub(crate) fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::NotVerified => "unseen",
        Verdict::Inconclusive => "open",
        Verdict::Invalid => "invalid",
        Verdict::Fail => "fail",
    }
}

impl View {
    pub(super) fn of(history: &History) -> Self {
        let alarms = history.alarms().count();
        let enough = history.searched > 0;
        let (label, class) = match (alarms, history.open().count(), enough) {
            (0, _, false) => ("TOO FEW RUNS", "open"),
            (0, 0, true) => ("NO NEW REGRESSION", "pass"),
            // What nobody repaired or acknowledged does not pass by growing old.
            (0, _, true) => ("OLD REGRESSION OPEN", "open"),
            _ => ("REGRESSION", "fail"),
        };
        let changes = history.changes();
        Self {
            label,
            class,
            sentence: sentence(history),
            notes: notes(history),
            more_changes: changes.len().saturating_sub(MOST_ROWS),
            changes: changes
                .into_iter()
                .take(MOST_ROWS)
                .map(|c| ChangeView::of(history, c))
                .collect(),
            eras: history.eras.iter().map(|era| EraView::of(history, era)).collect(),
        }
    }
}

impl ChangeView {
    fn of(history: &History, (era, series, change): (&Era, &Series, &Change)) -> Self {
        let state = match change {
            _ if !matches!(change.kind, Kind::Regression | Kind::Creep) => String::new(),
            c if c.alarm => format!("new: within the last {} points", history.recent),
            c if c.repaired => "repaired since".into(),
            c if c.acknowledged => "acknowledged".into(),
            _ if !series.metric.alarms() => "raises no alarm".into(),
            _ if !era.live => "of an earlier era".into(),
            c => format!("{} points ago", c.points),
        };
        Self {
            label: change.kind.label(),
            class: match (change.kind, change.alarm) {
                (Kind::Regression | Kind::Creep, true) => "fail",
                (Kind::Regression | Kind::Creep, false) => "open",
                (Kind::Improvement, _) => "pass",
                (Kind::Small, _) => "unseen",
            },
            state,
            run: change.run_id.clone(),
            day: change.started_at.chars().take(10).collect(),
            last_before: change.last_before.clone(),
            series: format!("{} {}", series.name, series.metric.label()),
            before: series.metric.text(change.before),
            after: series.metric.text(change.after),
            by: by(series, change),
            p: if change.p_value < 0.001 {
                "< 0.001".into()
            } else {
                format!("{:.3}", change.p_value)
            },
            points: change.points,
            with: change.with.join(", "),
            era: name(era),
        }
    }
}

/// How much a change is, with its sign as the figure moved.
fn by(series: &Series, change: &Change) -> String {
    let moved = change.after - change.before;
    if series.metric == super::Metric::Errors {
        return format!("{:+.2} points", moved * 100.0).replace('-', "−");
    }
    if change.before <= 0.0 {
        return "from nothing".into();
    }
    let relative = moved / change.before;
    if relative >= 9.995 {
        return format!("×{:.0}", relative + 1.0);
    }
    format!("{:+.1} %", relative * 100.0).replace('-', "−")
}

impl EraView {
    fn of(history: &History, era: &Era) -> Self {
        let runs: Vec<_> = era.runs.iter().map(|i| &history.runs[*i]).collect();
        let days: Vec<String> =
            runs.iter().map(|r| r.started_at.chars().take(10).collect()).collect();
        let span = match (days.first(), days.last()) {
            (Some(first), Some(last)) if first != last => format!("{first} to {last}"),
            (Some(only), _) => only.clone(),
            _ => String::new(),
        };
        let counts = verdicts(runs.iter().copied());
        let counts: Vec<String> = counts.iter().map(|(v, n)| format!("{n} {v}")).collect();
        Self {
            name: name(era),
            span: format!("{}, {span}", plural(runs.len() as u64, "run", "runs")),
            current: era.current || era.live,
            marks: runs.last().map_or_else(Vec::new, |r| r.marks.clone()),
            differs: era.differs.clone(),
            versions: era
                .versions
                .iter()
                .map(|v| {
                    let day = era.points.get(v.point).map_or("", |p| p.day.as_str());
                    format!("{day}: {} {} → {}", v.what, v.before, v.after)
                })
                .collect(),
            conditions: era.conditions.clone().into_iter().collect(),
            strip: runs
                .iter()
                .zip(days)
                .map(|(run, day)| RunView {
                    id: run.run_id.clone(),
                    day,
                    label: run.verdict.label(),
                    class: class(run.verdict),
                    note: match run.state {
                        RunState::Interrupted => "interrupted, not used",
                        RunState::Aborted => "aborted, not used",
                        RunState::Complete if !run.used => "not used",
                        RunState::Complete => "",
                    },
                })
                .collect(),
            counts: counts.join(", "),
        }
    }
}

pub(super) fn name(era: &Era) -> String {
    format!("{} on {}", era.profile, era.provider)
}

fn sentence(history: &History) -> String {
    let what = match history.per {
        Per::Run => "runs",
        Per::Day => "days",
    };
    let alarms: Vec<_> = history.alarms().collect();
    let mut text = match alarms.as_slice() {
        [] if history.searched == 0 => {
            "No series is long enough yet to look for changes in: six points of equal conditions are the least"
                .to_owned()
        }
        [] => {
            let none = format!("No regression began within the last {} {what}", history.recent);
            match history.open().count() {
                0 => none,
                n => format!("{none}, but {} from before", plural(n as u64, "is open", "are open")),
            }
        }
        some => {
            let (_, series, change) = some[some.len() - 1];
            let first = format!("{} {}", series.name, series.metric.label());
            format!(
                "{} began within the last {} {what}, the first with run {} ({first} {})",
                plural(some.len() as u64, "regression", "regressions"),
                history.recent,
                change.run_id,
                by(series, change)
            )
        }
    };
    let _ = write!(
        text,
        "; {} in {} of equal conditions, {} searched, {} in all.",
        plural(history.runs.len() as u64, "run", "runs"),
        plural(history.eras.len() as u64, "era", "eras"),
        plural(history.searched as u64, "series", "series"),
        plural(history.changes().len() as u64, "change", "changes"),
    );
    text
}

fn notes(history: &History) -> Vec<String> {
    let mut notes = Vec::new();
    if history.not_used() > 0 {
        notes.push(format!(
            "{} INVALID or did not end in order: shown, and not part of any trend.",
            plural(history.not_used() as u64, "run was", "runs were")
        ));
    }
    for (what, list) in [("could not be read", &history.broken), ("left out", &history.twice)] {
        notes.extend(list.iter().take(MOST_ROWS).map(|b| format!("{} {what}: {}", b.path, b.why)));
        if list.len() > MOST_ROWS {
            notes.push(format!("{} more {what}.", list.len() - MOST_ROWS));
        }
    }
    if history.not_followed > 0 {
        notes.push(format!(
            "{} not followed: an era's first {} of each are.",
            plural(
                history.not_followed as u64,
                "operation or component is",
                "operations and components are"
            ),
            units::count(MOST_FOLLOWED as u64)
        ));
    }
    for line in history.unmatched.iter().take(MOST_ROWS) {
        notes.push(format!("Acknowledged, and no change of this history: {line}"));
    }
    notes
}

/// The history as lines for a terminal.
#[must_use]
pub fn text(history: &History) -> String {
    let view = View::of(history);
    let clean = |s: &str| escape::terminal(s);
    let mut out = format!("{}: {}\n", view.label, clean(&view.sentence));
    for note in view.notes.iter().take(MOST_LINES) {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "  ! {}", clean(note));
    }
    if !view.changes.is_empty() {
        let _ = writeln!(
            out,
            "\n{:<13} {:<10} {:<28} {:>11} {:>11} {:>9}  first run, and what came with it",
            "", "day", "what", "before", "after", "change"
        );
    }
    for change in view.changes.iter().take(MOST_LINES) {
        let extra: Vec<&str> = [&change.with, &change.state]
            .into_iter()
            .map(String::as_str)
            .filter(|s| !s.is_empty())
            .collect();
        let extra =
            if extra.is_empty() { String::new() } else { format!("  ({})", extra.join("; ")) };
        let _ = writeln!(
            out,
            "{:<13} {:<10} {:<28} {:>11} {:>11} {:>9}  {}{}",
            change.label,
            clean(&change.day),
            clean(&change.series),
            change.before,
            change.after,
            change.by,
            clean(&change.run),
            clean(&extra)
        );
    }
    let all = history.changes().len();
    if all > MOST_LINES {
        let _ = writeln!(out, "{} more changes are in history.json.", all - MOST_LINES);
    }
    out.push('\n');
    for era in view.eras.iter().take(MOST_LINES) {
        let now = if era.current { "" } else { " (earlier conditions)" };
        let _ = writeln!(out, "{}{now}: {}; {}", clean(&era.name), clean(&era.span), era.counts);
        for what in era.differs.iter().take(8) {
            let _ = writeln!(out, "    began with {}", clean(what));
        }
    }
    if view.eras.len() > MOST_LINES {
        let _ = writeln!(out, "{} more eras are in history.json.", view.eras.len() - MOST_LINES);
    }
    out
}
