//! The record of a run that never wrote `run.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::OperationHistograms;
use super::journal::Journal;
use crate::error::RecordError;
use crate::record::{
    OperationSummary, ResourceRow, RunRecord, RunState, SeriesRow, TimelineEvent, Verdict, Warning,
};
use crate::summary::{IntervalMean, latency_summary, mean_ci95_ns, resource_summary};

/// The kind under which errors stand whose kinds the interval rows do not hold.
const UNKNOWN_KIND: &str = "kind not recorded";

pub(super) fn record(
    journal_path: &Path,
    journal: Journal,
    series: &[SeriesRow],
    resources: &[ResourceRow],
    histograms: &BTreeMap<String, OperationHistograms>,
) -> Result<RunRecord, RecordError> {
    let Some(mut record) = journal.start else {
        return Err(RecordError::corrupt(
            journal_path,
            1,
            "no start line, so it is not known what was run",
        ));
    };
    let last_row = series.iter().map(|r| r.t_s).fold(0.0, f64::max);
    let ended_s = resources.iter().map(|r| r.t_s).fold(last_row, f64::max);

    let load_end = journal.events.iter().find(|e| e.kind == "load_end");
    let load_end_s = load_end.map_or(ended_s, |e| e.t_s);
    record.operations = operations(&record.operations, series, histograms, load_end_s);
    let warmup_s = record.config.warmup_s;
    record.resources = resource_summary(resources, warmup_s, load_end_s);
    for finding in journal.findings {
        match record.features.iter_mut().find(|f| f.feature == finding.feature) {
            Some(known) => *known = finding,
            None => record.features.push(finding),
        }
    }
    record.events.extend(journal.events);
    record.events.push(TimelineEvent {
        t_s: ended_s,
        kind: "interrupted".to_owned(),
        text: "last line that was written".to_owned(),
    });

    record.finished_at = None;
    record.state = RunState::Interrupted;
    if !record.marks.iter().any(|m| m == "interrupted") {
        record.marks.push("interrupted".to_owned());
    }
    record.verdict = Verdict::Inconclusive;
    record.exit_code = 4;
    record.reasons = vec![match journal.end {
        Some((verdict, _)) => {
            format!("run.json is missing, though the run ended in order with {verdict}")
        }
        None => format!("interrupted after {ended_s:.0} s"),
    }];
    record.warnings.push(Warning {
        code: "interrupted".to_owned(),
        text: "The run did not end in order; this record was rebuilt from what it had written. \
               Objectives and the ledger were not judged."
            .to_owned(),
        action: "Run it again to the end for a verdict.".to_owned(),
    });
    Ok(record)
}

/// Sums the measured rows per operation (saturating: an edited file may hold any figure); names and
/// descriptions come from the start line where it has them.
fn operations(
    known: &[OperationSummary],
    series: &[SeriesRow],
    histograms: &BTreeMap<String, OperationHistograms>,
    load_end_s: f64,
) -> Vec<OperationSummary> {
    let mut order: Vec<&str> = known.iter().map(|o| o.name.as_str()).collect();
    let mut seen: BTreeSet<&str> = order.iter().copied().collect();
    for row in series {
        if seen.insert(&row.operation) {
            order.push(&row.operation);
        }
    }
    let mut sums: BTreeMap<&str, OperationSummary> = BTreeMap::new();
    for row in series.iter().filter(|r| r.measured) {
        let sum = sums.entry(&row.operation).or_default();
        sum.offered = sum.offered.saturating_add(row.offered);
        sum.completed = sum.completed.saturating_add(row.completed);
        sum.bytes = sum.bytes.saturating_add(row.bytes);
        if row.errors > 0 {
            let errors = sum.errors.entry(UNKNOWN_KIND.to_owned()).or_default();
            *errors = errors.saturating_add(row.errors);
        }
    }
    order
        .into_iter()
        .map(|name| {
            let mut summary = sums.remove(name).unwrap_or_default();
            summary.name = name.to_owned();
            match known.iter().find(|o| o.name == name) {
                Some(start) => {
                    summary.component.clone_from(&start.component);
                    summary.description.clone_from(&start.description);
                }
                None => {
                    let system = name.split_once('.').map_or("", |(system, _)| system);
                    summary.component = system.to_owned();
                }
            }
            if let Some(both) = histograms.get(name) {
                summary.response = latency_summary(&both.response, 0);
                summary.service = latency_summary(&both.service, 0);
            }
            let ci = |mean: fn(&SeriesRow) -> IntervalMean| {
                let rows = series.iter().filter(|r| r.measured && r.operation == name);
                mean_ci95_ns(&rows.map(mean).collect::<Vec<_>>(), load_end_s)
            };
            summary.response.mean_ci95_ns = ci(IntervalMean::response);
            summary.service.mean_ci95_ns = ci(IntervalMean::service);
            summary
        })
        .collect()
}
