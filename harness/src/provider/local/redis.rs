//! Redis from the system's packages.

use std::time::Duration;

use futures::future::BoxFuture;
use nix::sys::signal::Signal;
use odg_profiles::Component;
use odg_reports::record::Fidelity;
use odg_workloads::endpoint::RedisEndpoint;

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

const STOP: StopPlan = StopPlan { signal: Signal::SIGTERM, grace: Duration::from_secs(5) };

pub(super) struct Redis;

impl Redis {
    fn program(search: &Search) -> Result<std::path::PathBuf, NotFound> {
        search.program("redis-server", "ODG_BENCH_REDIS").map_err(|tried| NotFound {
            tried,
            hint: "ci/setup (Debian: apt-get install redis-server)".to_owned(),
        })
    }
}

impl Candidate for Redis {
    fn identity(&self) -> Identity {
        Identity {
            component: Component::Redis,
            id: "redis",
            product: "Redis",
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
    let program = Redis::program(search).map_err(|e| site.missing(e))?;
    let port = free_port().map_err(|e| ProviderError::io("find a port for Redis", e))?;
    let password = random_password();
    let config = site.dir.join("redis.conf");
    // The append-only file is on, synced every second, as Redis recommends for data that matters.
    let text = format!(
        "bind 127.0.0.1\nport {port}\nrequirepass {}\ndir {}\ndaemonize no\nlogfile \"\"\n\
         save \"\"\nappendonly yes\nappendfsync everysec\n",
        password.expose(),
        site.dir.display()
    );
    write_private(&config, &text)?;
    let launch = Launch {
        program,
        args: vec![config.into()],
        envs: Vec::new(),
        cwd: site.dir.clone(),
        log: site.log.clone(),
        user: None,
    };
    let mut process = Process::start(&launch, STOP, vec![port], site)?;
    let endpoint = RedisEndpoint {
        host: "127.0.0.1".to_owned(),
        port,
        user: None,
        password: Some(password),
        tls: None,
    };
    let version = ready::wait(&mut process, site, port, || ready::redis(&endpoint)).await?;
    Ok(Started { answer: Answer::Redis(endpoint), version, running: Running::Process(process) })
}
