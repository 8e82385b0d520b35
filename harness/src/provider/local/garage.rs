//! Garage, another S3 server, where it is installed (`cargo install garage --locked`).

use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::BoxFuture;
use nix::sys::signal::Signal;
use odg_profiles::Component;
use odg_reports::record::Fidelity;
use odg_workloads::driver::DriverError;
use odg_workloads::endpoint::{S3Endpoint, Tls};
use odg_workloads::secret::Secret;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

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

const REGION: &str = "us-east-1";
/// It waits ten seconds for connections that clients keep open.
const STOP: StopPlan = StopPlan { signal: Signal::SIGTERM, grace: Duration::from_secs(15) };
/// Far more than the admin API's answers take.
const ANSWER_BYTES: u64 = 64 * 1024;

pub(super) struct Garage;

impl Garage {
    fn program(search: &Search) -> Result<PathBuf, NotFound> {
        search.program("garage", "ODG_BENCH_GARAGE").map_err(|tried| NotFound {
            tried,
            hint: "cargo install garage --locked (about ten minutes)".to_owned(),
        })
    }
}

impl Candidate for Garage {
    fn identity(&self) -> Identity {
        Identity {
            component: Component::Minio,
            id: "garage",
            product: "Garage",
            fidelity: Fidelity::Compatible,
            note: Some(
                "not MinIO but another S3 server: answers a PUT before its bytes are synced to the disk, ignores \
             If-None-Match on PUT, holds some small answers back for 40 ms (Nagle's algorithm); no versioning, \
             policy or tagging",
            ),
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

fn installed_version(program: &Path) -> Option<String> {
    version_in(&version::printed(program)?)
}

/// The version in `garage cargo:2.5.0 [features: …]`, or `garage git:v2.5.0 …` from a checkout.
fn version_in(text: &str) -> Option<String> {
    let mut words = text.strip_prefix("garage ")?.split_whitespace();
    let (_, version) = words.next()?.split_once(':')?;
    Some(version.strip_prefix('v').unwrap_or(version).to_owned())
}

async fn start(search: &Search, site: &Site<'_>) -> Result<Started, ProviderError> {
    let program = Garage::program(search).map_err(|e| site.missing(e))?;
    let port = || free_port().map_err(|e| ProviderError::io("find a port for Garage", e));
    let ports = Ports { s3: port()?, rpc: port()?, admin: port()? };
    let token = random_password();
    let config = site.dir.join("garage.toml");
    write_private(&config, &configuration(ports, &token))?;
    let launch = Launch {
        program: program.clone(),
        args: vec!["--config".into(), config.into(), "server".into(), "--single-node".into()],
        // By default it logs every request.
        envs: vec![("RUST_LOG", "warn".into()), ("NO_COLOR", "1".into())],
        cwd: site.dir.clone(),
        log: site.log.clone(),
        user: None,
    };
    let mut process = Process::start(&launch, STOP, vec![ports.s3, ports.rpc, ports.admin], site)?;
    // Its own way to a first key, GARAGE_DEFAULT_SECRET_KEY, would leave the secret in an environment.
    let key = ready::wait(&mut process, site, ports.admin, || create_key(ports.admin, &token));
    let Key { access_key_id, secret_access_key } = key.await?;
    let endpoint = S3Endpoint {
        url: format!("http://127.0.0.1:{}", ports.s3),
        access_key: access_key_id,
        secret_key: Secret::new(secret_access_key),
        region: REGION.to_owned(),
        tls: Tls::default(),
    };
    ready::wait(&mut process, site, ports.s3, || ready::s3(&endpoint)).await?;
    Ok(Started {
        answer: Answer::S3(endpoint),
        version: installed_version(&program).unwrap_or_else(|| "unknown".to_owned()),
        running: Running::Process(process),
    })
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    s3: u16,
    rpc: u16,
    admin: u16,
}

/// Paths are relative to the working directory, the component's own. Data is stored as it comes: the parts
/// of a lake are compressed already. Syncing is Garage's default, which is none.
fn configuration(ports: Ports, token: &Secret) -> String {
    let rpc_secret: String =
        rand::random::<[u8; 32]>().iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "metadata_dir = \"meta\"\n\
         data_dir = \"data\"\n\
         replication_factor = 1\n\
         compression_level = \"none\"\n\
         rpc_bind_addr = \"127.0.0.1:{}\"\n\
         rpc_public_addr = \"127.0.0.1:{}\"\n\
         rpc_secret = \"{rpc_secret}\"\n\
         [s3_api]\n\
         api_bind_addr = \"127.0.0.1:{}\"\n\
         s3_region = \"{REGION}\"\n\
         [admin]\n\
         api_bind_addr = \"127.0.0.1:{}\"\n\
         admin_token = \"{}\"\n",
        ports.rpc,
        ports.rpc,
        ports.s3,
        ports.admin,
        token.expose()
    )
}

/// A key as the admin API answers it; without `Debug`, for its secret.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    access_key_id: String,
    secret_access_key: String,
}

/// Has the server make a key that may create buckets.
async fn create_key(port: u16, token: &Secret) -> Result<Key, DriverError> {
    let wrong = |reason: String| DriverError::wrong_answer("garage", "create a key", reason);
    let body = r#"{"name":"odgbench","allow":{"createBucket":true}}"#;
    let answer =
        post(port, "/v2/CreateKey", token, body).await.map_err(|e| wrong(e.to_string()))?;
    let (status, body) =
        parse_answer(&answer).ok_or_else(|| wrong("its answer is not HTTP".to_owned()))?;
    if status != 200 {
        return Err(wrong(format!("status {status}: {body}")));
    }
    // Neither the body nor the parser's error, which quotes it, may be shown: they hold the secret.
    serde_json::from_str(body).map_err(|_| wrong("its answer is not a key".to_owned()))
}

/// One request to the admin API. HTTP/1.0: the answer comes whole and ends with the connection.
async fn post(port: u16, path: &str, token: &Secret, body: &str) -> io::Result<String> {
    let request = format!(
        "POST {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        token.expose(),
        body.len()
    );
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES).read_to_string(&mut answer).await?;
    Ok(answer)
}

/// Status and body of an HTTP answer.
fn parse_answer(answer: &str) -> Option<(u16, &str)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split_whitespace().nth(1)?;
    Some((status.parse().ok()?, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_in_what_each_kind_of_build_prints() {
        let version = |text| version_in(text).unwrap();
        assert_eq!(version("garage cargo:2.5.0 [features: k2v, lmdb]\n"), "2.5.0");
        assert_eq!(version("garage git:v2.1.0-3-gabc [features: k2v]"), "2.1.0-3-gabc");
        assert_eq!(version_in("garage door opener"), None);
        assert_eq!(version_in("another program 1:2"), None);
    }

    #[test]
    fn an_answer_of_the_admin_api_is_its_status_and_its_body() {
        let answer = "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(parse_answer(answer), Some((200, "{}")));
        for broken in ["", "\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 OK\r\n\r\n", "SSH-2.0-x"] {
            assert_eq!(parse_answer(broken), None, "{broken:?}");
        }
    }
}
