//! A figure over many runs, with its levels and what changed between them.

use super::axis::{Axis, plain};
use super::canvas::{Drawing, Line};
use super::{Chart, ChartTable, slug};
use crate::error::RecordError;
use crate::record::TimelineEvent;
use crate::units;

/// A trend to be drawn.
pub(crate) struct Trend<'a> {
    /// Where it stands among the charts of its page.
    pub(crate) index: usize,
    pub(crate) title: String,
    pub(crate) unit: &'a str,
    /// What each point is called under the axis.
    pub(crate) labels: Vec<String>,
    /// A value per point, where it has one.
    pub(crate) values: Vec<Option<f64>>,
    /// The level at each point.
    pub(crate) levels: Vec<Option<f64>>,
    /// Nanoseconds on a logarithmic axis, else anything from zero.
    pub(crate) latency: bool,
    /// A share, shown as per cent.
    pub(crate) share: bool,
    /// Points at which something changed, and what.
    pub(crate) marks: Vec<(usize, String)>,
    pub(crate) table: ChartTable,
}

impl Trend<'_> {
    /// Draws it.
    pub(crate) fn draw(self) -> Result<Chart, RecordError> {
        let points = |values: &[Option<f64>], from: &dyn Fn(f64) -> f64| {
            let of = |(i, v): (usize, &Option<f64>)| (i as f64, v.map_or(f64::NAN, from));
            values.iter().enumerate().map(of).collect::<Vec<_>>()
        };
        let shown = |v: f64| if self.latency { v.max(1.0).log10() } else { v };
        let known = || self.values.iter().chain(&self.levels).flatten().copied();
        let (min, max) = (known().fold(f64::INFINITY, f64::min), known().fold(0.0, f64::max));
        let y = if self.latency {
            Axis::log_ns(min, max)
        } else if self.share {
            // A flat line of no errors stands on an axis to one per cent.
            Axis::from_zero(max.max(0.01), units::percent)
        } else {
            Axis::from_zero(max, plain)
        };
        // Levels break at a change, so that no line slopes between two of them.
        let mut levels = points(&self.levels, &shown);
        for (i, pair) in self.levels.windows(2).enumerate() {
            if let [Some(a), Some(b)] = pair
                && a != b
            {
                levels.push((i as f64 + 0.5, f64::NAN));
            }
        }
        levels.sort_by(|a, b| a.0.total_cmp(&b.0));
        let events: Vec<TimelineEvent> = self
            .marks
            .iter()
            .map(|(at, what)| TimelineEvent {
                t_s: *at as f64 - 0.5,
                kind: what.clone(),
                text: String::new(),
            })
            .collect();
        Drawing {
            slug: slug("trend", &self.title, self.index),
            title: self.title.clone(),
            operation: "",
            unit: self.unit,
            x: Axis::runs(self.labels.clone()),
            y,
            lines: vec![
                Line { name: "level".into(), colour: 1, dashed: false, points: levels },
                Line {
                    name: "runs".into(),
                    colour: 0,
                    dashed: false,
                    points: points(&self.values, &shown),
                },
            ],
            cells: Vec::new(),
            shades: &[],
            warmup_s: 0.0,
            events: &events,
            limit: None,
            mark: None,
            note: "Runs stand side by side in order of time, whatever time lies between them."
                .into(),
            table: self.table,
        }
        .draw()
    }
}
