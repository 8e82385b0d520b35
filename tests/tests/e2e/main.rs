//! The real program against real servers. Each test names the promise that it guards.

mod attach;
mod conformance;
mod docker;
mod failures;
mod fakes;
mod governance;
mod open_loop;
mod runs;
