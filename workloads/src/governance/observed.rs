//! What the load itself finds out about the platform's promises.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// How often a promise was checked, and broken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    /// Times it was checked.
    pub checked: u64,
    /// Times it was broken.
    pub broken: u64,
    /// The first time that it was.
    pub first: Option<String>,
}

/// A count that many operations add to.
#[derive(Debug, Default)]
pub(super) struct Counter {
    checked: AtomicU64,
    broken: AtomicU64,
    first: Mutex<Option<String>>,
}

impl Counter {
    /// Adds one check; `why` says what was broken.
    pub(super) fn add(&self, why: Option<String>) {
        self.checked.fetch_add(1, Ordering::Relaxed);
        if let Some(why) = why {
            self.broken.fetch_add(1, Ordering::Relaxed);
            self.first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        }
    }

    fn read(&self) -> Observation {
        Observation {
            checked: self.checked.load(Ordering::Relaxed),
            broken: self.broken.load(Ordering::Relaxed),
            first: self.first.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

/// The counters of a run.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) one_vote: Counter,
    pub(super) final_state: Counter,
    pub(super) read_back: Counter,
}

impl Counters {
    pub(super) fn read(&self) -> Observed {
        Observed {
            one_vote: self.one_vote.read(),
            final_state: self.final_state.read(),
            read_back: self.read_back.read(),
        }
    }
}

/// What the decisions of a run showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// A voter's second vote is refused, and the list holds one.
    pub one_vote: Observation,
    /// All approvals lead to approved, one reject to rejected, a veto to vetoed.
    pub final_state: Observation,
    /// What was written is read back equal.
    pub read_back: Observation,
}
