//! How the response times of one operation spread over time: time by latency, colour by share.

use std::collections::BTreeMap;

use super::axis::{Axis, round_duration};
use super::canvas::{Cell, Drawing, SHADES};
use super::latency::threshold_ns;
use super::series::MOST_ROWS;
use super::{Chart, ChartTable, slug};
use crate::error::RecordError;
use crate::read::{Heat, Run};
use crate::record::OperationSummary;
use crate::units::{percent, seconds};

/// Most rows of cells; where the latencies span more, bins are joined.
const MOST_BINS: usize = 32;
/// Most columns of the table behind it.
const MOST_BANDS: usize = 9;
/// Up to which share of its column's operations a cell has which shade. Ten times rarer is still
/// seen: it is the rare ones that objectives are about.
const SHARES: [(f64, &str); SHADES] = [
    (0.001, "≤ 0.1 %"),
    (0.01, "≤ 1 %"),
    (0.05, "≤ 5 %"),
    (0.2, "≤ 20 %"),
    (0.5, "≤ 50 %"),
    (f64::INFINITY, "more"),
];
const LEGEND: [&str; SHADES] =
    [SHARES[0].1, SHARES[1].1, SHARES[2].1, SHARES[3].1, SHARES[4].1, SHARES[5].1];

/// Counts of a stretch of time by the bin that each row begins with.
type Bins = BTreeMap<u32, u64>;

/// The heat map of the response time.
pub(super) fn map(
    run: &Run,
    end_s: f64,
    operation: &OperationSummary,
    index: usize,
) -> Result<Chart, RecordError> {
    let nothing = Heat::default();
    let heat = run.heat.get(&operation.name).unwrap_or(&nothing);
    let rows = rows_of(heat, MOST_BINS);
    let edges = |bin: u32| {
        let above = rows.iter().copied().find(|r| *r > bin).unwrap_or(bin + 1);
        (Heat::edge_ns(bin), Heat::edge_ns(above))
    };
    let columns = join(heat, &rows);
    let used = || columns.values().flat_map(|bins| bins.keys().copied());
    let lo = used().min().map_or(1.0, Heat::edge_ns);
    let hi = used().max().map_or(1.0, |bin| edges(bin).1);
    let limit = threshold_ns(run, &operation.name);
    // As on the chart of percentiles: a threshold far away is not worth squeezing the cells for.
    let limit = limit.filter(|(ns, _)| *ns <= hi * 30.0 && *ns * 30.0 >= lo);
    let (lo, hi) = limit.as_ref().map_or((lo, hi), |(ns, _)| (lo.min(*ns), hi.max(*ns)));

    let width = heat.width_s as f64;
    let mut cells: Vec<Cell> = Vec::new();
    // A cell like its left neighbour is drawn as one with it.
    let mut open: BTreeMap<u32, usize> = BTreeMap::new();
    for (column, bins) in &columns {
        let all = bins.values().fold(0u64, |sum, n| sum.saturating_add(*n)) as f64;
        let x = (*column as f64 * width, (*column as f64 + 1.0) * width);
        for (bin, n) in bins {
            let shade = shade(*n as f64 / all);
            let neighbour = open.get(bin).and_then(|at| cells.get_mut(*at));
            match neighbour.filter(|c| c.shade == shade && (c.x.1 - x.0).abs() < 1e-6) {
                Some(cell) => cell.x.1 = x.1,
                None => {
                    let (from, to) = edges(*bin);
                    open.insert(*bin, cells.len());
                    cells.push(Cell { x, y: (from.log10(), to.log10()), shade });
                }
            }
        }
    }
    Drawing {
        slug: slug("heat", &operation.name, index),
        title: format!("{}: spread of response times", operation.name),
        operation: &operation.name,
        unit: "from intended start, logarithmic; colour: share of the column's operations",
        x: Axis::time(end_s.max(1.0)),
        y: Axis::log_ns(lo, hi),
        lines: Vec::new(),
        cells,
        shades: &LEGEND,
        warmup_s: run.record.config.warmup_s,
        events: &run.record.events,
        limit: limit.map(|(ns, name)| (ns.log10(), name)),
        mark: None,
        note: format!(
            "Each column is {} of operations by when they completed, whole histograms added up; its \
             shares make 100 %.",
            seconds(width)
        ),
        table: table(heat),
    }
    .draw()
}

fn shade(share: f64) -> usize {
    SHARES.iter().position(|(most, _)| share <= *most).unwrap_or(SHADES - 1)
}

