//! The real program against real servers. Each test names the promise that it guards.

mod attach;
mod attach_safety;
mod compare;
mod conformance;
mod docker;
mod failures;
mod fakes;
mod governance;
mod nightly;
mod open_loop;
mod publish;
mod runs;
