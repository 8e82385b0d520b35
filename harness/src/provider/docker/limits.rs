//! What a container may use: the profile's limits, as far as the machine has them.

use std::fmt;

use bollard::models::HostConfig;
use odg_profiles::model::Quantities;
use odg_profiles::units::format_bytes;

use crate::provider::Machine;

/// Limits of one container, and what the profile says where the machine has less.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limits {
    cpus: f64,
    memory_bytes: u64,
    promised_cpus: f64,
    promised_bytes: u64,
}

/// Which limits an engine's kernel can hold containers to. An engine drops the others without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Holds {
    pub cpu: bool,
    pub memory: bool,
    pub swap: bool,
}

impl Limits {
    /// The profile's, but never more than the machine has: an engine refuses more CPUs than there are, and more
    /// memory than there is limits nothing.
    pub(super) fn new(promised: &Quantities, machine: Machine) -> Self {
        let Machine { cores: cpus, memory_bytes } = machine;
        let (promised_cpus, promised_bytes) = (promised.cpu.cores(), promised.memory.bytes());
        Self {
            cpus: promised_cpus.min(f64::from(cpus.max(1))),
            memory_bytes: if memory_bytes > 0 {
                promised_bytes.min(memory_bytes)
            } else {
                promised_bytes
            },
            promised_cpus,
            promised_bytes,
        }
    }

    /// Memory, in bytes.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// Sets them. Swap is left out: a component that swaps is no longer the one that is promised.
    pub(super) fn apply(&self, host: &mut HostConfig) {
        let memory = i64::try_from(self.memory_bytes).unwrap_or(i64::MAX);
        host.nano_cpus = Some((self.cpus * 1e9) as i64);
        host.memory = Some(memory);
        host.memory_swap = Some(memory);
    }

    /// Those that a container does not have after all, by what the engine says it has set and can hold.
    pub(super) fn not_held(&self, set: &HostConfig, holds: Holds) -> Vec<&'static str> {
        let mut asked = HostConfig::default();
        self.apply(&mut asked);
        [
            ("CPU", holds.cpu && set.nano_cpus == asked.nano_cpus),
            ("memory", holds.memory && set.memory == asked.memory),
            ("swap", holds.swap && set.memory_swap == asked.memory_swap),
        ]
        .into_iter()
        .filter(|(_, held)| !held)
        .map(|(limit, _)| limit)
        .collect()
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "limits {} CPU", self.cpus)?;
        if self.cpus < self.promised_cpus {
            write!(f, " of {}", self.promised_cpus)?;
        }
        write!(f, " and {}", format_bytes(self.memory_bytes))?;
        if self.memory_bytes < self.promised_bytes {
            write!(f, " of {}", format_bytes(self.promised_bytes))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use odg_profiles::{ByteSize, Cpu};

    use super::*;

    #[test]
    fn a_smaller_machine_cuts_the_limits_and_says_so() {
        let promised = Quantities {
            cpu: Cpu::from_millicores(4000),
            memory: ByteSize::new(8 << 30),
            gpu: None,
        };
        let machine = |cores, memory_bytes| Machine { cores, memory_bytes };
        let enough = Limits::new(&promised, machine(16, 64 << 30));
        assert_eq!(enough.to_string(), format!("limits 4 CPU and {}", format_bytes(8 << 30)));
        let cut = Limits::new(&promised, machine(2, 4 << 30));
        let text = cut.to_string();
        assert!(text.contains("2 CPU of 4") && text.contains(" of "), "{text}");
        let mut host = HostConfig::default();
        cut.apply(&mut host);
        assert_eq!((host.nano_cpus, host.memory), (Some(2_000_000_000), Some(4 << 30)));
        assert_eq!(host.memory_swap, host.memory, "no swap");
    }

    #[test]
    fn a_limit_that_the_engine_dropped_or_cannot_hold_is_named() {
        let promised = Quantities {
            cpu: Cpu::from_millicores(500),
            memory: ByteSize::new(2 << 30),
            gpu: None,
        };
        let limits = Limits::new(&promised, Machine { cores: 8, memory_bytes: 32 << 30 });
        let all = Holds { cpu: true, memory: true, swap: true };
        let mut set = HostConfig::default();
        limits.apply(&mut set);
        assert_eq!(limits.not_held(&set, all), Vec::<&str>::new());
        // A kernel without swap accounting: the engine sets "unlimited" and creates the container all the same.
        set.memory_swap = Some(-1);
        assert_eq!(limits.not_held(&set, all), ["swap"]);
        set.memory = Some(0);
        set.nano_cpus = None;
        assert_eq!(limits.not_held(&set, all), ["CPU", "memory", "swap"]);
        // What it says it has set, and cannot hold, counts as little.
        limits.apply(&mut set);
        let holds = Holds { swap: false, ..all };
        assert_eq!(limits.not_held(&set, holds), ["swap"]);
    }
}
