//! Real servers for tests: started on a free loopback port in a temporary directory, stopped on drop.
//!
//! A missing server fails the test, so that no machine skips it silently. Setting
//! `ODG_BENCH_TEST_ALLOW_MISSING` lets it pass, with a line that says so.

mod find;
mod port;

use std::future::Future;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User, chown};
use tempfile::TempDir;

use super::DriverError;
use crate::endpoint::{
    KafkaEndpoint, KafkaLogin, NatsEndpoint, NatsLogin, PostgresEndpoint, RedisEndpoint,
    S3Endpoint, SaslMechanism, SslMode, Tls,
};
use crate::secret::Secret;

pub(crate) use port::free_port;

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

pub(crate) async fn postgres() -> Option<(Server, PostgresEndpoint)> {
    let bin = find::postgres_bin()?;
    let dir = tempfile::tempdir().unwrap();
    let (data, pwfile) = (dir.path().join("data"), dir.path().join("pw"));
    std::fs::write(&pwfile, PASSWORD.as_str()).unwrap();
    if Uid::effective().is_root() {
        let user = User::from_name("postgres").unwrap().unwrap();
        for path in [dir.path(), &pwfile] {
            chown(path, Some(user.uid), Some(user.gid)).unwrap();
        }
    }
    let initdb = unprivileged(&bin.join("initdb"))
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
    let mut command = unprivileged(&bin.join("postgres"));
    command.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    command.args(["-c", "fsync=off", "-c", "unix_socket_directories=", "-c", "max_connections=40"]);
    let server = Server::spawn(command, dir, port);
    let endpoint = PostgresEndpoint {
        host: "127.0.0.1".to_owned(),
        port,
        user: "odg".to_owned(),
        password: Secret::new(PASSWORD.as_str()),
        database: "postgres".to_owned(),
        ssl_mode: SslMode::Disable,
        tls: Tls::default(),
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
    let redis = find::program("redis-server", "ODG_BENCH_REDIS")?;
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let config = dir.path().join("redis.conf");
    let text = format!("port {port}\nbind 127.0.0.1\nrequirepass {}\nsave \"\"\n", *PASSWORD);
    std::fs::write(&config, text).unwrap();
    let mut command = command(&redis);
    command.arg(&config);
    let server = Server::spawn(command, dir, port);
    let password = Secret::new(PASSWORD.as_str());
    let endpoint = RedisEndpoint {
        host: "127.0.0.1".to_owned(),
        port,
        user: None,
        password: Some(password),
        tls: None,
    };
    server.ready(|| super::redis::RedisDriver::connect(&endpoint, prefix("ready"))).await;
    Some((server, endpoint))
}

pub(crate) async fn nats() -> Option<(Server, NatsEndpoint)> {
    let nats = find::program("nats-server", "ODG_BENCH_NATS")?;
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let config = dir.path().join("nats.conf");
    let text = format!(
        "listen: \"127.0.0.1:{port}\"\nauthorization {{ user: odg, password: \"{}\" }}\n\
         jetstream {{ store_dir: \"{}\" }}\n",
        *PASSWORD,
        dir.path().join("js").display()
    );
    std::fs::write(&config, text).unwrap();
    let mut command = command(&nats);
    command.arg("-c").arg(&config);
    let server = Server::spawn(command, dir, port);
    let endpoint = NatsEndpoint {
        address: format!("127.0.0.1:{port}"),
        login: NatsLogin::Password {
            user: "odg".to_owned(),
            password: Secret::new(PASSWORD.as_str()),
        },
        tls: None,
    };
    server
        .ready(|| async {
            super::nats::NatsDriver::connect(&endpoint, prefix("ready")).await?.ping().await
        })
        .await;
    Some((server, endpoint))
}

pub(crate) async fn minio() -> Option<(Server, S3Endpoint)> {
    let minio = find::program("minio", "ODG_BENCH_MINIO")?;
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut command = command(&minio);
    command.arg("server").arg(dir.path().join("data"));
    command.args(["--quiet", "--address", &format!("127.0.0.1:{port}")]);
    command.args(["--console-address", &format!("127.0.0.1:{}", free_port())]);
    command.env("MINIO_ROOT_USER", "odg-test").env("MINIO_ROOT_PASSWORD", PASSWORD.as_str());
    let server = Server::spawn(command, dir, port);
    let endpoint = s3_endpoint(port);
    let options = super::s3::S3Options::default();
    let driver = super::s3::S3Driver::new(&endpoint, options, prefix("ready")).unwrap();
    server.ready(|| driver.ping()).await;
    Some((server, endpoint))
}

/// Apache Kafka, one node, from the jars that `ci/setup --with-kafka` fetches.
pub(crate) async fn kafka() -> Option<(Server, KafkaEndpoint)> {
    let (java, libs) = find::kafka()?;
    let dir = tempfile::tempdir().unwrap();
    let (port, controller) = (free_port(), free_port());
    let config = dir.path().join("server.properties");
    let text = format!(
        "process.roles=broker,controller\nnode.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=BROKER://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=BROKER://127.0.0.1:{port}\n\
         controller.listener.names=CONTROLLER\ninter.broker.listener.name=BROKER\n\
         listener.security.protocol.map=BROKER:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT\n\
         sasl.enabled.mechanisms=PLAIN\nsasl.mechanism.inter.broker.protocol=PLAIN\n\
         listener.name.broker.plain.sasl.jaas.config=\
         org.apache.kafka.common.security.plain.PlainLoginModule required \
         username=\"odg\" password=\"{password}\" user_odg=\"{password}\";\n\
         auto.create.topics.enable=false\noffsets.topic.replication.factor=1\n\
         offsets.topic.num.partitions=1\ngroup.initial.rebalance.delay.ms=0\n\
         log.dirs={}\n",
        dir.path().join("data").display(),
        password = *PASSWORD,
    );
    std::fs::write(&config, text).unwrap();
    let run = |main: &str| {
        let mut command = command(&java);
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
    let password = Secret::new(PASSWORD.as_str());
    let login =
        Some(KafkaLogin { mechanism: SaslMechanism::Plain, user: "odg".to_owned(), password });
    let endpoint =
        KafkaEndpoint { bootstrap: format!("127.0.0.1:{port}"), admin: true, login, tls: None };
    let options = super::kafka::KafkaOptions::default();
    let driver = super::kafka::KafkaDriver::new(&endpoint, options, prefix("ready")).unwrap();
    server.ready(|| driver.ping()).await;
    Some((server, endpoint))
}

pub(crate) fn s3_endpoint(port: u16) -> S3Endpoint {
    S3Endpoint {
        url: format!("http://127.0.0.1:{port}"),
        access_key: "odg-test".to_owned(),
        secret_key: Secret::new(PASSWORD.as_str()),
        region: "us-east-1".to_owned(),
        tls: Tls::default(),
    }
}

pub(crate) fn prefix(run: &str) -> super::Prefix {
    super::Prefix::new(format!("odgbench-{run}")).unwrap()
}

pub(crate) fn prefix_(run: &str) -> super::Prefix {
    super::Prefix::new(format!("odgbench_{run}")).unwrap()
}
