//! The rows of the series by operation, sorted out once for all charts.

use std::collections::BTreeMap;

use crate::read::Run;
use crate::record::SeriesRow;

pub(super) struct Rows<'a> {
    /// End of every time axis, in seconds since the epoch.
    pub(super) end_s: f64,
    operations: BTreeMap<&'a str, Vec<&'a SeriesRow>>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(run: &'a Run) -> Self {
        let mut operations: BTreeMap<&str, Vec<&SeriesRow>> = BTreeMap::new();
        let mut end_s: f64 = 0.0;
        for row in &run.series {
            end_s = end_s.max(row.t_s);
            operations.entry(&row.operation).or_default().push(row);
        }
        let end_s = run.resources.iter().map(|r| r.t_s).fold(end_s, f64::max);
        Self { end_s, operations }
    }

    /// An operation's rows, in file order.
    pub(super) fn of(&self, operation: &str) -> &[&'a SeriesRow] {
        self.operations.get(operation).map_or(&[], Vec::as_slice)
    }

    /// Every operation with its rows.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'a str, &[&'a SeriesRow])> {
        self.operations.iter().map(|(name, rows)| (*name, rows.as_slice()))
    }
}
