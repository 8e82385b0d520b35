//! Real servers of somebody else's: started by a test, for the program to attach to.
//!
//! A missing server fails the test; with `ODG_BENCH_TEST_ALLOW_MISSING` it is passed over, with a line that
//! says so.

// The one list of places for tests of every package; its home cannot export what only its tests have.
#[path = "../../workloads/src/driver/test_servers/find.rs"]
mod find;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User, chown};
use tempfile::TempDir;

use crate::program::{Place, stderr};

/// Longest until all servers answer.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// A component to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// PostgreSQL.
    Postgres,
    /// Redis.
    Redis,
    /// NATS with JetStream.
    Nats,
    /// MinIO.
    Minio,
    /// Apache Kafka, one node.
    Kafka,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Postgres, Self::Redis, Self::Nats, Self::Minio, Self::Kafka];
}

struct Server {
    kind: Kind,
    port: u16,
    child: Child,
}

/// Servers that listen on loopback; dropping them ends them and removes their data.
pub struct Servers {
    servers: Vec<Server>,
    dir: TempDir,
    /// The password of every one of them.
    pub password: String,
}

/// One more Redis, which speaks TLS alone; dropping it ends it and removes its data.
pub struct RedisWithTls {
    /// Where it listens, on loopback.
    pub port: u16,
    child: Child,
    _dir: TempDir,
}

