//! PostgreSQL from the system's packages.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::BoxFuture;
use nix::sys::signal::Signal;
use nix::unistd::chown;
use odg_profiles::Component;
use odg_reports::record::Fidelity;
use odg_workloads::endpoint::{PostgresEndpoint, SslMode, Tls};

use crate::provider::ProviderError;

use super::candidate::{
    Answer, Candidate, Found, Identity, Running, Site, Started, random_password,
};
use super::process::{Process, StopPlan};
use super::ready;
use super::search::{NotFound, Search, find_program, is_program};
use super::spawn::{Launch, RunAs, unprivileged};
use super::version::{self, version_in};
use super::workdir::{make_private_dir, write_private};
use crate::provider::ports::free_port;

const BIN: &str = "ODG_BENCH_POSTGRES_BIN";
const USER: &str = "odgbench";
/// SIGINT is a fast shutdown: sessions are ended, a checkpoint is written.
const STOP: StopPlan = StopPlan { signal: Signal::SIGINT, grace: Duration::from_secs(10) };

pub(super) struct Postgres;

impl Candidate for Postgres {
    fn identity(&self) -> Identity {
        Identity {
            component: Component::Postgresql,
            id: "postgresql",
            product: "PostgreSQL",
            fidelity: Fidelity::Real,
            note: None,
        }
    }

    fn find(&self, search: &Search) -> Result<Found, NotFound> {
        let bin = bin_dir(search)?;
        let version = version::printed(&bin.join("postgres")).and_then(|text| version_in(&text));
        Ok(Found { path: Some(bin), version })
    }

    fn start<'a>(
        &'a self,
        search: &'a Search,
        site: &'a Site<'a>,
    ) -> BoxFuture<'a, Result<Started, ProviderError>> {
        Box::pin(start(search, site))
    }
}

/// The directory of `initdb` and `postgres`; of several, the newest major version.
fn bin_dir(search: &Search) -> Result<PathBuf, NotFound> {
    let complete = |dir: &PathBuf| ["initdb", "postgres"].iter().all(|p| is_program(&dir.join(p)));
    let not_found = |tried: Vec<String>| NotFound {
        tried,
        hint: "ci/setup (Debian: apt-get install postgresql)".to_owned(),
    };
    if let Some(dir) = search.var(BIN).map(PathBuf::from) {
        let tried = format!("{BIN}={}", dir.display());
        return Some(dir).filter(complete).ok_or_else(|| not_found(vec![tried]));
    }
    let packaged = Path::new("/usr/lib/postgresql");
    let mut versions: Vec<u32> = fs::read_dir(packaged)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    let on_path =
        find_program("postgres", search.var("PATH")).and_then(|p| Some(p.parent()?.into()));
    versions
        .into_iter()
        .map(|version| packaged.join(version.to_string()).join("bin"))
        .chain(on_path)
        .find(complete)
        .ok_or_else(|| {
            not_found(vec![
                format!("${BIN}"),
                format!("{}/*/bin", packaged.display()),
                "postgres on the PATH".to_owned(),
            ])
        })
}

async fn start(search: &Search, site: &Site<'_>) -> Result<Started, ProviderError> {
    let bin = bin_dir(search).map_err(|e| site.missing(e))?;
    let user = unprivileged();
    let password = random_password();
    let (data, sockets, password_file) =
        (site.dir.join("data"), site.dir.join("sockets"), site.dir.join("password"));
    make_private_dir(&data)?;
    make_private_dir(&sockets)?;
    write_private(&password_file, password.expose())?;
    for path in [&site.dir, &data, &sockets, &password_file] {
        give_to(user, path)?;
    }
    let launch = |program: &str, args: Vec<OsString>| Launch {
        program: bin.join(program),
        args,
        envs: Vec::new(),
        cwd: site.dir.clone(),
        log: site.log.clone(),
        user,
    };

    let args = vec![
        "--pgdata".into(),
        data.clone().into(),
        "--username".into(),
        USER.into(),
        "--pwfile".into(),
        password_file.clone().into(),
        "--auth=scram-sha-256".into(),
        "--encoding=UTF8".into(),
        "--locale=C".into(),
        "--no-instructions".into(),
        // Only the fresh, empty cluster is not synced; the server itself runs with fsync on.
        "--no-sync".into(),
    ];
    Process::start(&launch("initdb", args), STOP, Vec::new(), site)?.finish(site).await?;
    fs::remove_file(&password_file)
        .map_err(|e| ProviderError::io(format!("remove {}", password_file.display()), e))?;

    let port = free_port().map_err(|e| ProviderError::io("find a port for PostgreSQL", e))?;
    configure(&data.join("postgresql.conf"), port, &sockets)?;
    let args = vec!["-D".into(), data.into()];
    let mut process = Process::start(&launch("postgres", args), STOP, vec![port], site)?;
    let endpoint = PostgresEndpoint {
        host: "127.0.0.1".to_owned(),
        port,
        user: USER.to_owned(),
        password,
        database: "postgres".to_owned(),
        ssl_mode: SslMode::Disable,
        tls: Tls::default(),
    };
    let version = ready::wait(&mut process, site, port, || ready::postgres(&endpoint)).await?;
    Ok(Started { answer: Answer::Postgres(endpoint), version, running: Running::Process(process) })
}

/// Durability stays as it ships: on. The sizes suit a small server; the rest is the default.
fn configure(path: &Path, port: u16, sockets: &Path) -> Result<(), ProviderError> {
    let settings = format!(
        "\nlisten_addresses = '127.0.0.1'\n\
         port = {port}\n\
         unix_socket_directories = '{}'\n\
         max_connections = 100\n\
         shared_buffers = 128MB\n\
         max_wal_size = 2GB\n\
         fsync = on\n\
         synchronous_commit = on\n\
         full_page_writes = on\n\
         logging_collector = off\n\
         log_destination = 'stderr'\n",
        sockets.display()
    );
    OpenOptions::new()
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(settings.as_bytes()))
        .map_err(|e| ProviderError::io(format!("write {}", path.display()), e))
}

fn give_to(user: Option<RunAs>, path: &Path) -> Result<(), ProviderError> {
    let Some(user) = user else { return Ok(()) };
    chown(path, Some(user.uid), Some(user.gid)).map_err(|errno| {
        ProviderError::io(format!("give {} to PostgreSQL's user", path.display()), errno.into())
    })
}
