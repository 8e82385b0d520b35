//! The odg-bench run record (`run.json`, `latency.hlog`, `series.csv`, `journal.jsonl`), the
//! statistics it is judged with, and the reports made from it.
//!
//! The way through: [`store::RunWriter`] writes a run directory while the run goes on,
//! [`read::Run`] reads it back (also one that a killed process left behind), [`judge`] turns
//! histograms into verdicts, and [`render::render_all`] makes every page and chart again.

#![forbid(unsafe_code)]

pub mod error;
pub mod judge;
pub mod read;
pub mod record;
pub mod stats;
pub mod store;
pub mod summary;
pub mod units;

pub use error::RecordError;
pub use read::Run;
pub use store::RunWriter;
