//! What killed runs left in a stack that stays, found by their names.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use odg_workloads::day;
use odg_workloads::driver::kafka::{KafkaDriver, KafkaOptions};
use odg_workloads::driver::nats::NatsDriver;
use odg_workloads::driver::postgres::{PoolSize, PostgresDriver};
use odg_workloads::driver::redis::RedisDriver;
use odg_workloads::driver::s3::{S3Driver, S3Options};
use odg_workloads::driver::{DriverError, Prefix};
use odg_workloads::endpoint::Endpoints;
use time::OffsetDateTime;

use crate::run::label;

/// Longest that one component may take to list its names.
const LIST_WITHIN: Duration = Duration::from_secs(60);

/// What one run left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Its label.
    pub run: String,
    /// Component and name of each thing.
    pub names: Vec<(&'static str, String)>,
    /// How long ago it should have ended; `None` where its label does not say, or it has not.
    pub over_since: Option<Duration>,
}

impl Left {
    /// Whether the run should have ended at least this long ago.
    pub fn is_dead(&self, older_than: Duration) -> bool {
        self.over_since.is_some_and(|since| since >= older_than)
    }
}

/// Everything that runs left on these endpoints, and the components that could not be asked.
pub async fn find(endpoints: &Endpoints) -> (Vec<Left>, Vec<DriverError>) {
    let (postgres, redis, nats, kafka, s3) = tokio::join!(
        listed("postgresql", postgres(endpoints)),
        listed("redis", redis(endpoints)),
        listed("nats", nats(endpoints)),
        listed("kafka", kafka(endpoints)),
        listed("minio", s3(endpoints)),
    );
    let mut names = Vec::new();
    let mut problems = Vec::new();
    for (component, found) in [postgres, redis, nats, kafka, s3] {
        match found {
            Ok(found) => names.extend(found.into_iter().map(|name| (component, name))),
            Err(error) => problems.push(error),
        }
    }
    (by_run(names, OffsetDateTime::now_utc().unix_timestamp()), problems)
}

/// Removes what a run left. Answers what could not be removed.
pub async fn remove(endpoints: &Endpoints, left: &Left) -> Vec<DriverError> {
    day::sweep(endpoints, &left.run).await
}

/// The label in `odgbench-<label>…` or `odgbench_<label>…`.
fn run_of(name: &str) -> Option<&str> {
    let rest = name.strip_prefix("odgbench")?.strip_prefix(['-', '_'])?;
    let run = rest.split(['-', '_', '.', '/', ':']).next().unwrap_or_default();
    let plain = run.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    (plain && !run.is_empty()).then_some(run)
}

fn by_run(names: Vec<(&'static str, String)>, now: i64) -> Vec<Left> {
    let mut runs: BTreeMap<String, Vec<(&'static str, String)>> = BTreeMap::new();
    for (component, name) in names {
        if let Some(run) = run_of(&name).map(str::to_owned) {
            runs.entry(run).or_default().push((component, name));
        }
    }
    runs.into_iter()
        .map(|(run, names)| {
            let over = label::planned_end(&run).and_then(|end| u64::try_from(now - end).ok());
            Left { run, names, over_since: over.map(Duration::from_secs) }
        })
        .collect()
}

async fn listed(
    component: &'static str,
    list: impl Future<Output = Result<Vec<String>, DriverError>>,
) -> (&'static str, Result<Vec<String>, DriverError>) {
    let listed = tokio::time::timeout(LIST_WITHIN, list).await;
    let found = listed.unwrap_or_else(|_| {
        let reason = format!("no answer within {} s", LIST_WITHIN.as_secs());
        Err(DriverError::wrong_answer(component, "list what runs left", reason))
    });
    (component, found)
}

fn asks() -> Result<Prefix, DriverError> {
    Prefix::new("odgbench-asks")
}

async fn postgres(endpoints: &Endpoints) -> Result<Vec<String>, DriverError> {
    let Some(endpoint) = &endpoints.postgres else { return Ok(Vec::new()) };
    let prefix = Prefix::new("odgbench_asks")?;
    let postgres = PostgresDriver::connect(endpoint, PoolSize { min: 0, max: 1 }, &prefix).await?;
    let names = postgres.house_names().await;
    postgres.close().await;
    names
}

async fn redis(endpoints: &Endpoints) -> Result<Vec<String>, DriverError> {
    let Some(endpoint) = &endpoints.redis else { return Ok(Vec::new()) };
    RedisDriver::connect(endpoint, asks()?).await?.house_names().await
}

async fn nats(endpoints: &Endpoints) -> Result<Vec<String>, DriverError> {
    let Some(endpoint) = &endpoints.nats else { return Ok(Vec::new()) };
    NatsDriver::connect(endpoint, asks()?).await?.house_names().await
}

async fn kafka(endpoints: &Endpoints) -> Result<Vec<String>, DriverError> {
    let Some(endpoint) = &endpoints.kafka else { return Ok(Vec::new()) };
    KafkaDriver::new(endpoint, KafkaOptions::default(), asks()?)?.house_names().await
}

async fn s3(endpoints: &Endpoints) -> Result<Vec<String>, DriverError> {
    let Some(endpoint) = &endpoints.s3 else { return Ok(Vec::new()) };
    S3Driver::new(endpoint, S3Options::default(), asks()?)?.house_names().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_runs_that_should_have_ended_long_ago_are_dead_and_foreign_names_are_nobodys() {
        let names = [
            ("kafka", "odgbench-ab12cdu1000.events"),
            ("postgresql", "odgbench_ab12cdu1000_probe"),
            ("minio", "odgbench-beefu5000-bronze"),
            ("redis", "odgbench-old:session:1"),
            ("kafka", "odgbenchmark"),
            ("kafka", "orders"),
            ("kafka", "odgbench-"),
        ];
        let names = names.map(|(component, name)| (component, name.to_owned())).to_vec();
        let left = by_run(names, 4_700);
        let runs: Vec<(&str, usize)> =
            left.iter().map(|left| (left.run.as_str(), left.names.len())).collect();
        assert_eq!(runs, [("ab12cdu1000", 2), ("beefu5000", 1), ("old", 1)]);
        let dead: Vec<bool> =
            left.iter().map(|left| left.is_dead(Duration::from_secs(3_600))).collect();
        // The second has not ended; the third does not say when.
        assert_eq!(dead, [true, false, false]);
        assert!(!left[0].is_dead(Duration::from_secs(3_701)));
    }
}
