//! What is written while the run goes on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FeatureResult, RunRecord, Verdict};

/// Something a reader should know, with the next action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// Stable identifier.
    pub code: String,
    /// What was seen.
    pub text: String,
    /// What to do about it.
    pub action: String,
}

/// A moment worth marking on the charts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimelineEvent {
    /// Seconds since the run's epoch.
    pub t_s: f64,
    /// `warmup_end`, `load_end`, `fault`, `component_died`, `interrupted` …
    pub kind: String,
    /// For people.
    pub text: String,
}

/// One second of one operation: a row of `series.csv`, and part of a journal line.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesRow {
    /// End of the interval, in seconds since the run's epoch.
    pub t_s: f64,
    /// Length of the interval in seconds.
    pub dt_s: f64,
    /// Operation.
    pub operation: String,
    /// Whether the interval lies in the measured part.
    pub measured: bool,
    /// Arrivals handed over in the interval.
    pub offered: u64,
    /// Completed.
    pub completed: u64,
    /// Ended in an error.
    pub errors: u64,
    /// Payload bytes completed.
    pub bytes: u64,
    /// In flight at the interval's end.
    pub in_flight: u64,
    /// Waiting in the lane's queue at the interval's end.
    pub backlog: u64,
    /// Response time percentiles and maximum, in microseconds; 0 with no completions.
    pub response_p50_us: f64,
    /// See `response_p50_us`.
    pub response_p99_us: f64,
    /// See `response_p50_us`.
    pub response_max_us: f64,
    /// Sum of response times ÷ completions, in microseconds.
    pub response_mean_us: f64,
    /// Service time, likewise.
    pub service_p50_us: f64,
    /// See `service_p50_us`.
    pub service_p99_us: f64,
    /// See `service_p50_us`.
    pub service_max_us: f64,
    /// See `service_p50_us`.
    pub service_mean_us: f64,
}

/// One second of one component's processes or of its container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceRow {
    /// Seconds since the run's epoch.
    pub t_s: f64,
    /// Component, or `odg-bench`.
    pub component: String,
    /// CPU cores used over the last interval.
    pub cpu_cores: f64,
    /// Resident set, in bytes; of a container its memory without the page cache that it could give back.
    pub rss_bytes: u64,
    /// Bytes written to storage since the start, where the provider knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_bytes: Option<u64>,
    /// Bytes read from storage since the start, where the provider knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_bytes: Option<u64>,
    /// Bytes received from the network since the start, where the provider knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_bytes: Option<u64>,
    /// Bytes sent to the network since the start, where the provider knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_bytes: Option<u64>,
}

/// A line of `journal.jsonl`: appended and flushed as it happens, so that it survives a killed process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum JournalLine {
    /// First line: everything known before load starts. Figures in it are empty.
    Start {
        /// The record so far.
        record: Box<RunRecord>,
    },
    /// One second of every operation.
    Interval {
        /// A row per operation.
        rows: Vec<SeriesRow>,
    },
    /// One second of every component's processes.
    Resources {
        /// A row per component.
        rows: Vec<ResourceRow>,
    },
    /// A marked moment.
    Event(TimelineEvent),
    /// A matrix cell, as soon as it is known.
    Finding(FeatureResult),
    /// Last line of a run that ended in order.
    End {
        /// Overall.
        verdict: Verdict,
        /// Exit code.
        exit_code: u8,
    },
}
