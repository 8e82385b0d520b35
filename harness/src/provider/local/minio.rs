//! MinIO, as `ci/setup --with-minio` builds it or as it is on the PATH.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::BoxFuture;
use nix::sys::signal::Signal;
use odg_profiles::Component;
use odg_reports::record::Fidelity;
use odg_workloads::endpoint::{S3Endpoint, Tls};

use crate::provider::ProviderError;

use super::candidate::{
    Answer, Candidate, Found, Identity, Running, Site, Started, random_password,
};
use super::process::{Process, StopPlan};
use super::ready;
use super::search::{NotFound, Search};
use super::spawn::Launch;
use super::version;
use super::workdir::write_private;
use crate::provider::ports::free_port;

const USER: &str = "odgbench";
const STOP: StopPlan = StopPlan { signal: Signal::SIGTERM, grace: Duration::from_secs(10) };

pub(super) struct Minio;

impl Minio {
    fn program(search: &Search) -> Result<PathBuf, NotFound> {
        search.program("minio", "ODG_BENCH_MINIO").map_err(|tried| NotFound {
            tried,
            hint: "ci/setup --with-minio (needs Go 1.21 or newer)".to_owned(),
        })
    }
}

impl Candidate for Minio {
    fn identity(&self) -> Identity {
        Identity {
            component: Component::Minio,
            id: "minio",
            product: "MinIO",
            fidelity: Fidelity::Real,
            note: None,
        }
    }

    fn find(&self, search: &Search) -> Result<Found, NotFound> {
        let program = Self::program(search)?;
        let version = installed_version(&program);
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

/// A MinIO built by `go install` calls itself DEVELOPMENT; `ci/setup` leaves the module's version beside it.
fn installed_version(program: &Path) -> Option<String> {
    if let Ok(text) = fs::read_to_string(program.with_extension("version")) {
        return Some(text.trim().to_owned()).filter(|version| !version.is_empty());
    }
    let text = version::printed(program)?;
    Some(text.strip_prefix("minio version ")?.split_whitespace().next()?.to_owned())
}

async fn start(search: &Search, site: &Site<'_>) -> Result<Started, ProviderError> {
    let program = Minio::program(search).map_err(|e| site.missing(e))?;
    let port = free_port().map_err(|e| ProviderError::io("find a port for MinIO", e))?;
    let secret_key = random_password();
    let credentials = site.dir.join("credentials");
    let text = format!("MINIO_ROOT_USER={USER}\nMINIO_ROOT_PASSWORD={}\n", secret_key.expose());
    write_private(&credentials, &text)?;
    let launch = Launch {
        program: program.clone(),
        args: vec![
            "server".into(),
            "--address".into(),
            format!("127.0.0.1:{port}").into(),
            "--config-dir".into(),
            site.dir.join("config").into(),
            "--certs-dir".into(),
            site.dir.join("certificates").into(),
            site.dir.join("data").into(),
        ],
        envs: vec![
            ("MINIO_CONFIG_ENV_FILE", credentials.into()),
            ("MINIO_BROWSER", "off".into()),
            ("MINIO_UPDATE", "off".into()),
            ("MINIO_CALLHOME_ENABLE", "off".into()),
        ],
        cwd: site.dir.clone(),
        log: site.log.clone(),
        user: None,
    };
    let mut process = Process::start(&launch, STOP, vec![port], site)?;
    let endpoint = S3Endpoint {
        url: format!("http://127.0.0.1:{port}"),
        access_key: USER.to_owned(),
        secret_key,
        region: "us-east-1".to_owned(),
        tls: Tls::default(),
    };
    ready::wait(&mut process, site, port, || ready::s3(&endpoint)).await?;
    Ok(Started {
        answer: Answer::S3(endpoint),
        version: installed_version(&program).unwrap_or_else(|| "unknown".to_owned()),
        running: Running::Process(process),
    })
}
