//! What a person sees while a run goes on.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use odg_profiles::units::{format_duration_ns, format_rate};
use odg_workloads::day::{Progress as Events, operations};

use super::monitor::Latest;

/// How a run reports while it goes on. Everything goes to standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A line that is redrawn.
    Bar,
    /// Plain lines, one every few seconds.
    Lines,
    /// Nothing.
    Quiet,
}

impl Style {
    /// The style for this terminal.
    pub fn detect(quiet: bool) -> Self {
        if quiet {
            Self::Quiet
        } else if std::io::stderr().is_terminal() {
            Self::Bar
        } else {
            Self::Lines
        }
    }
}

/// Time between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Progress of one run.
pub struct Progress {
    style: Style,
    bar: Option<ProgressBar>,
    warmup_s: f64,
    total_s: f64,
    last_line: Option<Instant>,
}

impl Progress {
    /// Progress of a run of `total_s` seconds of which the first `warmup_s` are warm-up.
    pub fn new(style: Style, warmup_s: f64, total_s: f64) -> Self {
        Self { style, bar: None, warmup_s, total_s, last_line: None }
    }

    /// Says what happens now, outside the load.
    pub fn step(&self, text: &str) {
        match (&self.bar, self.style) {
            (_, Style::Quiet) => {}
            (Some(bar), _) => bar.set_message(text.to_owned()),
            (None, _) => eprintln!("  {text}"),
        }
    }

    /// The load starts.
    pub fn start(&mut self) {
        if self.style != Style::Bar {
            return;
        }
        let bar = ProgressBar::new(self.total_s.ceil() as u64);
        if let Ok(style) = ProgressStyle::with_template("  {bar:30} {pos:>4}/{len} s  {wide_msg}") {
            bar.set_style(style);
        }
        self.bar = Some(bar);
    }

    /// After each interval: rates, p99 so far, lag and time left.
    pub fn tick(&mut self, latest: &Latest, events: Events, p99_ns: Option<u64>) {
        if self.style == Style::Quiet {
            return;
        }
        let Some(publish) = latest.rows.iter().find(|r| r.operation == operations::PUBLISH) else {
            return;
        };
        let left = (self.total_s - publish.t_s).max(0.0);
        let text = format!(
            "{}{:.0} events/s, {}, p99 {}, {} events behind, {left:.0} s left",
            if publish.t_s <= self.warmup_s { "warm-up, " } else { "" },
            publish.completed as f64 / publish.dt_s.max(1e-9),
            format_rate(publish.bytes as f64 / publish.dt_s.max(1e-9)),
            p99_ns.map_or_else(|| "–".to_owned(), format_duration_ns),
            events.sent.saturating_sub(events.registered),
        );
        match &self.bar {
            Some(bar) => {
                bar.set_position(publish.t_s as u64);
                bar.set_message(text);
            }
            None if self.last_line.is_none_or(|last| last.elapsed() >= LINE_EVERY) => {
                self.last_line = Some(Instant::now());
                eprintln!("  {:>4.0} s  {text}", publish.t_s);
            }
            None => {}
        }
    }

    /// The load has ended.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
