//! Throughput and backlog over time.

use super::axis::{Axis, plain};
use super::canvas::{COLOURS, Drawing, Line};
use super::rows::Rows;
use super::series::{Fold, MOST_POINTS, MOST_ROWS, Point, decimate, fold_note};
use super::{Chart, ChartTable, slug};
use crate::error::RecordError;
use crate::read::Run;
use crate::record::SeriesRow;
use crate::units;

/// Sums a figure by time.
fn by_time(rows: &[&SeriesRow], figure: impl Fn(&SeriesRow) -> f64) -> Vec<Point> {
    // Milliseconds: the resolution of series.csv.
    let mut all: Vec<(u64, f64)> =
        rows.iter().map(|r| ((r.t_s * 1e3).round() as u64, figure(r))).collect();
    // They are in order but for an edited file, so this is quick.
    all.sort_by_key(|(ms, _)| *ms);
    let mut sums: Vec<(u64, f64)> = Vec::with_capacity(all.len());
    for (ms, value) in all {
        match sums.last_mut() {
            Some(last) if last.0 == ms => last.1 += value,
            _ => sums.push((ms, value)),
        }
    }
    sums.into_iter().map(|(ms, v)| (ms as f64 / 1e3, v)).collect()
}

/// Offered against completed of one operation: operations of one system move different things.
pub(super) fn throughput(
    run: &Run,
    rows: &Rows<'_>,
    of: &str,
    index: usize,
) -> Result<Chart, RecordError> {
    let usable: Vec<&SeriesRow> = rows.of(of).iter().copied().filter(|r| r.dt_s > 0.0).collect();
    let per_s = |count: fn(&SeriesRow) -> u64| by_time(&usable, |r| count(r) as f64 / r.dt_s);
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
    let table = rows_offered
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
        operation: of,
        unit: "operations per second",
        x: Axis::time(rows.end_s),
        y: Axis::from_zero(max, plain),
        lines,
        cells: Vec::new(),
        shades: &[],
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
            rows: table,
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
pub(super) fn backlog(run: &Run, rows: &Rows<'_>) -> Result<Chart, RecordError> {
    let peak = |rows: &[&SeriesRow]| rows.iter().map(|r| r.backlog).max().unwrap_or(0);
    let mut busiest: Vec<(&str, u64)> = rows.all().map(|(name, of)| (name, peak(of))).collect();
    busiest.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let all = busiest.len();
    busiest.truncate(COLOURS);

    let mut size = 1;
    let mut lines = Vec::new();
    for (colour, (operation, _)) in busiest.iter().enumerate() {
        let points = by_time(rows.of(operation), |r| r.backlog as f64);
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
    let table =
        busiest.iter().map(|(name, peak)| vec![(*name).to_owned(), units::count(*peak)]).collect();
    Drawing {
        slug: "backlog".into(),
        title: "Backlog".into(),
        operation: "",
        unit: "operations waiting at the end of each interval",
        x: Axis::time(rows.end_s),
        y: Axis::from_zero((max as f64).max(4.0), plain),
        lines,
        cells: Vec::new(),
        shades: &[],
        warmup_s: run.record.config.warmup_s,
        events: &run.record.events,
        limit: None,
        mark: None,
        note,
        table: ChartTable { headers: vec!["operation".into(), "most waiting".into()], rows: table },
    }
    .draw()
}
