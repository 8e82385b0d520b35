//! Asks every endpoint who it is, side by side and for a bounded time.

use std::future::Future;
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, join_all};
use odg_reports::record::{Fidelity, Implementation};
use odg_workloads::driver::DriverError;
use odg_workloads::endpoint::Endpoints;

use super::endpoints::Given;
use super::url::split_port;
use crate::provider::ProviderError;
use crate::provider::error::Unreachable;
use crate::provider::who::{self, Who};

/// Longest that all endpoints together may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// What a server did not say.
const NOT_REPORTED: &str = "not reported";

/// Connects to every endpoint and asks its version: one row for each.
///
/// # Errors
/// Every endpoint that did not answer, not only the first.
pub(super) async fn ask_all(given: &Given) -> Result<Vec<Implementation>, ProviderError> {
    let asked = given.addresses.iter().map(|(component, address)| async move {
        let began = Instant::now();
        let answer = tokio::time::timeout(ANSWER_WITHIN, ask(component, address, &given.endpoints));
        let reason = match answer.await {
            Ok(Ok(who)) => {
                return Ok(Implementation {
                    component: (*component).to_owned(),
                    name: who.name,
                    version: who.version.unwrap_or_else(|| NOT_REPORTED.to_owned()),
                    fidelity: who.fidelity,
                    endpoint: address.clone(),
                    ready_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
                    note: who.note,
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
) -> BoxFuture<'a, Result<Who, String>> {
    match component {
        "postgresql" => said(endpoints.postgres.as_ref(), who::postgres),
        "redis" => said(endpoints.redis.as_ref(), who::redis),
        "nats" => said(endpoints.nats.as_ref(), who::nats),
        "kafka" => said(endpoints.kafka.as_ref(), who::kafka),
        "minio" => said(endpoints.s3.as_ref(), who::s3),
        service => Box::pin(listens(service, address)),
    }
}

/// Asks the endpoint of a component, where there is one.
fn said<'a, T: Sync, F>(
    endpoint: Option<&'a T>,
    ask: impl FnOnce(&'a T) -> F,
) -> BoxFuture<'a, Result<Who, String>>
where
    F: Future<Output = Result<Who, DriverError>> + Send + 'a,
{
    let asked = endpoint.map(ask);
    Box::pin(async move {
        match asked {
            Some(asked) => asked.await.map_err(|error| error.to_string()),
            None => Err("no endpoint was given".to_owned()),
        }
    })
}

/// A service of the platform: whether anything listens. What it says is asked by its own probes.
async fn listens(service: &str, address: &str) -> Result<Who, String> {
    let (scheme, rest) = address.split_once("://").unwrap_or(("http", address));
    let authority = rest.split('/').next().unwrap_or_default();
    let (host, port) = split_port(authority).ok_or("its address has a wrong port")?;
    let port = port.unwrap_or(if scheme == "https" { 443 } else { 80 });
    tokio::net::TcpStream::connect((host, port)).await.map_err(|error| error.to_string())?;
    Ok(Who {
        name: service.to_owned(),
        version: None,
        fidelity: Fidelity::Real,
        note: Some("it was only seen to listen; its version has no question".to_owned()),
    })
}
