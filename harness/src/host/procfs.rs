//! The few lines of `/proc` that odg-bench reads.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

/// One process, from `/proc/<pid>/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessStat {
    /// Process id.
    pub pid: i32,
    /// State letter; `Z` is a process that has ended and was not waited for.
    pub state: char,
    /// Parent.
    pub parent: i32,
    /// Process group.
    pub group: i32,
    /// CPU time of the process itself, in clock ticks.
    pub own_ticks: u64,
    /// CPU time of its children that have ended, in clock ticks.
    pub children_ticks: u64,
    /// Start, in clock ticks since boot. With the pid it names one process for ever.
    pub start_ticks: u64,
}

/// A process that cannot be mistaken for a later one with the same pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Process id.
    pub pid: i32,
    /// Start, in clock ticks since boot.
    pub start_ticks: u64,
}

impl ProcessStat {
    /// Reads one process; `None` once it is gone.
    pub fn read(pid: i32) -> Option<Self> {
        parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Its unmistakable name.
    pub fn identity(&self) -> Identity {
        Identity { pid: self.pid, start_ticks: self.start_ticks }
    }

    /// Whether it can still run.
    pub fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X' | 'x')
    }
}

impl Identity {
    /// Whether this very process still runs.
    pub fn is_alive(self) -> bool {
        ProcessStat::read(self.pid).is_some_and(|stat| stat.identity() == self && stat.is_alive())
    }
}

/// See proc(5). The command may hold spaces and parentheses, so fields are counted after its last one.
fn parse_stat(text: &str) -> Option<ProcessStat> {
    let (head, tail) = text.rsplit_once(')')?;
    let pid = head.split_once(' ')?.0.parse().ok()?;
    let fields: Vec<&str> = tail.split_ascii_whitespace().collect();
    // `fields[0]` is field 3 of the manual page.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(ProcessStat {
        pid,
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        own_ticks: number(14)?.checked_add(number(15)?)?,
        children_ticks: number(16)?.checked_add(number(17)?)?,
        start_ticks: number(22)?,
    })
}

/// All processes that can be seen.
pub fn processes() -> Vec<ProcessStat> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(ProcessStat::read)
        .collect()
}

/// `roots` and everything that descends from them, among `all`.
pub fn trees(all: &[ProcessStat], roots: &[i32]) -> HashSet<i32> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for stat in all {
        children.entry(stat.parent).or_default().push(stat.pid);
    }
    let mut found = HashSet::new();
    let mut open: Vec<i32> = roots.to_vec();
    while let Some(pid) = open.pop() {
        if found.insert(pid) {
            open.extend(children.get(&pid).into_iter().flatten());
        }
    }
    found
}

/// Whether a process works inside `dir`. False where this user may not look.
pub fn works_in(pid: i32, dir: &Path) -> bool {
    fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(dir))
}

/// Resident memory of one process by kind, in bytes, from `/proc/<pid>/status`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resident {
    /// Its own.
    pub anonymous: u64,
    /// Mapped files.
    pub file: u64,
    /// Shared memory.
    pub shared: u64,
}

impl Resident {
    /// Reads one process; `None` once it is gone.
    pub fn read(pid: i32) -> Option<Self> {
        Some(Self::parse(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?))
    }

    fn parse(status: &str) -> Self {
        let kib = |key: &str| colon_value(status, key).unwrap_or(0).saturating_mul(1024);
        Self { anonymous: kib("RssAnon"), file: kib("RssFile"), shared: kib("RssShmem") }
    }
}

/// Bytes that a process has sent to storage, its ended children included; `None` where this user may not look.
pub fn write_bytes(pid: i32) -> Option<u64> {
    colon_value(&fs::read_to_string(format!("/proc/{pid}/io")).ok()?, "write_bytes")
}

/// The first number of the line `key: number …`.
pub(super) fn colon_value(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_command_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let line = "42 (a) b (c)) S 7 42 42 0 -1 4194560 1 2 3 4 50 60 7 8 20 0 1 0 12345 1 2 3";
        let stat = parse_stat(line).unwrap();
        assert_eq!((stat.pid, stat.state, stat.parent, stat.group), (42, 'S', 7, 42));
        assert_eq!((stat.own_ticks, stat.children_ticks, stat.start_ticks), (110, 15, 12_345));
    }

    #[test]
    fn this_process_is_found_alive_with_its_memory() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let stat = ProcessStat::read(pid).unwrap();
        assert!(stat.identity().is_alive());
        assert!(Resident::read(pid).unwrap().anonymous > 0);
        assert!(write_bytes(pid).is_some());
        let later = Identity { pid, start_ticks: stat.start_ticks + 1 };
        assert!(!later.is_alive(), "a later process with the same pid is another one");
    }

    #[test]
    fn a_tree_holds_all_generations_and_nothing_else() {
        let stat = |pid, parent| ProcessStat {
            pid,
            state: 'S',
            parent,
            group: 1,
            own_ticks: 0,
            children_ticks: 0,
            start_ticks: 0,
        };
        let all = [stat(2, 1), stat(3, 2), stat(4, 3), stat(5, 1)];
        assert_eq!(trees(&all, &[2]), HashSet::from([2, 3, 4]));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,200}") {
            let _ = parse_stat(&text);
            let _ = Resident::parse(&text);
        }
    }
}
