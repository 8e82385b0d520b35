//! Latency over time and as a percentile curve, for one operation.

use hdrhistogram::Histogram;

use super::axis::{Axis, nines};
use super::canvas::{Drawing, Line};
use super::rates::table_headers;
use super::rows::Rows;
use super::series::{Fold, MOST_POINTS, MOST_ROWS, Point, decimate, fold_note};
use super::{Chart, ChartTable, slug};
use crate::error::RecordError;
use crate::judge::CONFIDENCE;
use crate::read::Run;
use crate::record::{OperationSummary, SeriesRow};
use crate::stats::samples_needed;
use crate::units::{self, duration_ns};

/// p50, p99 and maximum of the response time, on a logarithmic axis.
pub(super) fn over_time(
    run: &Run,
    rows: &Rows<'_>,
    operation: &OperationSummary,
    index: usize,
) -> Result<Chart, RecordError> {
    let end_s = rows.end_s;
    let rows = rows.of(&operation.name);
    let figure = |us: fn(&SeriesRow) -> f64| -> Vec<Point> {
        // An interval without completions has no latency: the line breaks there.
        let value = |r: &SeriesRow| if r.completed > 0 { us(r) * 1e3 } else { f64::NAN };
        rows.iter().map(|r| (r.t_s, value(r))).collect()
    };
    let figures: [(&str, usize, Vec<Point>); 3] = [
        ("p50", 0, figure(|r| r.response_p50_us)),
        ("p99", 1, figure(|r| r.response_p99_us)),
        ("maximum", 6, figure(|r| r.response_max_us)),
    ];
    let mut size = 1;
    let mut lines = Vec::new();
    for (name, colour, points) in &figures {
        let (mut points, folded) = decimate(points, MOST_POINTS, Fold::Max);
        size = size.max(folded);
        for point in &mut points {
            // log10; a bucket without any completion is −∞ here, so no point.
            point.1 = if point.1 > 0.0 { point.1.log10() } else { f64::NAN };
        }
        let dashed = *name == "maximum";
        lines.push(Line { name: (*name).to_owned(), colour: *colour, dashed, points });
    }
    let limit = threshold_ns(run, &operation.name);
    let (mut lo, mut hi) = (f64::INFINITY, f64::NEG_INFINITY);
    for (_, y) in lines.iter().flat_map(|l| &l.points).filter(|p| p.1.is_finite()) {
        (lo, hi) = (lo.min(*y), hi.max(*y));
    }
    // A threshold far above the figures is not worth squeezing them for.
    let limit = limit.filter(|(ns, _)| ns.log10() <= hi + 1.5 && ns.log10() >= lo - 1.5);
    if let Some((ns, _)) = &limit {
        (lo, hi) = (lo.min(ns.log10()), hi.max(ns.log10()));
    }

    let folded: Vec<(Vec<Point>, usize)> =
        figures.iter().map(|(_, _, points)| decimate(points, MOST_ROWS, Fold::Max)).collect();
    let row_size = folded.first().map_or(1, |f| f.1);
    let shown = |v: f64| if v > 0.0 { duration_ns(v) } else { "–".to_owned() };
    let table_rows = folded.first().map_or_else(Vec::new, |(first, _)| {
        first
            .iter()
            .enumerate()
            .map(|(i, (t, _))| {
                let cells =
                    folded.iter().map(|(points, _)| points.get(i).map_or(f64::NAN, |p| p.1));
                std::iter::once(format!("{t:.0}")).chain(cells.map(shown)).collect()
            })
            .collect()
    });
    Drawing {
        slug: slug("latency", &operation.name, index),
        title: format!("{}: response time", operation.name),
        operation: &operation.name,
        unit: "from intended start, logarithmic",
        x: Axis::time(end_s),
        y: Axis::log_ns(10f64.powf(lo), 10f64.powf(hi)),
        lines,
        cells: Vec::new(),
        shades: &[],
        warmup_s: run.record.config.warmup_s,
        events: &run.record.events,
        limit: limit.map(|(ns, name)| (ns.log10(), name)),
        mark: None,
        note: format!(
            "{} An interval's percentiles are those of its own operations, however few.",
            fold_note(size, Fold::Max)
        ),
        table: ChartTable {
            headers: table_headers(&["p50", "p99", "maximum"], row_size, Fold::Max),
            rows: table_rows,
        },
    }
    .draw()
}

/// The objective's threshold for the chart, read back from the record's text.
pub(super) fn threshold_ns(run: &Run, operation: &str) -> Option<(f64, String)> {
    let objective = run.record.objectives.iter().find(|o| o.operation == operation)?;
    let text = objective.threshold.trim_start_matches(['≤', '<', '=', ' ']);
    let ns = units::parse_duration_ns(text).filter(|ns| *ns > 0.0)?;
    let metric = objective.metric.split(' ').next().unwrap_or_default();
    Some((ns, format!("{metric} objective {text}")))
}

/// Response against service time by percentile, up to the last one that a sample stands for.
pub(super) fn percentiles(
    run: &Run,
    operation: &OperationSummary,
    index: usize,
) -> Result<Chart, RecordError> {
    let both = run.histograms.get(&operation.name);
    let samples = both.map_or(0, |b| b.response.len());
    let max_x = (samples.max(1) as f64).log10().clamp(1.0, 6.0);
    let curve = |h: &Histogram<u64>| -> Vec<Point> {
        if h.is_empty() {
            return Vec::new();
        }
        const STEPS: u32 = 240;
        (0..=STEPS)
            .map(|i| {
                let x = max_x * f64::from(i) / f64::from(STEPS);
                let ns = h.value_at_quantile(1.0 - 10f64.powf(-x));
                (x, (ns.max(1) as f64).log10())
            })
            .collect()
    };
    let mut lines = Vec::new();
    let mut rows = Vec::new();
    if let Some(both) = both {
        for (name, colour, dashed, h) in [
            ("response time (from intended start)", 0, false, &both.response),
            ("service time (from actual start)", 4, true, &both.service),
        ] {
            lines.push(Line { name: name.to_owned(), colour, dashed, points: curve(h) });
        }
        for q in [0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.99999] {
            if samples >= samples_needed(q, CONFIDENCE) {
                rows.push(vec![
                    units::percentile_name(q),
                    duration_ns(both.response.value_at_quantile(q) as f64),
                    duration_ns(both.service.value_at_quantile(q) as f64),
                ]);
            }
        }
    }
    let ys = || lines.iter().flat_map(|l| &l.points).map(|p| p.1);
    let (lo, hi) = (ys().fold(f64::INFINITY, f64::min), ys().fold(f64::NEG_INFINITY, f64::max));
    // Beyond q = (1 − confidence)^(1/n) no n samples can claim a percentile.
    let claimable = (1.0 - CONFIDENCE).powf(1.0 / samples.max(1) as f64);
    Drawing {
        slug: slug("percentiles", &operation.name, index),
        title: format!("{}: by percentile", operation.name),
        operation: &operation.name,
        unit: "latency, both axes logarithmic",
        x: Axis::percentile(max_x),
        y: Axis::log_ns(10f64.powf(lo), 10f64.powf(hi)),
        lines,
        cells: Vec::new(),
        shades: &[],
        warmup_s: 0.0,
        events: &[],
        limit: None,
        mark: (samples > 0).then(|| (nines(claimable), "too few samples →".to_owned())),
        note: "Right of the dashed line there are too few samples to claim a percentile at 99 % \
               confidence."
            .to_owned(),
        table: ChartTable {
            headers: vec!["percentile".into(), "response".into(), "service".into()],
            rows,
        },
    }
    .draw()
}
