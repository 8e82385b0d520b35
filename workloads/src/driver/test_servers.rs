//! Real servers for tests: started on a free loopback port in a temporary directory, stopped on drop.
//!
//! A missing server fails the test, so that no machine skips it silently. Setting
//! `ODG_BENCH_TEST_ALLOW_MISSING` lets it pass, with a line that says so.

mod certificates;
mod find;
mod kafka;
mod minio;
mod nats;
mod nats_jwt;
mod port;
mod postgres;
mod redis;

use std::future::Future;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use tempfile::TempDir;

use super::{DriverError, ErrorKind};
use crate::secret::Secret;

pub(crate) use certificates::{Authority, Issued};
pub(crate) use kafka::{kafka, kafka_tls};
pub(crate) use minio::{minio, minio_tls, s3_endpoint};
pub(crate) use nats::{NatsTlsAuth, nats, nats_tls};
pub(crate) use nats_jwt::{Account, nats_operator};
pub(crate) use port::free_port;
pub(crate) use postgres::{CERTIFICATE_ONLY, postgres, postgres_tls};
pub(crate) use redis::{redis, redis_tls};

/// The password of every server of this test process.
static PASSWORD: LazyLock<String> = LazyLock::new(|| uuid::Uuid::new_v4().simple().to_string());
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A server process and its directory.
pub(crate) struct Server {
    child: Mutex<Child>,
    pub(crate) port: u16,
    dir: TempDir,
}

impl Server {
    fn spawn(mut command: Command, dir: TempDir, port: u16) -> Self {
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let child = command
            .current_dir(dir.path())
            .env("HOME", dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child: Mutex::new(child), port, dir }
    }

    /// As [`Self::ready`]; a certificate that is refused shows that the server is up, too.
    async fn ready_or_untrusted<T, F>(&self, connect: impl Fn() -> F)
    where
        F: Future<Output = Result<T, DriverError>>,
    {
        self.ready(|| async {
            match connect().await {
                Err(error) if error.kind() == ErrorKind::Certificate => Ok(()),
                other => other.map(drop),
            }
        })
        .await;
    }

    /// Waits until `connect` succeeds; shows the server's log if it never does, or if the server has ended.
    async fn ready<T, F: Future<Output = Result<T, DriverError>>>(&self, connect: impl Fn() -> F) {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let Err(error) = connect().await else { return };
            let ended = self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait();
            if Instant::now() > deadline || !matches!(ended, Ok(None)) {
                let log = std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
                panic!("not ready: {error}; process: {ended:?}\n{log}");
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Ok(Some(_)) = child.try_wait() {
            return;
        }
        // In order first: PostgreSQL leaves shared memory behind when killed.
        let _ = kill(Pid::from_raw(child.id() as i32), Signal::SIGINT);
        let deadline = Instant::now() + Duration::from_secs(10);
        while let Ok(None) = child.try_wait() {
            if Instant::now() > deadline {
                let _ = child.kill();
                let _ = child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A program that the kernel kills when the test's thread ends, whatever ends it.
fn command(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// PostgreSQL refuses to run as root.
fn unprivileged(program: &Path) -> Command {
    if !Uid::effective().is_root() {
        return command(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--reuid=postgres", "--regid=postgres", "--init-groups"]);
    command.arg("--").arg(program);
    command
}

/// The error's kind and text, which is one line and repeats no secret.
pub(crate) fn refusal<T>(result: Result<T, DriverError>) -> (ErrorKind, String) {
    let Err(error) = result else { panic!("accepted, and should not have been") };
    let text = error.to_string();
    assert!(!text.contains('\n') && !text.contains("canary"), "{text}");
    assert!(!text.contains(PASSWORD.as_str()), "{text}");
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    (error.kind(), text)
}

fn password() -> Secret {
    Secret::new(PASSWORD.as_str())
}

pub(crate) fn prefix(run: &str) -> super::Prefix {
    super::Prefix::new(format!("odgbench-{run}")).unwrap()
}

pub(crate) fn prefix_(run: &str) -> super::Prefix {
    super::Prefix::new(format!("odgbench_{run}")).unwrap()
}
