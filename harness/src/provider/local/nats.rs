//! NATS with JetStream from the system's packages.

use std::path::PathBuf;
use std::time::Duration;

use futures::future::BoxFuture;
use nix::sys::signal::Signal;
use odg_profiles::Component;
use odg_reports::record::Fidelity;
use odg_workloads::endpoint::{NatsEndpoint, NatsLogin};

use crate::provider::ProviderError;

use super::candidate::{
    Answer, Candidate, Found, Identity, Running, Site, Started, random_password,
};
use super::process::{Process, StopPlan};
use super::ready;
use super::search::{NotFound, Search};
use super::spawn::Launch;
use super::version::{self, version_in};
use super::workdir::write_private;
use crate::provider::ports::free_port;

const USER: &str = "odgbench";
const STOP: StopPlan = StopPlan { signal: Signal::SIGTERM, grace: Duration::from_secs(10) };

pub(super) struct Nats;

impl Nats {
    fn program(search: &Search) -> Result<PathBuf, NotFound> {
        search.program("nats-server", "ODG_BENCH_NATS").map_err(|tried| NotFound {
            tried,
            hint: "ci/setup (Debian: apt-get install nats-server)".to_owned(),
        })
    }
}

impl Candidate for Nats {
    fn identity(&self) -> Identity {
        Identity {
            component: Component::Nats,
            id: "nats",
            product: "NATS",
            fidelity: Fidelity::Real,
            note: None,
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
    let program = Nats::program(search).map_err(|e| site.missing(e))?;
    let port = free_port().map_err(|e| ProviderError::io("find a port for NATS", e))?;
    let password = random_password();
    let config = site.dir.join("nats.conf");
    let text = format!(
        "server_name: odgbench\nlisten: \"127.0.0.1:{port}\"\n\
         authorization {{ user: \"{USER}\", password: \"{}\" }}\n\
         jetstream {{ store_dir: \"{}\" }}\n",
        password.expose(),
        site.dir.join("jetstream").display()
    );
    write_private(&config, &text)?;
    let launch = Launch {
        program,
        args: vec!["--config".into(), config.into()],
        envs: Vec::new(),
        cwd: site.dir.clone(),
        log: site.log.clone(),
        user: None,
    };
    let mut process = Process::start(&launch, STOP, vec![port], site)?;
    let endpoint = NatsEndpoint {
        address: format!("127.0.0.1:{port}"),
        login: NatsLogin::Password { user: USER.to_owned(), password },
        tls: None,
    };
    let version = ready::wait(&mut process, site, port, || ready::nats(&endpoint)).await?;
    Ok(Started { answer: Answer::Nats(endpoint), version, running: Running::Process(process) })
}
