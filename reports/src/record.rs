//! The run record's types: what `run.json` and `journal.jsonl` hold.
//!
//! Times inside a run are nanoseconds (`_ns`) or seconds (`_s`) since the run's epoch, the instant at
//! which the schedule starts. Latencies are nanoseconds. Sizes are bytes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the run record's schema. A reader refuses a record with a higher major number.
pub const SCHEMA_VERSION: &str = "1.0";

/// The judgement on a run, an objective or a matrix cell.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Asked, answered, and as promised.
    Pass,
    /// What this provider cannot show; never counts as a pass.
    NotVerified,
    /// Too few samples to claim the figure at 99 % confidence.
    Inconclusive,
    /// The measurement itself cannot be trusted (the generator was the limit, Little's law broken …).
    Invalid,
    /// Asked, answered, and not as promised.
    Fail,
}

impl Verdict {
    /// The word printed everywhere.
    pub fn label(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::NotVerified => "NOT VERIFIED",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Invalid => "INVALID",
            Self::Fail => "FAIL",
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.label())
    }
}

/// How close what answered is to the component that was promised.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Fidelity {
    /// The component itself. Only this is publishable as the component.
    Real,
    /// Another maintained server that speaks the same protocol.
    Compatible,
    /// A test double, started inside this process.
    Fake,
}

impl Fidelity {
    /// The word printed everywhere.
    pub fn label(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::Compatible => "compatible",
            Self::Fake => "fake",
        }
    }
}

impl std::fmt::Display for Fidelity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.label())
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Ran to the end of its schedule.
    Complete,
    /// Ended by Ctrl-C, a signal, or a killed process; what was measured is kept.
    Interrupted,
    /// Ended because a component died or could not be reached any more.
    Aborted,
}

/// What answered for a component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Implementation {
    /// Component, in the profile's spelling (`postgresql`, `kafka` …).
    pub component: String,
    /// Product that answered (`Apache Kafka`, `librdkafka mock cluster` …).
    pub name: String,
    /// Its version as it reports it itself.
    pub version: String,
    /// Real, compatible or fake.
    pub fidelity: Fidelity,
    /// Address, without credentials.
    pub endpoint: String,
    /// Time from start to the first real answer, in milliseconds.
    pub ready_ms: u64,
    /// Anything a reader must know (limits of a fake, a missing feature …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The machine that ran the generator (and, with provider `local`, the servers).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// Operating system name, as in os-release.
    pub os: String,
    /// Kernel release.
    pub kernel: String,
    /// CPU model name.
    pub cpu_model: String,
    /// Logical CPUs usable by this process.
    pub cores: u32,
    /// Physical memory in bytes.
    pub memory_bytes: u64,
    /// Hypervisor or container, where one can be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtualisation: Option<String>,
}

/// What the run was asked to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunConfig {
    /// Seed of the schedule and the payloads.
    pub seed: u64,
    /// `constant`, `poisson` or `day`.
    pub arrivals: String,
    /// Length of the measured part, in seconds.
    pub duration_s: f64,
    /// Length of the warm-up, cut off from every figure, in seconds.
    pub warmup_s: f64,
    /// Daily volume that the profile (or `--volume`) asks for, in bytes per day.
    pub volume_bytes_per_day: f64,
    /// Load multiplier. 1 is the full daily volume.
    pub scale: f64,
    /// Why `scale` is what it is, where it is not 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_reason: Option<String>,
    /// Time compression of the day curve.
    pub speedup: f64,
    /// Slice of the day that is replayed (`HH:MM-HH:MM`), for `day` arrivals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
    /// Mean offered payload rate in bytes per second, after scale and speedup.
    pub offered_bytes_per_s: f64,
    /// Mean offered events per second, after scale and speedup.
    pub offered_events_per_s: f64,
    /// SHA-256 of the profile and every option that shapes the load.
    pub hash: String,
}

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

/// One hop of the ledger. Counts are events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HopSummary {
    /// `sent`, `acknowledged`, `consumed`, `stored`, `registered`.
    pub hop: String,
    /// Distinct events that reached the hop.
    pub reached: u64,
    /// Events that the hop before had acknowledged and that never got here.
    pub lost: u64,
    /// Events that got here more than once (extra arrivals).
    pub duplicated: u64,
    /// Events that got here after a later one of the same key.
    pub reordered: u64,
    /// Events whose checksum did not match here.
    pub corrupted: u64,
}

