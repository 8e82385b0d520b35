//! The record of a run that never wrote `run.json`.

use std::collections::BTreeMap;
use std::path::Path;

use super::hlog::{self, Log};
use super::journal::Journal;
use crate::error::RecordError;
use crate::record::{
    OperationSummary, ResourceRow, RunRecord, RunState, SeriesRow, TimelineEvent, Verdict, Warning,
};
use crate::store::LATENCY_LOG;
use crate::summary::{IntervalMean, latency_summary, mean_ci95_ns, resource_summary};

/// The kind under which errors stand whose kinds the interval rows do not hold.
const UNKNOWN_KIND: &str = "kind not recorded";

pub(super) fn record(
    journal_path: &Path,
    journal: Journal,
    series: &[SeriesRow],
    resources: &[ResourceRow],
    log: &Log,
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
    record.operations = operations(&record.operations, series, log, load_end_s)
        .map_err(|operation| too_large(&journal_path.with_file_name(LATENCY_LOG), &operation))?;
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

/// The error of a log whose counts are more than there can be.
pub(super) fn too_large(path: &Path, operation: &str) -> RecordError {
    RecordError::Histogram {
        path: path.to_path_buf(),
        operation: operation.to_owned(),
        what: "more was counted than a histogram holds; the file was edited".to_owned(),
    }
}

/// Sums the measured rows per operation (saturating: an edited file may hold any figure); names and
/// descriptions come from the start line where it has them. The error is an operation whose log
/// holds more than a histogram can.
fn operations(
    known: &[OperationSummary],
    series: &[SeriesRow],
    log: &Log,
    load_end_s: f64,
) -> Result<Vec<OperationSummary>, String> {
    let mut order: Vec<&str> = Vec::new();
    let mut start: BTreeMap<&str, &OperationSummary> = BTreeMap::new();
    for operation in known {
        if start.insert(&operation.name, operation).is_none() {
            order.push(&operation.name);
        }
    }
    let mut rows: BTreeMap<&str, Vec<&SeriesRow>> = BTreeMap::new();
    for row in series {
        let of = rows.entry(&row.operation).or_insert_with(|| {
            if !start.contains_key(row.operation.as_str()) {
                order.push(&row.operation);
            }
            Vec::new()
        });
        if row.measured {
            of.push(row);
        }
    }
    let summary = |name: &str| {
        let rows = rows.get(name).map_or(&[][..], Vec::as_slice);
        let mut summary = sum(rows);
        summary.name = name.to_owned();
        if let Some(start) = start.get(name) {
            summary.component.clone_from(&start.component);
            summary.description.clone_from(&start.description);
        } else {
            let system = name.split_once('.').map_or("", |(system, _)| system);
            summary.component = system.to_owned();
        }
        if let Some(merged) = log.operations.get(name) {
            let both = hlog::histograms(merged).ok_or_else(|| name.to_owned())?;
            summary.response = latency_summary(&both.response, 0);
            summary.service = latency_summary(&both.service, 0);
        }
        let ci = |mean: fn(&SeriesRow) -> IntervalMean| {
            mean_ci95_ns(&rows.iter().map(|r| mean(r)).collect::<Vec<_>>(), load_end_s)
        };
        summary.response.mean_ci95_ns = ci(IntervalMean::response);
        summary.service.mean_ci95_ns = ci(IntervalMean::service);
        Ok(summary)
    };
    order.into_iter().map(summary).collect()
}

fn sum(rows: &[&SeriesRow]) -> OperationSummary {
    let mut sum = OperationSummary::default();
    for row in rows {
        sum.offered = sum.offered.saturating_add(row.offered);
        sum.completed = sum.completed.saturating_add(row.completed);
        sum.bytes = sum.bytes.saturating_add(row.bytes);
        if row.errors > 0 {
            let errors = sum.errors.entry(UNKNOWN_KIND.to_owned()).or_default();
            *errors = errors.saturating_add(row.errors);
        }
    }
    sum
}
