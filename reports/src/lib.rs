//! The odg-bench run record (`run.json`, `latency.hlog`, `series.csv`, `journal.jsonl`), the
//! statistics it is judged with, and the reports made from it.
//!
//! The way through: [`store::RunWriter`] writes a run directory while the run goes on,
//! [`read::Run`] reads it back (also one that a killed process left behind), [`judge`] turns
//! histograms into verdicts, and [`render::render_all`] makes every page and chart again.

pub mod compare;
pub mod conformance;
pub mod error;
mod escape;
pub mod history;
pub mod html;
pub mod judge;
pub mod junit;
mod load;
pub mod markdown;
pub mod openmetrics;
pub mod plots;
pub mod publish;
pub mod read;
pub mod record;
pub mod render;
pub mod schema;
pub mod stats;
pub mod store;
pub mod summary;
pub mod terminal;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod units;
mod words;

pub use error::RecordError;
pub use read::Run;
pub use render::{RenderedPaths, render, render_all};
pub use store::RunWriter;