/// Starts a Redis with this certificate and key (PEM) and a password that nobody knows, and waits until it listens.
/// `None` where Redis is missing and may be.
pub fn redis_with_tls(certificate: &str, key: &str) -> Option<RedisWithTls> {
    let mut command = guarded(&find::program("redis-server", "ODG_BENCH_REDIS")?);
    let dir = tempfile::tempdir().unwrap_or_else(|e| panic!("a temporary directory: {e}"));
    let port = free_port();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        path.display().to_string()
    };
    let text = format!(
        "port 0\ntls-port {port}\nbind 127.0.0.1\nrequirepass {}\nsave \"\"\ntls-cert-file {}\n\
         tls-key-file {}\ntls-ca-cert-file {}\ntls-auth-clients no\n",
        random_word(),
        write("server.crt", certificate),
        write("server.key", key),
        write("ca.crt", certificate),
    );
    command.arg(write("redis.conf", &text)).current_dir(dir.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().unwrap_or_else(|e| panic!("start redis-server: {e}"));
    let server = RedisWithTls { port, child, _dir: dir };
    let deadline = Instant::now() + READY_WITHIN;
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(Instant::now() < deadline, "redis-server does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    Some(server)
}

impl Drop for RedisWithTls {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A word that no other test has.
pub fn random_word() -> String {
    let uuid = fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap_or_default();
    uuid.trim().replace('-', "")
}

/// A port on which nothing listens.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    address.unwrap_or_else(|e| panic!("a free port: {e}")).port()
}

impl Servers {
    /// Starts these and waits until the program itself can talk to all of them. `None` where one is missing
    /// and may be.
    pub fn start(place: &Place, kinds: &[Kind]) -> Option<Self> {
        let dir = tempfile::Builder::new()
            .prefix("odg-tests-servers-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .tempdir_in("/var/tmp")
            .unwrap_or_else(|e| panic!("a temporary directory: {e}"));
        let mut servers = Self { servers: Vec::new(), dir, password: random_word() };
        for kind in kinds {
            let (port, mut command) = servers.command(*kind)?;
            let path = |name: &str| servers.dir.path().join(format!("{kind:?}-{name}"));
            let log = File::create(path("log")).unwrap_or_else(|e| panic!("a log: {e}"));
            let both = log.try_clone().unwrap_or_else(|e| panic!("a log: {e}"));
            command.env("HOME", servers.dir.path()).current_dir(servers.dir.path());
            command.stdin(Stdio::null()).stdout(both).stderr(log);
            let child = command.spawn().unwrap_or_else(|e| panic!("start {kind:?}: {e}"));
            servers.servers.push(Server { kind: *kind, port, child });
        }
        servers.await_answers(place);
        Some(servers)
    }

    fn await_answers(&self, place: &Place) {
        let file = self.endpoints(place);
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let asked = clean(place, &file, &[]);
            if asked.status.success() {
                return;
            }
            assert!(Instant::now() < deadline, "the servers do not answer: {}", stderr(&asked));
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Writes the endpoints file of these servers, readable by its owner alone.
    pub fn endpoints(&self, place: &Place) -> PathBuf {
        let sections: String = self.servers.iter().map(|server| self.section(server)).collect();
        place.private_file("endpoints.yaml", &sections)
    }

    fn section(&self, Server { kind, port, .. }: &Server) -> String {
        let password = &self.password;
        match kind {
            Kind::Postgres => format!(
                "postgres:\n  host: 127.0.0.1\n  port: {port}\n  user: odg\n  password: {password}\n  \
                 database: postgres\n  sslmode: disable\n"
            ),
            Kind::Redis => {
                format!("redis:\n  host: 127.0.0.1\n  port: {port}\n  password: {password}\n")
            }
            Kind::Nats => format!(
                "nats:\n  url: nats://127.0.0.1:{port}\n  user: odg\n  password: {password}\n"
            ),
            Kind::Minio => format!(
                "s3:\n  url: http://127.0.0.1:{port}\n  access_key: odg-test\n  secret_key: {password}\n"
            ),
            Kind::Kafka => format!(
                "kafka:\n  bootstrap: 127.0.0.1:{port}\n  security: sasl_plaintext\n  mechanism: plain\n  \
                 user: odg\n  password: {password}\n"
            ),
        }
    }

    /// Port of one of them.
    pub fn port(&self, kind: Kind) -> u16 {
        let server = self.servers.iter().find(|server| server.kind == kind);
        server.map_or_else(|| panic!("{kind:?} was not started"), |server| server.port)
    }

    /// What Redis answers to a command, its password given before.
    pub fn redis(&self, command: &str) -> String {
        let at = (Ipv4Addr::LOCALHOST, self.port(Kind::Redis));
        let mut stream = TcpStream::connect(at).unwrap_or_else(|e| panic!("redis: {e}"));
        let script = format!("AUTH {}\r\n{command}\r\nQUIT\r\n", self.password);
        stream.write_all(script.as_bytes()).unwrap_or_else(|e| panic!("redis: {e}"));
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap_or_else(|e| panic!("redis: {e}"));
        answer
    }

    /// Names of the house that the servers' own directories and Redis hold; empty is right.
    pub fn names_of_the_house(&self) -> Vec<String> {
        let mut found = Vec::new();
        for dir in ["Minio-data", "Nats-data/jetstream/$G/streams"] {
            let entries = fs::read_dir(self.dir.path().join(dir)).into_iter().flatten().flatten();
            found.extend(entries.map(|entry| entry.file_name().to_string_lossy().into_owned()));
        }
        if self.servers.iter().any(|server| server.kind == Kind::Redis) {
            found.extend(self.redis("KEYS *").lines().map(str::to_owned));
        }
        found.retain(|name| name.starts_with("odgbench"));
        found
    }

    fn command(&self, kind: Kind) -> Option<(u16, Command)> {
        let (port, password) = (free_port(), &self.password);
        let data = self.dir.path().join(format!("{kind:?}-data"));
        let config = self.dir.path().join(format!("{kind:?}-conf"));
        let write = |text: String| {
            fs::write(&config, text).unwrap_or_else(|e| panic!("{}: {e}", config.display()));
        };
        let command = match kind {
            Kind::Postgres => self.postgres(port, &data)?,
            Kind::Redis => {
                let mut command = guarded(&find::program("redis-server", "ODG_BENCH_REDIS")?);
                write(format!("port {port}\nbind 127.0.0.1\nrequirepass {password}\nsave \"\"\n"));
                command.arg(&config);
                command
            }
            Kind::Nats => {
                let mut command = guarded(&find::program("nats-server", "ODG_BENCH_NATS")?);
                write(format!(
                    "listen: \"127.0.0.1:{port}\"\nauthorization {{ user: odg, password: \"{password}\" \
                     }}\njetstream {{ store_dir: \"{}\" }}\n",
                    data.display()
                ));
                command.arg("-c").arg(&config);
                command
            }
            Kind::Minio => {
                let mut command = guarded(&find::program("minio", "ODG_BENCH_MINIO")?);
                command.arg("server").arg(&data);
                command.args(["--quiet", "--address", &format!("127.0.0.1:{port}")]);
                command.args(["--console-address", &format!("127.0.0.1:{}", free_port())]);
                command.env("MINIO_ROOT_USER", "odg-test").env("MINIO_ROOT_PASSWORD", password);
                command
            }
            Kind::Kafka => self.kafka(port, &data, &config)?,
        };
        Some((port, command))
    }

    /// PostgreSQL refuses to run as root.
    fn postgres(&self, port: u16, data: &Path) -> Option<Command> {
        let bin = find::postgres_bin()?;
        let root = Uid::effective().is_root();
        let home = self.dir.path().join("postgres-home");
        let pwfile = home.join("pw");
        fs::create_dir(&home).unwrap_or_else(|e| panic!("{}: {e}", home.display()));
        fs::write(&pwfile, &self.password).unwrap_or_else(|e| panic!("a password file: {e}"));
        fs::create_dir(data).unwrap_or_else(|e| panic!("{}: {e}", data.display()));
        if root {
            let user = User::from_name("postgres").ok().flatten();
            let user = user.unwrap_or_else(|| panic!("there is no user postgres"));
            for path in [&home, &pwfile, &data.to_path_buf()] {
                chown(path, Some(user.uid), Some(user.gid))
                    .unwrap_or_else(|e| panic!("chown: {e}"));
            }
        }
        let program = |name: &str| {
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "KILL"]);
            if root {
                command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
            }
            command.arg("--").arg(bin.join(name));
            command
        };
        let initdb = program("initdb")
            .args(["--auth=scram-sha-256", "--username=odg", "--no-sync", "--encoding=UTF8"])
            .args(["--locale=C", "-D"])
            .arg(data)
            .arg("--pwfile")
            .arg(&pwfile)
            .current_dir(&home)
            .output()
            .unwrap_or_else(|e| panic!("initdb: {e}"));
        assert!(initdb.status.success(), "{}", stderr(&initdb));
        let mut command = program("postgres");
        command.arg("-D").arg(data).args(["-h", "127.0.0.1", "-p", &port.to_string()]);
        command.args(["-c", "fsync=off", "-c", "unix_socket_directories="]);
        Some(command)
    }

    /// From the jars that `ci/setup --with-kafka` fetches.
    fn kafka(&self, port: u16, data: &Path, config: &Path) -> Option<Command> {
        let (java, libs) = find::kafka()?;
        let controller = free_port();
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
            data.display(),
            password = self.password,
        );
        fs::write(config, text).unwrap_or_else(|e| panic!("{}: {e}", config.display()));
        let run = |main: &str| {
            let mut command = guarded(&java);
            command.args(["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"]);
            command.arg(libs.join("*")).arg(main).current_dir(self.dir.path());
            command
        };
        let format = run("kafka.tools.StorageTool")
            .args(["format", "--cluster-id", "4L6g3nShT-eMCtK--X86sw", "--config"])
            .arg(config)
            .output()
            .unwrap_or_else(|e| panic!("java: {e}"));
        assert!(format.status.success(), "{}", stderr(&format));
        let mut command = run("kafka.Kafka");
        command.arg(config);
        Some(command)
    }
}

/// `odg-bench clean --endpoints FILE` with these further arguments.
pub fn clean(place: &Place, file: &Path, arguments: &[&str]) -> std::process::Output {
    place
        .command(&["clean", "--endpoints"])
        .arg(file)
        .args(arguments)
        .output()
        .unwrap_or_else(|e| panic!("start odg-bench: {e}"))
}

/// A program that the kernel kills when the test's thread ends, whatever ends it.
fn guarded(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

impl Drop for Servers {
    fn drop(&mut self) {
        // In order first: PostgreSQL leaves shared memory behind when killed.
        for server in &self.servers {
            let _ = kill(Pid::from_raw(server.child.id() as i32), Signal::SIGINT);
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        for server in &mut self.servers {
            while let Ok(None) = server.child.try_wait() {
                if Instant::now() > deadline {
                    let _ = server.child.kill();
                    let _ = server.child.wait();
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}
