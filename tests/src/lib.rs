//! What end-to-end tests share: starting the real program, watching its processes, reading its record.

#![forbid(unsafe_code)]

pub mod processes;
pub mod program;
