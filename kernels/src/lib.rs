//! The GPU side of odg-bench. Today: finding out which devices there are, through the CUDA driver
//! library, which is loaded at run time so that the same binary runs where there is none.

pub mod device;
