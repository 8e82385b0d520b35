//! The container engine: found, asked for its version, and judged usable or not.

use std::env;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::SystemInfoCgroupVersionEnum;
use testcontainers::core::client::docker_client_instance;
use testcontainers::core::error::ClientError;

use super::error::{DockerError, OLDEST_API, words};
use super::limits::Holds;
use crate::provider::Machine;

/// How long the first questions may take: an engine that hangs must not hang a run.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest until the engine begins to answer any other question. Stopping a container takes its grace.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
const PODMAN: &str = "Podman";
const SOCKET: &str = "/var/run/docker.sock";

/// An engine that answers and can be used.
#[derive(Clone)]
pub(super) struct Engine {
    /// Its client.
    pub docker: Docker,
    /// What it calls itself, with its version.
    pub name: String,
    /// The newest API that it speaks.
    pub api: String,
    /// What its containers may use together.
    pub machine: Machine,
    /// Which limits its kernel can hold containers to.
    pub holds: Holds,
    /// Whether it counts by cgroup v1, which misses what is written through the page cache.
    pub cgroup_v1: bool,
    /// Directory of its data.
    pub root: Option<PathBuf>,
}

impl Engine {
    /// Finds the engine, by `DOCKER_HOST` or at its usual socket, and asks it for its version.
    pub(super) async fn connect() -> Result<Self, DockerError> {
        let address = address();
        local(&address)?;
        let docker = docker_client_instance().await.map_err(|error| match error {
            ClientError::Init(error) => unreachable(&address, &error),
            other => no_engine(&address, &other.to_string()),
        })?;
        let asked = tokio::time::timeout(PATIENCE, docker.version()).await;
        let version = match asked {
            Ok(Ok(version)) => version,
            Ok(Err(error)) => return Err(unreachable(&address, &error)),
            Err(_) => {
                return Err(no_engine(&address, "it accepts connections and does not answer"));
            }
        };
        let product = version.platform.as_ref().map(|platform| platform.name.as_str());
        let component = version.components.iter().flatten().next().map(|c| c.name.as_str());
        let product = match (product, component) {
            (_, Some(name)) if name.contains(PODMAN) => PODMAN,
            (Some(name), _) if name.contains(PODMAN) => PODMAN,
            _ => "Docker Engine",
        };
        let name =
            format!("{product} {}", version.version.as_deref().unwrap_or("of an unknown version"));
        let api = version.api_version.unwrap_or_default();
        if !new_enough(&api) {
            let found = if api.is_empty() { "unknown".to_owned() } else { api };
            return Err(DockerError::Api { address, engine: name, found });
        }
        let info = tokio::time::timeout(PATIENCE, docker.info())
            .await
            .unwrap_or(Err(Error::RequestTimeoutError))
            .map_err(|error| DockerError::refused("describe itself", &error))?;
        Ok(Self {
            docker: docker.with_timeout(ANSWER_WITHIN),
            name,
            api,
            machine: Machine {
                cores: info.ncpu.and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
                memory_bytes: info.mem_total.and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
            },
            holds: Holds {
                cpu: info.cpu_cfs_quota != Some(false),
                memory: info.memory_limit != Some(false),
                swap: info.swap_limit != Some(false),
            },
            cgroup_v1: info.cgroup_version == Some(SystemInfoCgroupVersionEnum::_1),
            root: info.docker_root_dir.map(PathBuf::from).filter(|root| root.is_dir()),
        })
    }
}

impl Engine {
    /// Whether it is Podman behind Docker's API: it has no proxy of its own between clients and containers.
    pub(super) fn is_podman(&self) -> bool {
        self.name.starts_with(PODMAN)
    }
}

/// Where the engine is expected: what the client library takes too.
fn address() -> String {
    if let Ok(host) = env::var("DOCKER_HOST") {
        return host;
    }
    let home = |name: &str| env::var_os(name).map(PathBuf::from);
    let rootless =
        [("XDG_RUNTIME_DIR", ".docker/run"), ("HOME", ".docker/run"), ("HOME", ".docker/desktop")];
    let socket = [Some(PathBuf::from(SOCKET))]
        .into_iter()
        .chain(rootless.map(|(variable, dir)| Some(home(variable)?.join(dir).join("docker.sock"))))
        .flatten()
        .find(|path| path.exists());
    format!("unix://{}", socket.unwrap_or_else(|| PathBuf::from(SOCKET)).display())
}

