//! Benchmark and conformance harness for the OpenDataGov deployment profiles: command line, providers,
//! probes and the run itself.

pub mod cli;
pub mod conformance;
pub mod doctor;
pub mod exit;
pub mod host;
pub mod probes;
pub mod provider;
pub mod run;