/// The account of every event.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerSummary {
    /// The hops in order.
    pub hops: Vec<HopSummary>,
    /// Sends that the bus refused or timed out, so that nothing was promised for them.
    pub rejected: u64,
    /// Whether everything acknowledged was registered exactly once, intact.
    pub balanced: bool,
    /// Independent counts from the stores at rest (rows, objects, audit chain), each with what was
    /// expected and what was found.
    pub checks: Vec<LedgerCheck>,
}

/// One comparison of the ledger with a store at rest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerCheck {
    /// What was compared.
    pub what: String,
    /// From the ledger.
    pub expected: String,
    /// From the store.
    pub found: String,
    /// Equal or not.
    pub ok: bool,
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
    /// Bytes written to storage.
    pub write_bytes: u64,
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

/// An objective and how it was met.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectiveResult {
    /// Stable identifier (`kafka.publish.p99`).
    pub id: String,
    /// Operation it is about.
    pub operation: String,
    /// What is compared, for people (`p99 response time`).
    pub metric: String,
    /// Threshold, with unit (`≤ 250 ms`).
    pub threshold: String,
    /// Measured value, with unit; empty with no samples.
    pub measured: String,
    /// Measured ÷ threshold, for bars; absent with no samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// Upper bound of the measured percentile at 99 % confidence, with unit, where samples allow it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper99: Option<String>,
    /// Samples behind it.
    pub samples: u64,
    /// Samples that a claim at 99 % confidence needs.
    pub samples_needed: u64,
    /// `documented` or `derived`.
    pub origin: String,
    /// Where it is documented, or why it was derived.
    pub source: String,
    /// Whether the exit code depends on it.
    pub required: bool,
    /// Judgement.
    pub verdict: Verdict,
    /// One line of evidence or reason.
    pub evidence: String,
}

/// One cell of the feature matrix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FeatureResult {
    /// Row, in the profile's spelling.
    pub feature: String,
    /// `present`, `optional` or `absent`.
    pub promised: String,
    /// Judgement.
    pub verdict: Verdict,
    /// Fidelity of what answered, where something did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fidelity: Option<Fidelity>,
    /// What was asked.
    pub asked: String,
    /// What answered.
    pub answered: String,
    /// How long the probe took, in milliseconds.
    pub took_ms: f64,
    /// Whether the exit code depends on it.
    pub required: bool,
}

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

/// `run.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunRecord {
    /// [`SCHEMA_VERSION`] of the writer.
    pub schema_version: String,
    /// odg-bench's version.
    pub tool_version: String,
    /// `<time>-<profile>-<id>`, the directory's name.
    pub run_id: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// RFC 3339, UTC; absent in a run that was killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    /// How it ended.
    pub state: RunState,
    /// The command line that repeats it, without secrets.
    pub command: Vec<String>,
    /// Profile's name.
    pub profile: String,
    /// Provider's name.
    pub provider: String,
    /// What was asked.
    pub config: RunConfig,
    /// What answered.
    pub implementations: Vec<Implementation>,
    /// Where it ran.
    pub host: Host,
    /// Time from start to a ready stack, in milliseconds.
    pub stack_ready_ms: u64,
    /// Figures that stand beside every result: `scaled load`, `fake kafka`, `interrupted` …
    pub marks: Vec<String>,
    /// Per operation.
    pub operations: Vec<OperationSummary>,
    /// The account of every event.
    pub ledger: LedgerSummary,
    /// The generator on itself.
    pub generator: GeneratorSummary,
    /// Per component.
    pub resources: Vec<ResourceSummary>,
    /// Objectives.
    pub objectives: Vec<ObjectiveResult>,
    /// Feature matrix.
    pub features: Vec<FeatureResult>,
    /// Overall.
    pub verdict: Verdict,
    /// Why, most important first.
    pub reasons: Vec<String>,
    /// The process's exit code.
    pub exit_code: u8,
    /// Warnings.
    pub warnings: Vec<Warning>,
    /// Timeline.
    pub events: Vec<TimelineEvent>,
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
    /// Bytes written to storage since the start.
    pub write_bytes: u64,
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
