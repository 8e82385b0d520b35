//! Throughput and backlog over time.

use std::collections::BTreeMap;

use super::axis::{Axis, plain};
use super::canvas::{COLOURS, Drawing, Line};
use super::series::{Fold, MOST_POINTS, MOST_ROWS, Point, decimate, fold_note};
use super::{Chart, ChartTable, MOST, slug};
use crate::error::RecordError;
use crate::read::Run;
use crate::record::SeriesRow;
use crate::units;

/// End of the time axis.
pub(super) fn end_s(run: &Run) -> f64 {
    let rows = run.series.iter().map(|r| r.t_s);
    rows.chain(run.resources.iter().map(|r| r.t_s)).fold(0.0, f64::max)
}

/// Sums a figure of the chosen rows by time.
fn by_time(
    rows: &[SeriesRow],
    chosen: impl Fn(&SeriesRow) -> bool,
    figure: impl Fn(&SeriesRow) -> f64,
) -> Vec<Point> {
    let mut sums: BTreeMap<u64, f64> = BTreeMap::new();
    for row in rows.iter().filter(|r| chosen(r)) {
        // Milliseconds: the resolution of series.csv.
        *sums.entry((row.t_s * 1e3).round() as u64).or_default() += figure(row);
    }
    sums.into_iter().map(|(ms, v)| (ms as f64 / 1e3, v)).collect()
}

/// Offered against completed, one chart per operation: operations of one system move different things.
pub(super) fn throughput(run: &Run) -> Result<Vec<Chart>, RecordError> {
    let operations = run.record.operations.iter().take(MOST).enumerate();
    operations.map(|(index, operation)| throughput_of(run, &operation.name, index)).collect()
}

fn throughput_of(run: &Run, of: &str, index: usize) -> Result<Chart, RecordError> {
    let per_s = |count: fn(&SeriesRow) -> u64| {
        by_time(&run.series, |r| r.operation == of && r.dt_s > 0.0, |r| count(r) as f64 / r.dt_s)
    };
    let offered = per_s(|r| r.offered);
    let completed = per_s(|r| r.completed);
    let errors = per_s(|r| r.errors);
    let (drawn_offered, size) = decimate(&offered, MOST_POINTS, Fold::Mean);
    let (drawn_completed, _) = decimate(&completed, MOST_POINTS, Fold::Mean);
    let mut lines = vec![
        Line { name: "offered".into(), colour: 6, dashed: true, points: drawn_offered },
        Line { name: "completed".into(), colour: 0, dashed: false, points: drawn_completed },
    ];
    if errors.iter().any(|p| p.1 > 0.0) {
        let (points, _) = decimate(&errors, MOST_POINTS, Fold::Mean);
        lines.push(Line { name: "errors".into(), colour: 1, dashed: false, points });
    }
    let max = lines.iter().flat_map(|l| &l.points).map(|p| p.1).fold(0.0, f64::max);

    let (rows_offered, row_size) = decimate(&offered, MOST_ROWS, Fold::Mean);
    let (rows_completed, _) = decimate(&completed, MOST_ROWS, Fold::Mean);
    let (rows_errors, _) = decimate(&errors, MOST_ROWS, Fold::Mean);
    let rows = rows_offered
        .iter()
        .zip(&rows_completed)
        .zip(&rows_errors)
        .map(|((o, c), e)| {
            vec![format!("{:.0}", o.0), units::rate(o.1), units::rate(c.1), units::rate(e.1)]
        })
        .collect();
    Drawing {
        slug: slug("throughput", of, index),
        title: format!("{of}: throughput"),
        unit: "operations per second",
        x: Axis::time(end_s(run)),
        y: Axis::from_zero(max, plain),
        lines,
        warmup_s: run.record.config.warmup_s,
        events: &run.record.events,
        limit: None,
        mark: None,
        note: fold_note(size, Fold::Mean),
        table: ChartTable {
            headers: table_headers(
                &["offered /s", "completed /s", "errors /s"],
                row_size,
                Fold::Mean,
            ),
            rows,
        },
    }
    .draw()
}

/// Headers of a table over time: the first says how rows were folded.
pub(super) fn table_headers(names: &[&str], size: usize, fold: Fold) -> Vec<String> {
    let how = match (size, fold) {
        (0 | 1, _) => "to second".to_owned(),
        (n, Fold::Mean) => format!("to second (mean of {n})"),
        (n, Fold::Max) => format!("to second (largest of {n})"),
    };
    std::iter::once(how).chain(names.iter().map(|n| (*n).to_owned())).collect()
}

/// Operations waiting to start, the busiest ones.
pub(super) fn backlog(run: &Run) -> Result<Chart, RecordError> {
    let mut peaks: BTreeMap<&str, u64> = BTreeMap::new();
    for row in &run.series {
        let peak = peaks.entry(&row.operation).or_default();
        *peak = (*peak).max(row.backlog);
    }
    let mut busiest: Vec<(&str, u64)> = peaks.into_iter().collect();
    busiest.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let all = busiest.len();
    busiest.truncate(COLOURS);

    let mut size = 1;
    let mut lines = Vec::new();
    for (colour, (operation, _)) in busiest.iter().enumerate() {
        let points = by_time(&run.series, |r| r.operation == *operation, |r| r.backlog as f64);
        let (points, folded) = decimate(&points, MOST_POINTS, Fold::Max);
        size = size.max(folded);
        lines.push(Line { name: (*operation).to_owned(), colour, dashed: false, points });
    }
    let max = busiest.first().map_or(0, |b| b.1);
    let mut note = fold_note(size, Fold::Max);
    note.push_str(" Operations whose intended start has passed and that no lane has taken up.");
    if all > COLOURS {
        note.push_str(&format!(" The {COLOURS} longest of {all} are shown."));
    }
    let rows =
        busiest.iter().map(|(name, peak)| vec![(*name).to_owned(), units::count(*peak)]).collect();
    Drawing {
        slug: "backlog".into(),
        title: "Backlog".into(),
        unit: "operations waiting at the end of each interval",
        x: Axis::time(end_s(run)),
        y: Axis::from_zero((max as f64).max(4.0), plain),
        lines,
        warmup_s: run.record.config.warmup_s,
        events: &run.record.events,
        limit: None,
        mark: None,
        note,
        table: ChartTable { headers: vec!["operation".into(), "most waiting".into()], rows },
    }
    .draw()
}
