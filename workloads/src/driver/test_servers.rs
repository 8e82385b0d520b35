//! Real servers for tests: started on a free loopback port in a temporary directory, stopped on drop.
//!
//! A missing server fails the test, so that no machine skips it silently. Setting
//! `ODG_BENCH_TEST_ALLOW_MISSING` lets it pass, with a line that says so.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::DriverError;
use crate::endpoint::{KafkaEndpoint, NatsEndpoint, PostgresEndpoint, RedisEndpoint, S3Endpoint};
use crate::secret::Secret;

const PASSWORD: &str = "test-7d1f";
const READY_WITHIN: Duration = Duration::from_secs(30);

/// A server process and its directory.
pub(crate) struct Server {
    child: Child,
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
        Self { child, port, dir }
    }

    /// Waits until `connect` succeeds; shows the server's log if it never does.
    async fn ready<T, F: Future<Output = Result<T, DriverError>>>(&self, connect: impl Fn() -> F) {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            match connect().await {
                Ok(_) => return,
                Err(error) if Instant::now() > deadline => {
                    let log = std::fs::read_to_string(self.dir.path().join("log"));
                    panic!("not ready: {error}\n{}", log.unwrap_or_default());
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(25)).await,
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // In order first: PostgreSQL leaves shared memory behind when killed.
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-INT", &pid]).status();
        let deadline = Instant::now() + Duration::from_secs(5);
        while let Ok(None) = self.child.try_wait() {
            if Instant::now() > deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// The server's binary, or `None` where a missing one is allowed.
fn binary(name: &str, candidates: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|dir| dir.join(name));
    let found = candidates.into_iter().chain(on_path).find(|path| path.is_file());
    if found.is_none() {
        let hint = format!(
            "{name} is not installed: run ci/setup, or set ODG_BENCH_TEST_ALLOW_MISSING=1 to skip"
        );
        assert!(std::env::var_os("ODG_BENCH_TEST_ALLOW_MISSING").is_some(), "{hint}");
        eprintln!("skipped: {name} is not installed");
    }
    found
}

fn root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0
}

fn postgres_bin() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    binary("postgres", versions.map(|version| version.path().join("bin/postgres")))
}

/// PostgreSQL refuses to run as root.
fn unprivileged(program: &Path) -> Command {
    if !root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program);
    command
}

pub(crate) async fn postgres() -> Option<(Server, PostgresEndpoint)> {
    let postgres = postgres_bin()?;
    let dir = tempfile::tempdir().unwrap();
    let (data, pwfile) = (dir.path().join("data"), dir.path().join("pw"));
    std::fs::write(&pwfile, PASSWORD).unwrap();
    if root() {
        let status =
            Command::new("chown").args(["-R", "postgres:postgres"]).arg(dir.path()).status();
        assert!(status.unwrap().success());
    }
    let initdb = unprivileged(&postgres.with_file_name("initdb"))
        .args(["--auth=scram-sha-256", "--username=odg", "--no-sync", "--encoding=UTF8"])
        .args(["--locale=C", "-D"])
        .arg(&data)
        .arg("--pwfile")
        .arg(&pwfile)
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(initdb.status.success(), "{}", String::from_utf8_lossy(&initdb.stderr));
    let port = free_port();
    let mut command = unprivileged(&postgres);
    command.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    command.args(["-c", "fsync=off", "-c", "unix_socket_directories=", "-c", "max_connections=40"]);
    let server = Server::spawn(command, dir, port);
    let endpoint = PostgresEndpoint {
        host: "127.0.0.1".to_owned(),
        port,
        user: "odg".to_owned(),
        password: Secret::new(PASSWORD),
        database: "postgres".to_owned(),
    };
    let size = super::postgres::PoolSize { min: 0, max: 1 };
    server
        .ready(|| async {
            super::postgres::PostgresDriver::connect(&endpoint, size, &prefix_("ready")).await
        })
        .await;
    Some((server, endpoint))
}

pub(crate) async fn redis() -> Option<(Server, RedisEndpoint)> {
    let binary = binary("redis-server", [])?;
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let config = dir.path().join("redis.conf");
    let text = format!("port {port}\nbind 127.0.0.1\nrequirepass {PASSWORD}\nsave \"\"\n");
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new(binary);
    command.arg(&config);
    let server = Server::spawn(command, dir, port);
    let password = Secret::new(PASSWORD);
    let endpoint = RedisEndpoint { host: "127.0.0.1".to_owned(), port, password };
    server.ready(|| super::redis::RedisDriver::connect(&endpoint, prefix("ready"))).await;
    Some((server, endpoint))
}