/// The bins at which rows of at most `most` begin: every bin, those at 1, 2 and 5, or powers of ten.
fn rows_of(heat: &Heat, most: usize) -> Vec<u32> {
    let used = || heat.columns.values().flat_map(|bins| bins.keys().copied());
    let (Some(lo), Some(hi)) = (used().min(), used().max()) else { return Vec::new() };
    let every = |keep: fn(u32) -> bool| -> Vec<u32> {
        let first = (0..=lo).rev().find(|bin| keep(*bin)).unwrap_or(0);
        // One more, where the last row ends.
        let last = (hi + 1..).find(|bin| keep(*bin)).unwrap_or(hi + 1);
        (first..=last).filter(|bin| keep(*bin)).collect()
    };
    let [all, some, few]: [fn(u32) -> bool; 3] =
        [|_| true, |bin| matches!(bin % 10, 0 | 3 | 7), |bin| bin % 10 == 0];
    let fits = |rows: &Vec<u32>| rows.len() <= most + 1;
    [all, some].into_iter().map(every).find(fits).unwrap_or_else(|| every(few))
}

/// The columns with bins joined to `rows`.
fn join(heat: &Heat, rows: &[u32]) -> BTreeMap<u64, Bins> {
    let row = |bin: u32| rows.iter().rev().copied().find(|r| *r <= bin).unwrap_or(bin);
    let column = |bins: &Bins| {
        let mut joined = Bins::new();
        for (bin, n) in bins {
            let sum = joined.entry(row(*bin)).or_default();
            *sum = n.saturating_add(*sum);
        }
        joined
    };
    heat.columns.iter().map(|(at, bins)| (*at, column(bins))).collect()
}

/// Shares by band of latency, columns joined to at most [`MOST_ROWS`].
fn table(heat: &Heat) -> ChartTable {
    let bands = rows_of(heat, MOST_BANDS);
    let Some((last, _)) = heat.columns.last_key_value() else { return ChartTable::default() };
    let at_once = (last + 1).div_ceil(MOST_ROWS as u64);
    let mut stretches: BTreeMap<u64, Bins> = BTreeMap::new();
    for (at, bins) in join(heat, &bands) {
        let sums = stretches.entry(at / at_once).or_default();
        for (bin, n) in bins {
            let sum = sums.entry(bin).or_default();
            *sum = sum.saturating_add(n);
        }
    }
    // The last of the bands is only where the one before it ends.
    let shown = bands.get(..bands.len().saturating_sub(1)).unwrap_or_default();
    let header = |pair: &[u32]| match pair {
        [from, to] => format!(
            "{} – {}",
            round_duration(Heat::edge_ns(*from)),
            round_duration(Heat::edge_ns(*to))
        ),
        _ => String::new(),
    };
    let headers = std::iter::once("to second".to_owned()).chain(bands.windows(2).map(header));
    let rows = stretches.iter().map(|(at, bins)| {
        let all = bins.values().fold(0u64, |sum, n| sum.saturating_add(*n)) as f64;
        let to = (at + 1).saturating_mul(at_once).saturating_mul(heat.width_s);
        let share = |bin: &u32| match bins.get(bin) {
            Some(n) => percent(*n as f64 / all),
            None => "–".to_owned(),
        };
        std::iter::once(to.to_string()).chain(shown.iter().map(share)).collect()
    });
    ChartTable { headers: headers.collect(), rows: rows.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heat(values: &[(f64, u64, u64)]) -> Heat {
        let mut heat = Heat::default();
        for (start_s, value, n) in values {
            heat.add(*start_s, 1.0, &[(*value, *n)]);
        }
        heat
    }

    #[test]
    fn the_table_gives_each_stretch_of_time_its_shares() {
        let heat = heat(&[(0.0, 1_500_000, 3), (0.0, 30_000_000, 1), (5.0, 1_500_000, 9)]);
        let table = table(&heat);
        assert_eq!(table.headers[..2], ["to second", "1 ms – 2 ms"]);
        assert_eq!(table.rows[0][1], "75.0 %");
        assert_eq!(table.rows[0].last().unwrap(), "25.0 %");
        assert_eq!((table.rows[1][0].as_str(), table.rows[1][1].as_str()), ("6", "100.0 %"));
        assert!(table.rows.iter().all(|row| row.len() == table.headers.len()));
    }

    #[test]
    fn latencies_over_many_powers_of_ten_are_joined_to_few_rows_and_none_is_lost() {
        let values: Vec<(f64, u64, u64)> =
            (0..19).map(|power| (0.0, 10u64.pow(power), 1)).collect();
        let heat = heat(&values);
        for most in [MOST_BINS, MOST_BANDS] {
            let rows = rows_of(&heat, most);
            let joined: u64 = join(&heat, &rows).values().flat_map(|b| b.values()).sum();
            assert_eq!(joined, 19);
        }
        assert!(rows_of(&heat, MOST_BINS).len() <= MOST_BINS + 1);
    }

    #[test]
    fn a_rarer_share_is_never_darker() {
        let shades: Vec<usize> = [1e-9, 0.001, 0.002, 0.04, 0.3, 1.0].map(shade).to_vec();
        assert!(shades.windows(2).all(|w| w[0] <= w[1]) && shades[0] == 0 && shades[5] == 5);
    }
}
