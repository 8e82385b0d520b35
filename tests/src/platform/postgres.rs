//! A PostgreSQL of its own for one test.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User, chown};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

/// Time until it answers, on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Its user's password.
pub const PASSWORD: &str = "canary-postgres-password-91c3";

/// A server that ends with this value.
pub struct TestPostgres {
    child: Child,
    /// Port on 127.0.0.1.
    pub port: u16,
    _dir: TempDir,
}

/// Where the programs are: the variable's place, or Debian's newest.
fn programs() -> PathBuf {
    if let Some(named) = std::env::var_os("ODG_BENCH_POSTGRES_BIN") {
        return named.into();
    }
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort();
    versions.pop().unwrap_or_else(|| panic!("postgres is not installed: run ci/setup")).1
}

/// A program that ends with this test; PostgreSQL refuses to run as root.
fn command(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if Uid::effective().is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    }
    command.arg("--").arg(program);
    command
}

impl TestPostgres {
    /// Starts one on a free port and waits until it answers.
    pub async fn start() -> Self {
        let bin = programs();
        let dir = tempfile::tempdir().unwrap();
        let (data, pwfile) = (dir.path().join("data"), dir.path().join("pw"));
        fs::write(&pwfile, PASSWORD).unwrap();
        if Uid::effective().is_root() {
            let user = User::from_name("postgres").unwrap().unwrap();
            for path in [dir.path(), &pwfile] {
                chown(path, Some(user.uid), Some(user.gid)).unwrap();
            }
        }
        let mut initdb = command(&bin.join("initdb"));
        initdb.args(["--auth=scram-sha-256", "--username=odg", "--no-sync", "--encoding=UTF8"]);
        initdb.args(["--locale=C", "-D"]).arg(&data).arg("--pwfile").arg(&pwfile);
        let done = initdb.current_dir(dir.path()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let mut server = command(&bin.join("postgres"));
        server.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-p", &port.to_string()]);
        server.args(["-c", "fsync=off", "-c", "unix_socket_directories="]);
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let child = server
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let started = Self { child, port, _dir: dir };
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            match PgConnection::connect_with(&started.options()).await {
                Ok(connection) => {
                    connection.close().await.unwrap();
                    return started;
                }
                Err(error) => assert!(Instant::now() < deadline, "not ready: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// Creates an empty database.
    pub async fn create(&self, database: &str) {
        let mut connection = PgConnection::connect_with(&self.options()).await.unwrap();
        let create = format!("CREATE DATABASE {database}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(create)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// How to connect to the database that is there from the start.
    pub fn options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username("odg")
            .password(PASSWORD)
            .database("postgres")
    }

    /// Stops (SIGSTOP) or continues (SIGCONT) the server and all of its children.
    pub fn signal(&self, signal: Signal) -> std::io::Result<()> {
        let server = self.child.id() as i32;
        let mut all = crate::processes::descendants(server);
        all.reverse();
        for pid in all.iter().map(|p| p.pid).chain([server]) {
            kill(Pid::from_raw(pid), signal)?;
        }
        Ok(())
    }
}

impl Drop for TestPostgres {
    fn drop(&mut self) {
        // Shut down at once but in order: it leaves shared memory behind when killed.
        let _ = self.signal(Signal::SIGCONT);
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGINT);
        let deadline = Instant::now() + Duration::from_secs(10);
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
