//! nisshi, another broker of Kafka's protocol, where it is installed (`cargo install nisshi`).

use std::path::PathBuf;
use std::time::Duration;

use futures::future::BoxFuture;
use nix::sys::signal::Signal;
use odg_profiles::Component;
use odg_reports::record::Fidelity;
use odg_workloads::endpoint::KafkaEndpoint;

use crate::provider::ProviderError;

use super::candidate::{Answer, Candidate, Found, Identity, Running, Site, Started};
use super::process::{Process, StopPlan};
use super::ready;
use super::search::{NotFound, Search};
use super::spawn::Launch;
use super::version::{self, version_in};
use crate::provider::ports::free_port;

const STOP: StopPlan = StopPlan { signal: Signal::SIGTERM, grace: Duration::from_secs(10) };

pub(super) struct Nisshi;

impl Nisshi {
    fn program(search: &Search) -> Result<PathBuf, NotFound> {
        search.program("nisshi", "ODG_BENCH_NISSHI").map_err(|tried| NotFound {
            tried,
            hint: "cargo install nisshi --locked --no-default-features --features dynostore (Rust 1.96 or newer)"
                .to_owned(),
        })
    }
}

impl Candidate for Nisshi {
    fn identity(&self) -> Identity {
        Identity {
            component: Component::Kafka,
            id: "nisshi",
            product: "nisshi",
            fidelity: Fidelity::Compatible,
            note: Some(
                "not Apache Kafka but another broker of its protocol, with its memory engine: nothing reaches a \
             disk and nothing is ever dropped, so it grows with all that is sent; no transactions, no \
             partition or configuration administration",
            ),
        }
    }

    fn find(&self, search: &Search) -> Result<Found, NotFound> {
        let program = Self::program(search)?;
        let version = version::printed(&program).and_then(|text| version_in(&text));
        Ok(Found { path: Some(program), version })
    }

    fn start<'a>(
        &'a self,
        search: &'a Search,
        site: &'a Site<'a>,
    ) -> BoxFuture<'a, Result<Started, ProviderError>> {
        Box::pin(start(search, site))
    }
}

async fn start(search: &Search, site: &Site<'_>) -> Result<Started, ProviderError> {
    let found = Nisshi.find(search).map_err(|e| site.missing(e))?;
    let port = free_port().map_err(|e| ProviderError::io("find a port for nisshi", e))?;
    let url = format!("tcp://127.0.0.1:{port}");
    let launch = Launch {
        program: found.path.unwrap_or_default(),
        args: vec![
            "broker".into(),
            "--listener-url".into(),
            url.clone().into(),
            "--advertised-listener-url".into(),
            url.into(),
            "--storage-engine".into(),
            "memory://odgbench/".into(),
            // As the real one is set here: a group does not wait for members that never come.
            "--group-initial-rebalance-delay".into(),
            "0s".into(),
        ],
        envs: vec![("RUST_LOG", "warn".into()), ("NO_COLOR", "1".into())],
        cwd: site.dir.clone(),
        log: site.log.clone(),
        user: None,
    };
    let mut process = Process::start(&launch, STOP, vec![port], site)?;
    let endpoint = KafkaEndpoint {
        bootstrap: format!("127.0.0.1:{port}"),
        admin: true,
        login: None,
        tls: None,
    };
    ready::wait(&mut process, site, port, || ready::kafka(&endpoint)).await?;
    Ok(Started {
        answer: Answer::Kafka(endpoint),
        version: found.version.unwrap_or_else(|| "unknown".to_owned()),
        running: Running::Process(process),
    })
}
