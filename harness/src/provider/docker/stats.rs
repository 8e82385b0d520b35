//! An engine's container statistics as one row of a record.

use bollard::models::{
    ContainerBlkioStats, ContainerMemoryStats, ContainerNetworkStats, ContainerStatsResponse,
};
use odg_reports::record::ResourceRow;
use time::OffsetDateTime;

/// Counters of a container at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Usage {
    read_at: OffsetDateTime,
    cpu_ns: u64,
    cpu_cores: f64,
    memory_bytes: u64,
    /// Bytes read from and written to block devices, where the engine counts them.
    block: Option<(u64, u64)>,
    /// Bytes received and sent, where it has a network.
    network: Option<(u64, u64)>,
}

impl Usage {
    /// From an answer of the engine; CPU is the difference to the answer before. `None` where it holds
    /// nothing, as it does once the container has ended, and where it is the answer before again.
    pub(super) fn new(stats: &ContainerStatsResponse, before: Option<&Self>) -> Option<Self> {
        let memory = stats.memory_stats.as_ref().filter(|memory| memory.usage.is_some())?;
        let cpu_ns = stats.cpu_stats.as_ref()?.cpu_usage.as_ref()?.total_usage?;
        let read_at = stats.read?;
        if before.is_some_and(|before| before.read_at >= read_at) {
            return None;
        }
        let network = stats.networks.as_ref().map(|networks| {
            let sum = |bytes: fn(&ContainerNetworkStats) -> Option<u64>| {
                networks.values().filter_map(bytes).sum()
            };
            (sum(|network| network.rx_bytes), sum(|network| network.tx_bytes))
        });
        Some(Self {
            read_at,
            cpu_ns,
            cpu_cores: before.map_or(0.0, |before| before.cores_until(read_at, cpu_ns)),
            memory_bytes: working_set(memory),
            block: stats.blkio_stats.as_ref().and_then(block),
            network,
        })
    }

    /// `read_at` is later than this.
    fn cores_until(&self, read_at: OffsetDateTime, cpu_ns: u64) -> f64 {
        let seconds = (read_at - self.read_at).as_seconds_f64();
        cpu_ns.saturating_sub(self.cpu_ns) as f64 / 1e9 / seconds
    }

    /// As a row of `component` at the moment when the engine counted, which shares this machine's clock: it is
    /// `now`, and `t_s` seconds since the run's epoch. `None` where it counted before the epoch.
    pub(super) fn row(
        &self,
        now: OffsetDateTime,
        t_s: f64,
        component: &str,
    ) -> Option<ResourceRow> {
        let read_s = t_s - (now - self.read_at).as_seconds_f64();
        (read_s >= 0.0).then(|| ResourceRow {
            t_s: read_s,
            component: component.to_owned(),
            cpu_cores: self.cpu_cores,
            rss_bytes: self.memory_bytes,
            write_bytes: self.block.map(|(_, written)| written),
            read_bytes: self.block.map(|(read, _)| read),
            received_bytes: self.network.map(|(received, _)| received),
            sent_bytes: self.network.map(|(_, sent)| sent),
        })
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

/// Bytes read from and written to block devices; `None` where there is no entry, as under a cgroup v1 without its
/// controller. The operation is `Read` under cgroup v1 and `read` under v2.
fn block(stats: &ContainerBlkioStats) -> Option<(u64, u64)> {
    stats.io_service_bytes_recursive.as_ref().filter(|entries| !entries.is_empty())?;
    let sum = |operation: &str| {
        let entries = stats.io_service_bytes_recursive.iter().flatten();
        let of = entries.filter(|entry| {
            entry.op.as_deref().is_some_and(|op| op.eq_ignore_ascii_case(operation))
        });
        of.filter_map(|entry| entry.value).sum()
    };
    Some((sum("read"), sum("write")))
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
            let now = first.read_at;
            let row = first.row(now, 1.0, "redis").unwrap();
            assert_eq!(row.cpu_cores, 0.0, "nothing to compare the first with");
            let second = stats("2026-01-02T03:04:07Z", 2_000_000_000, cache, op);
            let second = Usage::new(&second, Some(&first)).unwrap();
            let row = second.row(second.read_at, 3.0, "redis").unwrap();
            assert!((row.cpu_cores - 0.5).abs() < 1e-9, "{row:?}");
            assert_eq!((row.rss_bytes, row.write_bytes, row.read_bytes), (700, Some(40), Some(30)));
            assert_eq!((row.received_bytes, row.sent_bytes), (Some(8), Some(9)));
        }
    }

    #[test]
    fn the_answer_about_a_container_that_has_ended_is_no_row_of_zeroes() {
        let ended = r#"{"read":"0001-01-01T00:00:00Z","cpu_stats":{"cpu_usage":{"total_usage":0}},"memory_stats":{},"blkio_stats":{"io_service_bytes_recursive":null}}"#;
        assert_eq!(Usage::new(&serde_json::from_str(ended).unwrap(), None), None);
    }

    #[test]
    fn a_row_has_the_time_at_which_the_engine_counted_and_none_is_repeated() {
        let op = ["read", "write"];
        let first = stats("2026-01-02T03:04:05Z", 1_000_000_000, "inactive_file", op);
        let usage = Usage::new(&first, None).unwrap();
        let looked = usage.read_at + time::Duration::milliseconds(700);
        let row = usage.row(looked, 4.0, "redis").unwrap();
        assert!((row.t_s - 3.3).abs() < 1e-9, "{row:?}");
        assert_eq!(usage.row(looked, 0.5, "redis"), None, "it was counted before the epoch");
        assert_eq!(Usage::new(&first, Some(&usage)), None, "the same answer again");
    }

    #[test]
    fn what_the_engine_does_not_count_is_unknown_and_not_zero() {
        let v1 = r#"{"read":"2026-01-02T03:04:05Z","cpu_stats":{"cpu_usage":{"total_usage":1}},"memory_stats":{"usage":9},"blkio_stats":{"io_service_bytes_recursive":[]}}"#;
        let usage = Usage::new(&serde_json::from_str(v1).unwrap(), None).unwrap();
        let row = usage.row(usage.read_at, 1.0, "redis").unwrap();
        assert_eq!((row.write_bytes, row.read_bytes), (None, None));
        assert_eq!((row.received_bytes, row.sent_bytes), (None, None));
    }
}
