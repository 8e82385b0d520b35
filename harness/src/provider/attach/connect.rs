//! Asks every endpoint who it is, side by side and for a bounded time.

use std::future::Future;
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, join_all};
use odg_reports::record::{Fidelity, Implementation};
use odg_workloads::driver::kafka::{KafkaDriver, KafkaOptions};
use odg_workloads::driver::nats::NatsDriver;
use odg_workloads::driver::postgres::{PoolSize, PostgresDriver};
use odg_workloads::driver::redis::RedisDriver;
use odg_workloads::driver::s3::{S3Driver, S3Options};
use odg_workloads::driver::{DriverError, Prefix};
use odg_workloads::endpoint::Endpoints;

use super::endpoints::Given;
use super::url::split_port;
use crate::provider::ProviderError;
use crate::provider::error::Unreachable;

/// Longest that all endpoints together may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// What a server did not say.
const NOT_REPORTED: &str = "not reported";

/// What answered.
struct Answer {
    name: String,
    version: String,
    fidelity: Fidelity,
    note: Option<String>,
}

impl Answer {
    fn real(name: &str, version: String) -> Self {
        Self { name: name.to_owned(), version, fidelity: Fidelity::Real, note: None }
    }
}

/// Connects to every endpoint and asks its version: one row for each.
///
/// # Errors
/// Every endpoint that did not answer, not only the first.
pub(super) async fn ask_all(given: &Given) -> Result<Vec<Implementation>, ProviderError> {
    let asked = given.addresses.iter().map(|(component, address)| async move {
        let began = Instant::now();
        let answer = tokio::time::timeout(ANSWER_WITHIN, ask(component, address, &given.endpoints));
        let reason = match answer.await {
            Ok(Ok(answer)) => {
                return Ok(Implementation {
                    component: (*component).to_owned(),
                    name: answer.name,
                    version: answer.version,
                    fidelity: answer.fidelity,
                    endpoint: address.clone(),
                    ready_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
                    note: answer.note,
                });
            }
            Ok(Err(reason)) => reason,
            Err(_) => format!("no answer within {} s", ANSWER_WITHIN.as_secs()),
        };
        Err(Unreachable { component: (*component).to_owned(), address: address.clone(), reason })
    });
    let mut rows = Vec::new();
    let mut unreachable = Vec::new();
    for answer in join_all(asked).await {
        match answer {
            Ok(row) => rows.push(row),
            Err(one) => unreachable.push(one),
        }
    }
    if unreachable.is_empty() { Ok(rows) } else { Err(ProviderError::Unreachable(unreachable)) }
}

fn ask<'a>(
    component: &'a str,
    address: &'a str,
    endpoints: &'a Endpoints,
) -> BoxFuture<'a, Result<Answer, String>> {
    match component {
        "postgresql" => said(postgres(endpoints)),
        "redis" => said(redis(endpoints)),
        "nats" => said(nats(endpoints)),
        "kafka" => said(kafka(endpoints)),
        "minio" => said(s3(endpoints)),
        service => Box::pin(listens(service, address)),
    }
}

fn said<'a>(
    answer: impl Future<Output = Result<Option<Answer>, DriverError>> + Send + 'a,
) -> BoxFuture<'a, Result<Answer, String>> {
    Box::pin(async {
        match answer.await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err("no endpoint was given".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    })
}

/// Nothing is created under it.
fn prefix(text: &str) -> Result<Prefix, DriverError> {
    Prefix::new(text)
}

async fn postgres(endpoints: &Endpoints) -> Result<Option<Answer>, DriverError> {
    let Some(endpoint) = &endpoints.postgres else { return Ok(None) };
    let size = PoolSize { min: 0, max: 1 };
    let postgres = PostgresDriver::connect(endpoint, size, &prefix("odgbench_asks")?).await?;
    let version = postgres.version().await;
    postgres.close().await;
    Ok(Some(Answer::real("PostgreSQL", version?)))
}

async fn redis(endpoints: &Endpoints) -> Result<Option<Answer>, DriverError> {
    let Some(endpoint) = &endpoints.redis else { return Ok(None) };
    let redis = RedisDriver::connect(endpoint, prefix("odgbench-asks")?).await?;
    redis.ping().await?;
    // An ACL may keep INFO from this user.
    let version = redis.version().await.unwrap_or_else(|_| NOT_REPORTED.to_owned());
    Ok(Some(Answer::real("Redis", version)))
}

async fn nats(endpoints: &Endpoints) -> Result<Option<Answer>, DriverError> {
    let Some(endpoint) = &endpoints.nats else { return Ok(None) };
    let nats = NatsDriver::connect(endpoint, prefix("odgbench-asks")?).await?;
    nats.ping().await?;
    Ok(Some(Answer::real("NATS", nats.version())))
}

async fn kafka(endpoints: &Endpoints) -> Result<Option<Answer>, DriverError> {
    let Some(endpoint) = &endpoints.kafka else { return Ok(None) };
    let kafka = KafkaDriver::new(endpoint, KafkaOptions::default(), prefix("odgbench-asks")?)?;
    let brokers = kafka.ping().await?;
    // An ACL may keep the brokers' settings from this user.
    let version = kafka.version().await.unwrap_or_else(|_| NOT_REPORTED.to_owned());
    let mut answer = Answer::real("Apache Kafka", version);
    answer.note =
        Some(format!("{brokers} brokers; the protocol does not say whose product they are"));
    Ok(Some(answer))
}

async fn s3(endpoints: &Endpoints) -> Result<Option<Answer>, DriverError> {
    let Some(endpoint) = &endpoints.s3 else { return Ok(None) };
    let s3 = S3Driver::new(endpoint, S3Options::default(), prefix("odgbench-asks")?)?;
    let server = s3.version().await?;
    if server.to_ascii_lowercase().starts_with("minio") {
        return Ok(Some(Answer::real("MinIO", NOT_REPORTED.to_owned())));
    }
    Ok(Some(Answer {
        name: server,
        version: NOT_REPORTED.to_owned(),
        fidelity: Fidelity::Compatible,
        note: Some("it does not call itself MinIO in its Server header".to_owned()),
    }))
}

/// A service of the platform: whether anything listens. What it says is asked by its own probes.
async fn listens(service: &str, address: &str) -> Result<Answer, String> {
    let (scheme, rest) = address.split_once("://").unwrap_or(("http", address));
    let authority = rest.split('/').next().unwrap_or_default();
    let (host, port) = split_port(authority).ok_or("its address has a wrong port")?;
    let port = port.unwrap_or(if scheme == "https" { 443 } else { 80 });
    tokio::net::TcpStream::connect((host, port)).await.map_err(|error| error.to_string())?;
    let mut answer = Answer::real(service, NOT_REPORTED.to_owned());
    answer.note = Some("it was only seen to listen; its version has no question".to_owned());
    Ok(answer)
}
