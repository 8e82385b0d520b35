//! The run record's types: what `run.json` and `journal.jsonl` hold.
//!
//! Times inside a run are nanoseconds (`_ns`) or seconds (`_s`) since the run's epoch, the instant at
//! which the schedule starts. Latencies are nanoseconds. Sizes are bytes.

mod figures;
mod journal;
mod judged;
mod ledger;
mod repeat;
mod setup;
mod words;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use figures::{
    GeneratorSummary, LatencySummary, LittlesLaw, OperationSummary, ResourceSummary,
};
pub use journal::{JournalLine, ResourceRow, SeriesRow, TimelineEvent, Warning};
pub use judged::{FeatureResult, ObjectiveResult};
pub use ledger::{HopSummary, LedgerCheck, LedgerSummary};
pub use repeat::{PairSide, Repeat, Turn};
pub use setup::{Host, Implementation, RunConfig};
pub use words::{Fidelity, RunState, Verdict};

/// Version of the run record's schema. A reader refuses a record with a higher major number.
pub const SCHEMA_VERSION: &str = "1.1";

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
    /// Where it stands among runs that were made together; absent in a run on its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Repeat>,
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
