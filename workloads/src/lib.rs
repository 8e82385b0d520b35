//! Open-loop load for odg-bench: schedule, recorder, payloads, ledger, one driver per system, and the
//! workloads built on them.

pub mod audit;
pub mod clock;
pub mod day;
pub mod driver;
pub mod endpoint;
pub mod event;
pub mod governance;
pub mod lane;
pub mod ledger;
pub mod littles_law;
pub mod null;
pub mod pacer;
pub mod parquet_in;
pub mod parquet_out;
pub mod payload;
pub mod recorder;
pub mod schedule;
pub mod secret;
pub mod tls;
