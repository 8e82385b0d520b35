//! Helm values read into what a profile promises: which promise a values file keeps, and where it says so.
//!
//! Two layouts are understood: the one of the deployment page (`replicas.governanceEngine`) and the one of the
//! platform's chart (`governance-engine.replicaCount`). [`Values::declared`] recognises them by themselves and
//! answers with [`Fact`]s under the paths of the profile's own model (`services.governance-engine.replicas`), so that
//! [`promises`] can be compared with them one by one.

mod declared;
mod demand;
mod fact;
mod keys;
mod layout;
mod merge;
mod pool;
mod promise;
mod quantity;
pub mod yaml;

pub use declared::{Declared, Lookup, Stated, Unread};
pub use demand::{Amounts, Demand, Silent};
pub use fact::{Fact, Kind, Unit};
pub use layout::{BLOCKS, Layout, Mixed, layout};
pub use merge::merge;
pub use pool::{DEFAULT_CONNECTIONS, POOL_OVERFLOW, POOL_SIZE, PoolUse, in_configuration};
pub use promise::{BackupTopic, ClaimTopic, Promise, Rule, ServiceTopic, Topic, promises};
pub use quantity::{Quantity, QuantityError};

use std::sync::Arc;

use yaml::{Node, Value, YamlError};

/// Largest values file, in bytes; the platform's own have 12 KiB.
pub const MAX_VALUES_BYTES: usize = 4 << 20;

/// Values files, merged as Helm merges them.
#[derive(Debug, Clone)]
pub struct Values {
    /// The merged map.
    pub root: Node,
    /// Layout of each file that says anything, in the order of merging.
    pub layouts: Vec<(Arc<str>, Layout)>,
}

impl Values {
    /// Reads and merges files: (name, text), in the order of `helm -f`.
    ///
    /// # Errors
    /// One line with file and line: broken YAML, a document that is no map, more than one document, a limit.
    pub fn read<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, YamlError> {
        let mut merged: Option<Node> = None;
        let mut layouts = Vec::new();
        let mut aliases = yaml::Aliases::default();
        for (name, text) in files {
            let name: Arc<str> = Arc::from(name);
            if text.len() > MAX_VALUES_BYTES {
                let message = format!(
                    "it has {} bytes; a values file may have {MAX_VALUES_BYTES}",
                    text.len()
                );
                return Err(YamlError::at(&name, 1, &message));
            }
            let refused = yaml::Duplicates::Refused;
            let Some(node) = yaml::parse(&name, text, 0, refused, &mut aliases)? else { continue };
            if !matches!(node.value, Value::Map(_)) {
                let message = format!("values are a map of keys; this is {}", node.value.noun());
                return Err(YamlError::at(&name, node.place.line, &message));
            }
            layouts.push((name, layout(&node)));
            merged = Some(match merged {
                None => merge::without_nulls(node),
                Some(base) => merge(base, node),
            });
        }
        let root = merged.unwrap_or_else(Node::empty);
        Ok(Self { root, layouts })
    }
}

#[cfg(test)]
mod tests;
