//! What components and the generator use of the machine, sampled once a second.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use nix::unistd::{SysconfVar, sysconf};
use odg_reports::record::ResourceRow;

use super::procfs::{self, Identity, ProcessStat, Resident};

/// Name of the row that is about odg-bench itself.
pub const GENERATOR: &str = "odg-bench";

/// Samples groups of processes. CPU is a difference to the sample before; a group's first row has 0.
#[derive(Debug)]
pub struct ResourceSampler {
    ticks_per_second: f64,
    before: HashMap<String, (Instant, u64)>,
}

impl Default for ResourceSampler {
    fn default() -> Self {
        Self::new()
    }
}

impl ResourceSampler {
    /// A sampler that has seen nothing yet.
    pub fn new() -> Self {
        // Linux has shown 100 to programs for as long as /proc has existed.
        let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
        Self { ticks_per_second: ticks as f64, before: HashMap::new() }
    }

    /// One row per group with a living process, and one for this process. `t_s` is the time of the rows, in
    /// seconds since the run's epoch; a group's processes should include the children of its server.
    pub fn sample(&mut self, t_s: f64, groups: &[(String, Vec<i32>)]) -> Vec<ResourceRow> {
        let mut rows: Vec<ResourceRow> =
            groups.iter().filter_map(|(name, pids)| self.group(t_s, name, pids)).collect();
        rows.extend(self.generator(t_s));
        rows
    }

    /// A tree's CPU time is that of its living processes and of the ended children they have waited for, so
    /// nothing is lost or counted twice when a child ends.
    fn group(&mut self, t_s: f64, name: &str, pids: &[i32]) -> Option<ResourceRow> {
        let mut seen: HashSet<Identity> = HashSet::new();
        let mut ticks = 0;
        let mut memory = Resident::default();
        let mut write_bytes = 0;
        for stat in pids.iter().filter_map(|&pid| ProcessStat::read(pid)) {
            if !seen.insert(stat.identity()) {
                continue;
            }
            ticks += stat.own_ticks + stat.children_ticks;
            write_bytes += procfs::write_bytes(stat.pid).unwrap_or(0);
            let resident = Resident::read(stat.pid).unwrap_or_default();
            // Processes of one server map the same files and the same shared memory: counted once.
            memory.anonymous += resident.anonymous;
            memory.file = memory.file.max(resident.file);
            memory.shared = memory.shared.max(resident.shared);
        }
        (!seen.is_empty()).then(|| self.row(t_s, name, ticks, memory, write_bytes))
    }

    /// This process alone: its servers are children of it and have rows of their own.
    fn generator(&mut self, t_s: f64) -> Option<ResourceRow> {
        let pid = i32::try_from(std::process::id()).ok()?;
        let stat = ProcessStat::read(pid)?;
        let memory = Resident::read(pid).unwrap_or_default();
        let write_bytes = procfs::write_bytes(pid).unwrap_or(0);
        Some(self.row(t_s, GENERATOR, stat.own_ticks, memory, write_bytes))
    }

    fn row(
        &mut self,
        t_s: f64,
        name: &str,
        ticks: u64,
        memory: Resident,
        write_bytes: u64,
    ) -> ResourceRow {
        let now = Instant::now();
        let before = self.before.insert(name.to_owned(), (now, ticks));
        let cpu_cores = before.map_or(0.0, |(then, ticks_before)| {
            let seconds = now.duration_since(then).as_secs_f64();
            let used = ticks.saturating_sub(ticks_before) as f64 / self.ticks_per_second;
            if seconds > 0.0 { used / seconds } else { 0.0 }
        });
        ResourceRow {
            t_s,
            component: name.to_owned(),
            cpu_cores,
            rss_bytes: memory.anonymous + memory.file + memory.shared,
            write_bytes: Some(write_bytes),
            ..ResourceRow::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::*;

    #[test]
    fn work_shows_as_cpu_of_its_group_and_memory_is_never_zero() {
        let mut child = Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let groups = [("busy".to_owned(), vec![i32::try_from(child.id()).unwrap()])];
        let mut sampler = ResourceSampler::new();
        let first = sampler.sample(0.0, &groups);
        // Long enough for a busy machine to give it a few ticks.
        std::thread::sleep(Duration::from_millis(600));
        let second = sampler.sample(1.0, &groups);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(first[0].cpu_cores, 0.0, "nothing to compare the first sample with");
        assert!(second[0].cpu_cores > 0.0, "{second:?}");
        assert_eq!(
            (second[0].component.as_str(), second[1].component.as_str()),
            ("busy", GENERATOR)
        );
        assert!(second.iter().all(|row| row.rss_bytes > 0));
    }

    #[test]
    fn a_group_that_has_ended_has_no_row() {
        let rows = ResourceSampler::new().sample(0.0, &[("gone".to_owned(), vec![i32::MAX])]);
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].component, GENERATOR);
    }
}