pub(crate) async fn nats() -> Option<(Server, NatsEndpoint)> {
    let binary = binary("nats-server", [PathBuf::from("/usr/sbin/nats-server")])?;
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let config = dir.path().join("nats.conf");
    let text = format!(
        "listen: \"127.0.0.1:{port}\"\nauthorization {{ user: odg, password: \"{PASSWORD}\" }}\n\
         jetstream {{ store_dir: \"{}\" }}\n",
        dir.path().join("js").display()
    );
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new(binary);
    command.arg("-c").arg(&config);
    let server = Server::spawn(command, dir, port);
    let endpoint = NatsEndpoint {
        address: format!("127.0.0.1:{port}"),
        user: "odg".to_owned(),
        password: Secret::new(PASSWORD),
    };
    server
        .ready(|| async {
            super::nats::NatsDriver::connect(&endpoint, prefix("ready")).await?.ping().await
        })
        .await;
    Some((server, endpoint))
}

pub(crate) async fn minio() -> Option<(Server, S3Endpoint)> {
    let named = std::env::var_os("ODG_BENCH_MINIO").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let installed = home.map(|home| home.join(".local/share/odg-bench/bin/minio"));
    let binary = binary("minio", named.into_iter().chain(installed))?;
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut command = Command::new(binary);
    command.arg("server").arg(dir.path().join("data"));
    command.args(["--quiet", "--address", &format!("127.0.0.1:{port}")]);
    command.args(["--console-address", &format!("127.0.0.1:{}", free_port())]);
    command.env("MINIO_ROOT_USER", "odg-test").env("MINIO_ROOT_PASSWORD", PASSWORD);
    let server = Server::spawn(command, dir, port);
    let endpoint = s3_endpoint(port);
    let options = super::s3::S3Options::default();
    let driver = super::s3::S3Driver::new(&endpoint, options, prefix("ready")).unwrap();
    server.ready(|| driver.ping()).await;
    Some((server, endpoint))
}

/// Apache Kafka, one node, from the jars that `ci/setup --with-kafka` fetches.
pub(crate) async fn kafka() -> Option<(Server, KafkaEndpoint)> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let parent = home.join(".local/share/odg-bench/kafka");
    let named = std::env::var_os("ODG_BENCH_KAFKA_HOME").map(PathBuf::from);
    let installed = std::fs::read_dir(parent).into_iter().flatten().flatten().map(|e| e.path());
    let libs = named.into_iter().chain(installed).map(|home| home.join("libs"));
    let libs = libs.into_iter().find(|libs| libs.is_dir());
    let java = binary("java", [])?;
    let Some(libs) = libs else { return binary("Apache Kafka", []).and(None) };
    let dir = tempfile::tempdir().unwrap();
    let (port, controller) = (free_port(), free_port());
    let config = dir.path().join("server.properties");
    let text = format!(
        "process.roles=broker,controller\nnode.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
         auto.create.topics.enable=false\noffsets.topic.replication.factor=1\n\
         offsets.topic.num.partitions=1\ngroup.initial.rebalance.delay.ms=0\n\
         log.dirs={}\n",
        dir.path().join("data").display()
    );
    std::fs::write(&config, text).unwrap();
    let run = |main: &str| {
        let mut command = Command::new(&java);
        command.args(["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"]);
        command.arg(libs.join("*")).arg(main).current_dir(dir.path());
        command
    };
    let mut format = run("kafka.tools.StorageTool");
    format.args(["format", "--cluster-id", "4L6g3nShT-eMCtK--X86sw", "--config"]).arg(&config);
    let formatted = format.output().unwrap();
    assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stderr));
    let mut command = run("kafka.Kafka");
    command.arg(&config);
    let server = Server::spawn(command, dir, port);
    let endpoint = KafkaEndpoint { bootstrap: format!("127.0.0.1:{port}"), admin: true };
    let options = super::kafka::KafkaOptions::default();
    let driver = super::kafka::KafkaDriver::new(&endpoint, options, prefix("ready")).unwrap();
    server.ready(|| driver.ping()).await;
    Some((server, endpoint))
}

pub(crate) fn s3_endpoint(port: u16) -> S3Endpoint {
    S3Endpoint {
        url: format!("http://127.0.0.1:{port}"),
        access_key: "odg-test".to_owned(),
        secret_key: Secret::new(PASSWORD),
        region: "us-east-1".to_owned(),
    }
}

pub(crate) fn prefix(run: &str) -> super::Prefix {
    super::Prefix::new(format!("odgbench-{run}")).unwrap()
}

pub(crate) fn prefix_(run: &str) -> super::Prefix {
    super::Prefix::new(format!("odgbench_{run}")).unwrap()
}
