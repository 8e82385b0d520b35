//! Asks every endpoint who it is, side by side and for a bounded time.

use std::future::Future;
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, join_all};
use odg_reports::record::{Fidelity, Implementation};
use odg_workloads::driver::DriverError;
use odg_workloads::driver::platform::{Answer, GovernanceClient, LakehouseClient, QualityClient};
use odg_workloads::endpoint::{Endpoints, HttpEndpoint};

use super::endpoints::Given;
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
        let answer = tokio::time::timeout(ANSWER_WITHIN, ask(component, &given.endpoints));
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

fn ask<'a>(component: &'a str, endpoints: &'a Endpoints) -> BoxFuture<'a, Result<Who, String>> {
    let platform = &endpoints.platform;
    match component {
        "postgresql" => said(endpoints.postgres.as_ref(), who::postgres),
        "redis" => said(endpoints.redis.as_ref(), who::redis),
        "nats" => said(endpoints.nats.as_ref(), who::nats),
        "kafka" => said(endpoints.kafka.as_ref(), who::kafka),
        "minio" => said(endpoints.s3.as_ref(), who::s3),
        "governance-engine" => said(platform.governance_engine.as_ref(), governance_engine),
        "lakehouse-agent" => said(platform.lakehouse_agent.as_ref(), lakehouse_agent),
        _ => said(platform.quality_gate.as_ref(), quality_gate),
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

async fn governance_engine(at: &HttpEndpoint) -> Result<Who, DriverError> {
    healthy("governance-engine", &GovernanceClient::new(at)?.health().await?)
}

async fn lakehouse_agent(at: &HttpEndpoint) -> Result<Who, DriverError> {
    healthy("lakehouse-agent", &LakehouseClient::new(at)?.health().await?)
}

async fn quality_gate(at: &HttpEndpoint) -> Result<Who, DriverError> {
    healthy("quality-gate", &QualityClient::new(at)?.health().await?)
}

/// A service of the platform that says it is healthy. Its own probes ask for more.
fn healthy(service: &'static str, answer: &Answer) -> Result<Who, DriverError> {
    if answer.status != 200 {
        // Its body is left out: anything at all may answer there.
        let reason = format!("HTTP {}, expected 200", answer.status);
        return Err(DriverError::wrong_answer(service, "ask /health", reason));
    }
    Ok(Who {
        name: service.to_owned(),
        version: None,
        fidelity: Fidelity::Real,
        note: Some(
            "it answered /health; it does not say whose product or which version".to_owned(),
        ),
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// A service of the platform that answers every request with this status line; with nothing where there is none.
    fn service(status: Option<&'static str>) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let mut open = Vec::new();
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut asked = [0; 4096];
                if let Some(status) = status {
                    let _ = stream.read(&mut asked);
                    let answer = format!(
                        "HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}"
                    );
                    let _ = stream.write_all(answer.as_bytes());
                } else {
                    open.push(stream);
                }
            }
        });
        port
    }

    async fn asked(url: String) -> Result<Vec<Implementation>, ProviderError> {
        let setting = ("ODG_BENCH_ATTACH_QUALITY_GATE_URL".into(), url.into());
        ask_all(&Given::read(None, std::iter::once(setting)).unwrap()).await
    }

    #[tokio::test]
    async fn a_service_is_real_once_it_has_answered() {
        let rows = asked(format!("http://127.0.0.1:{}", service(Some("200 OK")))).await.unwrap();
        assert_eq!((rows.len(), rows[0].fidelity), (1, Fidelity::Real));
        assert!(rows[0].note.as_deref().is_some_and(|note| note.contains("/health")), "{rows:?}");
    }

    #[tokio::test]
    async fn a_service_that_does_not_answer_as_it_should_is_unreachable() {
        for (scheme, status, expected) in [
            ("http", None, "within"),
            ("http", Some("503 Service Unavailable"), "HTTP 503"),
            // What answers in clear is not who its certificate would say it is.
            ("https", Some("200 OK"), ""),
        ] {
            let error = asked(format!("{scheme}://127.0.0.1:{}", service(status))).await;
            let Err(ProviderError::Unreachable(all)) = error else { panic!("{error:?}") };
            assert_eq!((all.len(), all[0].component.as_str()), (1, "quality-gate"));
            assert!(all[0].reason.contains(expected), "{all:?}");
        }
    }
}
