//! Whose a container, network or volume is.

use std::collections::HashMap;
use std::fs;

use crate::host::procfs::{Identity, ProcessStat};

/// The run's id.
pub(super) const RUN: &str = "odg-bench.run";
const PID: &str = "odg-bench.pid";
const START: &str = "odg-bench.start-ticks";
const BOOT: &str = "odg-bench.boot";
const NAMESPACE: &str = "odg-bench.pid-namespace";

/// The process that made something: enough to tell a dead run's from a living one's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    /// The run's id.
    pub run: String,
    process: Identity,
    boot: String,
    namespace: String,
}

/// Whether an owner still lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Alive,
    Dead,
    /// Its process ids are not ours (another container): it cannot be told from here.
    Unknown,
    /// Started by another kernel: before this one booted, or on a machine that uses the same engine.
    OtherKernel,
}

impl Owner {
    /// This process, for a run.
    pub(super) fn this(run: &str) -> Self {
        let pid = i32::try_from(std::process::id()).unwrap_or(0);
        let start_ticks = ProcessStat::read(pid).map_or(0, |stat| stat.start_ticks);
        let process = Identity { pid, start_ticks };
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        Self {
            run: run.to_owned(),
            process,
            boot: boot.trim().to_owned(),
            namespace: namespace.display().to_string(),
        }
    }

    /// As labels.
    pub(super) fn labels(&self) -> HashMap<String, String> {
        [
            (RUN, self.run.clone()),
            (PID, self.process.pid.to_string()),
            (START, self.process.start_ticks.to_string()),
            (BOOT, self.boot.clone()),
            (NAMESPACE, self.namespace.clone()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
    }

    /// From labels; `None` where they are not all ours.
    pub(super) fn read(labels: &HashMap<String, String>) -> Option<Self> {
        let process = Identity {
            pid: labels.get(PID)?.parse().ok()?,
            start_ticks: labels.get(START)?.parse().ok()?,
        };
        Some(Self {
            run: labels.get(RUN)?.clone(),
            process,
            boot: labels.get(BOOT)?.clone(),
            namespace: labels.get(NAMESPACE)?.clone(),
        })
    }

    /// Whether it still lives, as `here` (this process) can tell. A later process with the same id is another one.
    pub(super) fn life(&self, here: &Self) -> Life {
        if self.boot != here.boot {
            Life::OtherKernel
        } else if self.namespace != here.namespace {
            Life::Unknown
        } else if self.process.is_alive() {
            Life::Alive
        } else {
            Life::Dead
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_comes_back_from_its_labels_and_foreign_labels_have_none() {
        let owner = Owner::this("abc123");
        assert_eq!(Owner::read(&owner.labels()), Some(owner.clone()));
        for key in owner.labels().keys() {
            let mut labels = owner.labels();
            labels.remove(key);
            assert_eq!(Owner::read(&labels), None, "without {key}");
        }
    }

    #[test]
    fn a_reused_process_id_another_boot_and_another_namespace_do_not_fool_it() {
        let here = Owner::this("here");
        let with = |change: fn(&mut Owner)| {
            let mut owner = here.clone();
            change(&mut owner);
            owner.life(&here)
        };
        assert_eq!(with(|_| {}), Life::Alive);
        assert_eq!(with(|o| o.process.start_ticks += 1), Life::Dead);
        assert_eq!(with(|o| o.process.pid = i32::MAX), Life::Dead);
        assert_eq!(with(|o| o.boot = "an earlier one".into()), Life::OtherKernel);
        assert_eq!(with(|o| o.namespace = "pid:[1]".into()), Life::Unknown);
    }
}
