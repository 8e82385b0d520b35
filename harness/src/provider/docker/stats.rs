//! An engine's container statistics as one row of a record.

use bollard::models::{ContainerBlkioStats, ContainerMemoryStats, ContainerStatsResponse};
use odg_reports::record::ResourceRow;
use time::OffsetDateTime;

/// Counters of a container at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Usage {
    read_at: Option<OffsetDateTime>,
    cpu_ns: u64,
    cpu_cores: f64,
    memory_bytes: u64,
    read_bytes: u64,
    write_bytes: u64,
    received_bytes: u64,
    sent_bytes: u64,
}

impl Usage {
    /// From an answer of the engine; CPU is the difference to the answer before. `None` where it holds
    /// nothing, as it does once the container has ended.
    pub(super) fn new(stats: &ContainerStatsResponse, before: Option<&Self>) -> Option<Self> {
        let memory = stats.memory_stats.as_ref().filter(|memory| memory.usage.is_some())?;
        let cpu_ns = stats.cpu_stats.as_ref()?.cpu_usage.as_ref()?.total_usage?;
        let (read_bytes, write_bytes) = stats.blkio_stats.as_ref().map_or((0, 0), block);
        let networks = || stats.networks.iter().flat_map(|networks| networks.values());
        Some(Self {
            read_at: stats.read,
            cpu_ns,
            cpu_cores: before.map_or(0.0, |before| before.cores_until(stats.read, cpu_ns)),
            memory_bytes: working_set(memory),
            read_bytes,
            write_bytes,
            received_bytes: networks().filter_map(|network| network.rx_bytes).sum(),
            sent_bytes: networks().filter_map(|network| network.tx_bytes).sum(),
        })
    }

    fn cores_until(&self, read_at: Option<OffsetDateTime>, cpu_ns: u64) -> f64 {
        let (Some(from), Some(to)) = (self.read_at, read_at) else { return 0.0 };
        let seconds = (to - from).as_seconds_f64();
        if seconds > 0.0 { cpu_ns.saturating_sub(self.cpu_ns) as f64 / 1e9 / seconds } else { 0.0 }
    }

    /// As a row of `component` at `t_s` seconds since the run's epoch.
    pub(super) fn row(&self, t_s: f64, component: &str) -> ResourceRow {
        ResourceRow {
            t_s,
            component: component.to_owned(),
            cpu_cores: self.cpu_cores,
            rss_bytes: self.memory_bytes,
            write_bytes: self.write_bytes,
            read_bytes: Some(self.read_bytes),
            received_bytes: Some(self.received_bytes),
            sent_bytes: Some(self.sent_bytes),
        }
    }
}

/// Memory without the page cache that the kernel could take back, as `docker stats` shows it: cgroup v1 calls
/// that cache `total_inactive_file`, v2 `inactive_file`.
fn working_set(memory: &ContainerMemoryStats) -> u64 {
    let stats = memory.stats.as_ref();
    let cache = ["total_inactive_file", "inactive_file"]
        .iter()
        .find_map(|key| stats?.get(*key))
        .copied()
        .unwrap_or(0);
    memory.usage.unwrap_or(0).saturating_sub(cache)
}

/// Bytes read from and written to block devices. The operation is `Read` under cgroup v1 and `read` under v2.
fn block(stats: &ContainerBlkioStats) -> (u64, u64) {
    let sum = |operation: &str| {
        let entries = stats.io_service_bytes_recursive.iter().flatten();
        let of = entries.filter(|entry| {
            entry.op.as_deref().is_some_and(|op| op.eq_ignore_ascii_case(operation))
        });
        of.filter_map(|entry| entry.value).sum()
    };
    (sum("read"), sum("write"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As engines answer, with the keys that matter here.
    fn stats(read: &str, cpu_ns: u64, cache: &str, op: [&str; 2]) -> ContainerStatsResponse {
        let text = format!(
            r#"{{"read": "{read}",
                "cpu_stats": {{"cpu_usage": {{"total_usage": {cpu_ns}}}}},
                "memory_stats": {{"usage": 1000, "stats": {{"{cache}": 300, "rss": 5}}}},
                "blkio_stats": {{"io_service_bytes_recursive": [
                    {{"major": 8, "minor": 0, "op": "{}", "value": 10}},
                    {{"major": 8, "minor": 16, "op": "{}", "value": 20}},
                    {{"major": 8, "minor": 0, "op": "{}", "value": 40}},
                    {{"major": 8, "minor": 0, "op": "Total", "value": 70}}]}},
                "networks": {{"eth0": {{"rx_bytes": 7, "tx_bytes": 8}}, "eth1": {{"rx_bytes": 1, "tx_bytes": 1}}}}}}"#,
            op[0], op[0], op[1]
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn both_versions_of_cgroups_give_the_same_figures() {
        for (cache, op) in
            [("total_inactive_file", ["Read", "Write"]), ("inactive_file", ["read", "write"])]
        {
            let first =
                Usage::new(&stats("2026-01-02T03:04:05Z", 1_000_000_000, cache, op), None).unwrap();
            assert_eq!(first.row(1.0, "redis").cpu_cores, 0.0, "nothing to compare the first with");
            let second = stats("2026-01-02T03:04:07Z", 2_000_000_000, cache, op);
            let row = Usage::new(&second, Some(&first)).unwrap().row(2.0, "redis");
            assert!((row.cpu_cores - 0.5).abs() < 1e-9, "{row:?}");
            assert_eq!((row.rss_bytes, row.write_bytes, row.read_bytes), (700, 40, Some(30)));
            assert_eq!((row.received_bytes, row.sent_bytes), (Some(8), Some(9)));
        }
    }

    #[test]
    fn the_answer_about_a_container_that_has_ended_is_no_row_of_zeroes() {
        let ended = r#"{"read":"0001-01-01T00:00:00Z","cpu_stats":{"cpu_usage":{"total_usage":0}},"memory_stats":{},"blkio_stats":{"io_service_bytes_recursive":null}}"#;
        assert_eq!(Usage::new(&serde_json::from_str(ended).unwrap(), None), None);
    }
}
