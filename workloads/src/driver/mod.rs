//! Drivers: one thin, typed client per system.
//!
//! A driver prepares, operates, verifies and cleans up. It records no latencies (callers do) and
//! swallows no error. Time-outs and connection limits are set explicitly in each driver. An operation
//! that finds a dead connection is tried again, a bounded number of times, and says how often.

mod error;
pub mod kafka;
pub mod nats;
pub mod platform;
pub mod postgres;
mod prefix;
pub mod redis;
mod retry;
pub mod s3;
#[cfg(test)]
mod silent_tests;
#[cfg(test)]
pub(crate) mod test_proxy;
#[cfg(test)]
pub(crate) mod test_servers;

pub use error::{DriverError, ErrorKind};
pub use prefix::Prefix;
pub use retry::{Done, MAX_ATTEMPTS};