/// Refuses engines elsewhere: their ports on 127.0.0.1 could not be reached from here.
fn local(address: &str) -> Result<(), DockerError> {
    let unsupported = |reason: &str| {
        Err(DockerError::Unsupported { address: address.to_owned(), reason: reason.to_owned() })
    };
    // Docker's own command takes it as unset; the client library does not.
    if address.is_empty() {
        return unsupported("DOCKER_HOST is set and empty: unset it (env -u DOCKER_HOST)");
    }
    let Some((scheme, rest)) = address.split_once("://") else {
        return unsupported("DOCKER_HOST must look like unix:///var/run/docker.sock");
    };
    let host = rest.split('/').next().unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    match scheme {
        "unix" => Ok(()),
        "tcp" | "http" | "https" if matches!(host, "127.0.0.1" | "localhost" | "[::1]") => {
            let tls = scheme == "https" || env::var("DOCKER_TLS_VERIFY").is_ok_and(|v| v == "1");
            if tls && env::var_os("DOCKER_CERT_PATH").is_none() {
                return unsupported(
                    "it wants TLS; set DOCKER_CERT_PATH to the directory of ca.pem, cert.pem and key.pem",
                );
            }
            Ok(())
        }
        "tcp" | "http" | "https" | "ssh" => unsupported(
            "it is another machine, whose container ports cannot be reached from here; run odg-bench there, or attach to what runs there",
        ),
        _ => unsupported("DOCKER_HOST must start with unix://, tcp:// or http://"),
    }
}

fn new_enough(api: &str) -> bool {
    let parsed = api.split_once('.').and_then(|(major, minor)| {
        Some((major.trim().parse::<u32>().ok()?, minor.trim().parse::<u32>().ok()?))
    });
    parsed.is_some_and(|version| version >= OLDEST_API)
}

fn no_engine(address: &str, reason: &str) -> DockerError {
    let podman = [Some(PathBuf::from("/run")), env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from)]
        .into_iter()
        .flatten()
        .map(|dir| dir.join("podman/podman.sock"))
        .find(|path| path.exists());
    let hint = match podman {
        Some(socket) => format!("Podman's is there: set DOCKER_HOST=unix://{}", socket.display()),
        None => "start it, install one (ci/setup --with-docker), or name its socket in DOCKER_HOST"
            .to_owned(),
    };
    DockerError::NoEngine { address: address.to_owned(), reason: reason.to_owned(), hint }
}

/// Why the first question had no answer.
fn unreachable(address: &str, error: &Error) -> DockerError {
    if let Error::SocketNotFoundError(_) = error {
        return no_engine(address, "there is no such socket");
    }
    if let Error::DockerResponseServerError { .. }
    | Error::JsonDataError { .. }
    | Error::JsonSerdeError { .. } = error
    {
        return DockerError::Api {
            address: address.to_owned(),
            engine: "what answers there is no engine that odg-bench knows".to_owned(),
            found: "unknown".to_owned(),
        };
    }
    match system_error(error) {
        Some(io::ErrorKind::PermissionDenied) => {
            DockerError::NotPermitted { address: address.to_owned() }
        }
        Some(io::ErrorKind::NotFound) => no_engine(address, "there is no such socket"),
        Some(io::ErrorKind::ConnectionRefused) => no_engine(address, "nothing listens there"),
        _ => no_engine(address, &words(error)),
    }
}

/// The system's answer at the bottom of an error.
fn system_error(error: &Error) -> Option<io::ErrorKind> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            if let Some(inner) = error.get_ref().and_then(|inner| inner.source()) {
                next = Some(inner);
                continue;
            }
            return Some(error.kind());
        }
        next = error.source();
    }
    // Some wrappers give their cause only as themselves.
    if let Error::IOError { err } = error { Some(err.kind()) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_older_than_20_10_and_unknown_versions_are_refused() {
        for good in ["1.41", "1.43", "1.50", "2.0"] {
            assert!(new_enough(good), "{good}");
        }
        for bad in ["1.40", "1.9", "0.50", "", "latest", "1"] {
            assert!(!new_enough(bad), "{bad}");
        }
    }

    #[test]
    fn engines_on_other_machines_are_refused_with_what_to_do() {
        for good in ["unix:///var/run/docker.sock", "tcp://127.0.0.1:2375", "http://localhost:2375"]
        {
            assert!(local(good).is_ok(), "{good}");
        }
        let empty = local("").unwrap_err().to_string();
        assert!(empty.contains("env -u DOCKER_HOST"), "{empty}");
        for bad in ["tcp://10.0.0.5:2375", "ssh://build@host", "/var/run/docker.sock", "ftp://x"] {
            let text = local(bad).unwrap_err().to_string();
            assert!(text.contains(bad) && !text.contains('\n'), "{text}");
        }
    }
}
