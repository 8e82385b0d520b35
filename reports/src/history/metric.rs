//! What of a run is followed over time.

use std::collections::HashMap;

use serde::Serialize;

use crate::judge::CONFIDENCE;
use crate::record::{LatencySummary, OperationSummary, ResourceSummary, RunRecord};
use crate::stats::samples_needed;
use crate::summary::measured_s;
use crate::{units, words};

/// Growth of an error share that counts as worse: a tenth of the share that fails a run.
pub const ERRORS_NOISE: f64 = 0.001;
/// Relative standard deviation that no figure falls below: histograms keep three digits.
const RESOLUTION: f64 = 5e-4;
/// The same of an error share.
const ERRORS_RESOLUTION: f64 = 1e-5;

/// What of an operation, or of a component, is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Median response time, in nanoseconds.
    P50,
    /// 95th percentile of the response time, in nanoseconds: of operations too rare for p99.
    P95,
    /// 99th percentile of the response time, in nanoseconds.
    P99,
    /// Completed operations per second.
    Rate,
    /// Share of operations that ended in an error.
    Errors,
    /// Mean CPU cores of a component.
    Cpu,
}

impl Metric {
    /// Those of an operation.
    pub(super) const OF_OPERATIONS: [Self; 5] =
        [Self::P50, Self::P95, Self::P99, Self::Rate, Self::Errors];

    /// For people.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Rate => "completed/s",
            Self::Errors => "errors",
            Self::Cpu => "CPU",
        }
    }

    /// Unit of a chart's axis.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::P50 | Self::P95 | Self::P99 => "response time",
            Self::Rate => "operations per second",
            Self::Errors => "share of operations that ended in an error",
            Self::Cpu => "cores, mean of a run",
        }
    }

    /// Whether it is a latency: these are looked at as logarithms.
    pub(crate) fn is_latency(self) -> bool {
        matches!(self, Self::P50 | Self::P95 | Self::P99)
    }

    /// Whether a change for the worse fails a night. What more CPU costs is for people to judge.
    #[must_use]
    pub fn alarms(self) -> bool {
        self != Self::Cpu
    }

    /// A value for people.
    #[must_use]
    pub fn text(self, value: f64) -> String {
        match self {
            Self::P50 | Self::P95 | Self::P99 => units::duration_ns(value),
            Self::Rate => format!("{}/s", units::rate(value)),
            Self::Errors => units::percent(value),
            Self::Cpu => format!("{} cores", units::rate(value)),
        }
    }

    /// The scale on which changes are looked for: where noise is alike at every level.
    pub(super) fn scale(self, values: &[f64]) -> Scale {
        match self {
            Self::P50 | Self::P95 | Self::P99 => Scale::Log,
            Self::Errors => Scale::Linear { unit: 1.0, resolution: ERRORS_RESOLUTION },
            Self::Rate | Self::Cpu => {
                let mut sorted = values.to_vec();
                sorted.sort_unstable_by(f64::total_cmp);
                let middle = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
                let unit = if middle > 0.0 { middle } else { 1.0 };
                Scale::Linear { unit, resolution: RESOLUTION }
            }
        }
    }

    /// How much worse `after` is than `before`: relative, of error shares the difference. Negative is better.
    pub(super) fn worse_by(self, before: f64, after: f64) -> f64 {
        match self {
            Self::Errors => after - before,
            Self::Rate => -relative(before, after),
            _ => relative(before, after),
        }
    }

    /// How much worse is called so, where `noise` is the relative threshold.
    pub(super) fn threshold(self, noise: f64) -> f64 {
        if self == Self::Errors { ERRORS_NOISE } else { noise }
    }

    /// The value in a run; `None` where the run has none, or too few operations to claim it.
    pub(super) fn of(self, run: &Figures<'_>, name: &str) -> Option<f64> {
        let value = match self {
            Self::Cpu => run.resources.get(name).map(|r| r.cpu_cores_mean),
            _ => self.of_operation(run.record, run.operations.get(name)?),
        };
        value.filter(|v| v.is_finite() && *v >= 0.0)
    }

    fn of_operation(self, record: &RunRecord, operation: &OperationSummary) -> Option<f64> {
        let claimed = |of: fn(&LatencySummary) -> u64, quantile| {
            let latency = &operation.response;
            let enough = latency.count >= samples_needed(quantile, CONFIDENCE);
            enough.then(|| of(latency).max(1) as f64)
        };
        match self {
            Self::P50 => claimed(|l| l.p50_ns, 0.5),
            Self::P95 => claimed(|l| l.p95_ns, 0.95),
            Self::P99 => claimed(|l| l.p99_ns, 0.99),
            Self::Rate => {
                let seconds = measured_s(record, &[]);
                (seconds > 0.0).then(|| operation.completed as f64 / seconds)
            }
            Self::Errors => {
                let failed = words::errors(operation);
                let ended = operation.completed.saturating_add(failed);
                (ended > 0).then(|| failed as f64 / ended as f64)
            }
            Self::Cpu => None,
        }
    }
}

/// A record whose figures are found by name: with a search for each, many operations would take their number squared.
pub(super) struct Figures<'a> {
    pub(super) record: &'a RunRecord,
    operations: HashMap<&'a str, &'a OperationSummary>,
    resources: HashMap<&'a str, &'a ResourceSummary>,
}

impl<'a> Figures<'a> {
    pub(super) fn of(record: &'a RunRecord) -> Self {
        // Where an edited record has a name twice, the first counts.
        Self {
            record,
            operations: record.operations.iter().rev().map(|o| (o.name.as_str(), o)).collect(),
            resources: record.resources.iter().rev().map(|r| (r.component.as_str(), r)).collect(),
        }
    }
}

fn relative(before: f64, after: f64) -> f64 {
    if before > 0.0 {
        after / before - 1.0
    } else if after > 0.0 {
        f64::INFINITY
    } else {
        0.0
    }
}

/// Where values go to be compared, and back.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scale {
    /// Natural logarithm.
    Log,
    /// Divided by a unit; with the smallest standard deviation that is believed.
    Linear { unit: f64, resolution: f64 },
}

impl Scale {
    pub(super) fn there(self, value: f64) -> f64 {
        match self {
            Self::Log => value.ln(),
            Self::Linear { unit, .. } => value / unit,
        }
    }

    pub(super) fn back(self, value: f64) -> f64 {
        match self {
            Self::Log => value.exp(),
            Self::Linear { unit, .. } => value * unit,
        }
    }

    pub(super) fn resolution(self) -> f64 {
        match self {
            Self::Log => RESOLUTION,
            Self::Linear { resolution, .. } => resolution,
        }
    }
}
