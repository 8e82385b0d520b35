//! What was measured, in figures.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A latency distribution in figures. All in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencySummary {
    /// Number of recorded values.
    pub count: u64,
    /// Smallest value.
    pub min_ns: u64,
    /// Arithmetic mean.
    pub mean_ns: f64,
    /// Half-width of the mean's 95 % confidence interval by batch means over intervals; absent where
    /// there are too few intervals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_ci95_ns: Option<f64>,
    /// Median.
    pub p50_ns: u64,
    /// 90th percentile.
    pub p90_ns: u64,
    /// 95th percentile.
    pub p95_ns: u64,
    /// 99th percentile.
    pub p99_ns: u64,
    /// 99.9th percentile.
    pub p999_ns: u64,
    /// Largest value.
    pub max_ns: u64,
    /// Values outside the histogram's range: counted here, in no percentile.
    pub out_of_range: u64,
}

/// One operation over the measured part of the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OperationSummary {
    /// Name, `system.verb` (`kafka.publish`, `s3.get`, `end_to_end` …).
    pub name: String,
    /// Component it loads, in the profile's spelling; empty for `end_to_end`.
    pub component: String,
    /// One line for people.
    pub description: String,
    /// Arrivals that the schedule wanted in the measured part (for derived operations: completions).
    pub offered: u64,
    /// Operations that ended well.
    pub completed: u64,
    /// Operations that ended in an error, by kind.
    pub errors: BTreeMap<String, u64>,
    /// Retries (dead connection, time-out …) that did not end in an error.
    pub retries: u64,
    /// Payload bytes of completed operations.
    pub bytes: u64,
    /// End − intended start. Objectives are judged on this.
    pub response: LatencySummary,
    /// End − actual start.
    pub service: LatencySummary,
    /// Little's law over the measured part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub littles_law: Option<LittlesLaw>,
}

/// Little's law over the measured part, as an identity on a finite window: the time-average of the number
/// in flight equals the time that operations spent in flight inside the window, divided by its length.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LittlesLaw {
    /// Mean number in flight, sampled from the in-flight counter.
    pub measured_in_flight: f64,
    /// Time that operations spent in flight inside the window ÷ the window's length.
    pub expected_in_flight: f64,
    /// |measured − expected| ÷ expected.
    pub relative_error: f64,
    /// Whether there were enough operations for the comparison to mean anything, and it held.
    pub holds: Option<bool>,
}

/// What the generator knows about itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GeneratorSummary {
    /// Lag of the pacing thread: hand-over time − intended start.
    pub lag: LatencySummary,
    /// Arrivals the schedule wanted, over the whole run.
    pub scheduled: u64,
    /// Arrivals handed over to lanes.
    pub dispatched: u64,
    /// Arrivals dropped because a lane's queue hit its bound. Any at all makes the run INVALID.
    pub dropped: u64,
    /// Share of the measured part's arrivals that were handed over within 10 ms of their intended start.
    pub held: f64,
    /// Events per second that the whole generator path reached against the null target, on this
    /// machine, just before the run.
    pub ceiling_events_per_s: f64,
    /// Offered events per second ÷ ceiling.
    pub utilisation: f64,
    /// CPU seconds of this process ÷ seconds of the measured part (1.0 = one core).
    pub cpu_cores: f64,
    /// Largest resident set of this process, in bytes.
    pub peak_rss_bytes: u64,
    /// Whether the pacing thread got a real-time scheduling class.
    pub realtime_pacing: bool,
    /// Most arrivals waiting in lane queues at the end of any second.
    pub peak_backlog: u64,
}

/// Resource use of a component's processes, or of the generator, over the measured part.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceSummary {
    /// Component, or `odg-bench`.
    pub component: String,
    /// Mean CPU cores.
    pub cpu_cores_mean: f64,
    /// Highest one-second CPU cores.
    pub cpu_cores_max: f64,
    /// Highest resident set, in bytes.
    pub rss_max_bytes: u64,
    /// Bytes written to storage, where the provider knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_bytes: Option<u64>,
    /// Bytes read from storage, where the provider knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_bytes: Option<u64>,
    /// Bytes received from the network, where the provider knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_bytes: Option<u64>,
    /// Bytes sent to the network, where the provider knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_bytes: Option<u64>,
}
