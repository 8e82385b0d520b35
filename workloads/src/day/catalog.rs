//! The most recent objects, for readers and for promotion.

use std::collections::VecDeque;
use std::sync::{PoisonError, RwLock};

use super::names::Layer;

/// Objects that readers choose from.
const RECENT: usize = 512;

/// An object that is stored and registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub layer: Layer,
    pub key: String,
    /// Size in bytes.
    pub bytes: u64,
}

/// A bounded list of recent objects.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    recent: RwLock<VecDeque<Known>>,
}

impl Catalog {
    /// Adds an object; the oldest goes where there are too many.
    pub(super) fn add(&self, object: Known) {
        let mut recent = self.recent.write().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == RECENT {
            recent.pop_front();
        }
        recent.push_back(object);
    }

    /// One of them, chosen by `draw`.
    pub(super) fn pick(&self, draw: u64) -> Option<Known> {
        let recent = self.recent.read().unwrap_or_else(PoisonError::into_inner);
        let len = recent.len() as u64;
        (len > 0).then(|| recent[(draw % len) as usize].clone())
    }
}
