//! What end-to-end tests share: starting the real program, watching its processes, reading its record.

pub mod engine;
pub mod platform;
pub mod processes;
pub mod program;
pub mod servers;
