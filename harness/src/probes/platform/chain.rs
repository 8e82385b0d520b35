//! The audit chain: recomputed over all rows from the database, and compared with the service's word.

use std::time::Instant;

use futures::future::join_all;
use odg_reports::record::{FeatureResult, Verdict};
use odg_workloads::driver::platform::GovernanceClient;
use odg_workloads::driver::postgres::{PlatformChain, PoolSize, PostgresDriver};
use odg_workloads::driver::{DriverError, Prefix};
use odg_workloads::endpoint::PostgresEndpoint;
use odg_workloads::governance::GovernanceNames;
use uuid::Uuid;

use super::lifecycle::decision;
use super::tally::Promise;

/// Writers that append at once.
const WRITERS: u64 = 8;

/// What the database told.
enum Recomputed {
    Chain(PlatformChain),
    Unknown(String),
}

/// Writes from several places at once, then looks at the whole chain.
pub(super) async fn check(
    client: &GovernanceClient,
    names: &GovernanceNames,
    database: Option<&PostgresEndpoint>,
    run: &str,
    acknowledged: &[Uuid],
) -> Vec<FeatureResult> {
    let started = Instant::now();
    let writes = (0..WRITERS).map(|number| {
        let new = decision(names, number);
        async move { client.create(&new).await }
    });
    let written: Vec<Uuid> =
        join_all(writes).await.into_iter().flatten().map(|done| done.value.id).collect();
    let decisions = [acknowledged, &written].concat();
    let recomputed = match database {
        None => Recomputed::Unknown(
            "its database is not attached, and over REST the service does not show what is hashed"
                .into(),
        ),
        Some(endpoint) => match recompute(endpoint, run, &decisions).await {
            Ok(Some(chain)) => foreign(client, chain, &decisions).await,
            Ok(None) => Recomputed::Unknown(format!(
                "database {} shows no table audit_events to {}",
                endpoint.database, endpoint.user
            )),
            Err(error) => Recomputed::Unknown(error.to_string()),
        },
    };
    let said = client.verify().await.map(|done| done.value);
    let took = started.elapsed();
    let (whole, word) = whole(&recomputed, &said, decisions.len());
    let (single, forks) = single(&recomputed, written.len());
    vec![
        Promise::AuditChain.finding(whole, word, took),
        Promise::OneChain.finding(single, forks, took),
    ]
}

async fn recompute(
    endpoint: &PostgresEndpoint,
    run: &str,
    decisions: &[Uuid],
) -> Result<Option<PlatformChain>, DriverError> {
    // Nothing is created under this name: the connection reads the platform's schema only.
    let prefix = Prefix::new(format!("odgbench_{run}_probe"))?;
    let driver = PostgresDriver::connect(endpoint, PoolSize { min: 0, max: 1 }, &prefix).await?;
    let chain = driver.platform_chain(decisions).await;
    driver.close().await;
    chain
}

/// Whether the table is another platform's: the service lists the events of our decisions, and the table
/// has none of them.
async fn foreign(
    client: &GovernanceClient,
    chain: PlatformChain,
    decisions: &[Uuid],
) -> Recomputed {
    if decisions.is_empty() || chain.without_event.len() < decisions.len() {
        return Recomputed::Chain(chain);
    }
    let listed = client.audit(50, 0).await.map(|done| done.value).unwrap_or_default();
    let ours = |id: &str| decisions.iter().any(|decision| decision.to_string() == id);
    if listed.iter().any(|entry| ours(&entry.entity_id)) {
        let schema = chain.schema;
        return Recomputed::Unknown(format!("{schema}.audit_events belongs to another platform"));
    }
    Recomputed::Chain(chain)
}

/// Does the chain hold from end to end, and does the service say so?
fn whole(
    recomputed: &Recomputed,
    said: &Result<bool, DriverError>,
    decisions: usize,
) -> (Verdict, String) {
    let word = match said {
        Ok(true) => "the service says it is valid".to_owned(),
        Ok(false) => "the service says it is broken".to_owned(),
        Err(error) => format!("the service says nothing: {error}"),
    };
    match recomputed {
        Recomputed::Unknown(why) => match said {
            Ok(false) => (Verdict::Fail, format!("{word}; not recomputed: {why}")),
            _ => {
                (Verdict::NotVerified, format!("not recomputed: {why}; {word}, of its oldest rows"))
            }
        },
        Recomputed::Chain(chain) => {
            let rows = format!("{} rows of {}.audit_events recomputed", chain.rows, chain.schema);
            let ties = match chain.tied {
                0 => String::new(),
                tied => format!(", {tied} of one time with another and ordered by their links"),
            };
            if let Some(why) = &chain.broken {
                return (Verdict::Fail, format!("{why}; {rows}{ties}; {word}"));
            }
            if let Some(lost) = chain.without_event.first() {
                let count = chain.without_event.len();
                let why = format!(
                    "{count} of {decisions} acknowledged decisions have no event, such as {lost}"
                );
                return (Verdict::Fail, format!("{why}; {rows}; {word}"));
            }
            match said {
                Ok(true) => {
                    let found = format!("each of {decisions} acknowledged decisions is in it");
                    (
                        Verdict::Pass,
                        format!("{rows}{ties}, every hash and link holds; {found}; {word}"),
                    )
                }
                Ok(false) => {
                    (Verdict::Fail, format!("{rows}, every hash and link holds, but {word}"))
                }
                Err(_) => {
                    (Verdict::Pass, format!("{rows}{ties}, every hash and link holds; {word}"))
                }
            }
        }
    }
}

/// Did several writers ever append after the same event?
fn single(recomputed: &Recomputed, written: usize) -> (Verdict, String) {
    match recomputed {
        Recomputed::Unknown(why) => (Verdict::NotVerified, format!("not counted: {why}")),
        Recomputed::Chain(chain) => match &chain.forks {
            (0, _) if written > 1 => (
                Verdict::Pass,
                format!("none of {} rows, after {written} writers at once", chain.rows),
            ),
            (0, _) => (Verdict::NotVerified, "the writers' decisions were not accepted".to_owned()),
            (forks, example) => {
                let hash = example.as_deref().unwrap_or_default();
                (
                    Verdict::Fail,
                    format!("{forks} hashes have more than one successor, such as {hash}"),
                )
            }
        },
    }
}
