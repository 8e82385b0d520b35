//! CPU of every component over time.

use std::collections::BTreeMap;

use super::axis::{Axis, plain};
use super::canvas::{COLOURS, Drawing, Line};
use super::rates::table_headers;
use super::series::{Fold, MOST_POINTS, MOST_ROWS, Point, decimate, fold_note};
use super::{Chart, ChartTable};
use crate::error::RecordError;
use crate::read::Run;
use crate::units;

pub(super) fn cpu(run: &Run, end_s: f64) -> Result<Chart, RecordError> {
    let mut components: BTreeMap<&str, Vec<Point>> = BTreeMap::new();
    for row in &run.resources {
        components.entry(&row.component).or_default().push((row.t_s, row.cpu_cores));
    }
    let total = |points: &[Point]| points.iter().map(|p| p.1).sum::<f64>();
    let mut busiest: Vec<(&str, Vec<Point>)> = components.into_iter().collect();
    busiest.sort_by(|a, b| total(&b.1).total_cmp(&total(&a.1)));
    let all = busiest.len();
    busiest.truncate(COLOURS);

    let mut size = 1;
    let mut lines = Vec::new();
    for (colour, (component, points)) in busiest.iter().enumerate() {
        let (points, folded) = decimate(points, MOST_POINTS, Fold::Mean);
        size = size.max(folded);
        let dashed = *component == "odg-bench";
        lines.push(Line { name: (*component).to_owned(), colour, dashed, points });
    }
    let max = lines.iter().flat_map(|l| &l.points).map(|p| p.1).fold(0.0, f64::max);
    let mut note = fold_note(size, Fold::Mean);
    note.push_str(&format!(
        " 1 is one core kept busy; this machine has {}.",
        run.record.host.cores
    ));
    if all > COLOURS {
        note.push_str(&format!(" The {COLOURS} busiest of {all} components are shown."));
    }
    Drawing {
        slug: "cpu".into(),
        title: "CPU by component".into(),
        operation: "",
        unit: "cores busy",
        x: Axis::time(end_s),
        y: Axis::from_zero(max, plain),
        lines,
        cells: Vec::new(),
        shades: &[],
        warmup_s: run.record.config.warmup_s,
        events: &run.record.events,
        limit: None,
        mark: None,
        note,
        table: table(&busiest),
    }
    .draw()
}

/// A row per time, a column per component. Times are the first component's.
fn table(busiest: &[(&str, Vec<Point>)]) -> ChartTable {
    let Some((_, first)) = busiest.first() else { return ChartTable::default() };
    let (times, size) = decimate(first, MOST_ROWS, Fold::Mean);
    let names: Vec<&str> = busiest.iter().map(|b| b.0).collect();
    let rows = times
        .iter()
        .scan(f64::NEG_INFINITY, |after, (t, _)| {
            let since = std::mem::replace(after, *t);
            let mut cells = vec![format!("{t:.0}")];
            for (_, points) in busiest {
                let from = points.partition_point(|p| p.0 <= since);
                let to = points.partition_point(|p| p.0 <= *t);
                let bucket = points.get(from..to).unwrap_or_default();
                cells.push(match bucket.len() {
                    0 => "–".to_owned(),
                    n => units::rate(bucket.iter().map(|p| p.1).sum::<f64>() / n as f64),
                });
            }
            Some(cells)
        })
        .collect();
    ChartTable { headers: table_headers(&names, size, Fold::Mean), rows }
}
