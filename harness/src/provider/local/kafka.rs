//! Apache Kafka, one node in KRaft mode, from the Maven artifacts that `ci/setup --with-kafka` fetches.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::BoxFuture;
use nix::sys::signal::Signal;
use odg_profiles::Component;
use odg_reports::record::Fidelity;
use odg_workloads::endpoint::{KafkaEndpoint, KafkaLogin, SaslMechanism};

use crate::provider::ProviderError;
use crate::provider::kafka_node::{self, CLUSTER_ID};

use super::candidate::{
    Answer, Candidate, Found, Identity, Running, Site, Started, random_password,
};
use super::process::{Process, StopPlan};
use super::ready;
use super::search::{NotFound, Search, find_program, is_program};
use super::spawn::Launch;
use super::workdir::write_private;
use crate::provider::ports::free_port;

const HOME: &str = "ODG_BENCH_KAFKA_HOME";
/// The broker's jar is `kafka_<Scala version>-<version>.jar`.
const JAR_PREFIX: &str = "kafka_2.13-";
/// A controlled shutdown takes about two seconds.
const STOP: StopPlan = StopPlan { signal: Signal::SIGTERM, grace: Duration::from_secs(15) };
const USER: &str = "odgbench";

pub(super) struct Kafka;

/// A Kafka that can be started.
struct Installation {
    java: PathBuf,
    home: PathBuf,
    version: String,
}

impl Candidate for Kafka {
    fn identity(&self) -> Identity {
        Identity {
            component: Component::Kafka,
            id: "apache-kafka",
            product: "Apache Kafka",
            fidelity: Fidelity::Real,
            note: None,
        }
    }

    fn find(&self, search: &Search) -> Result<Found, NotFound> {
        let found = installation(search)?;
        Ok(Found { path: Some(found.home), version: Some(found.version) })
    }

    fn start<'a>(
        &'a self,
        search: &'a Search,
        site: &'a Site<'a>,
    ) -> BoxFuture<'a, Result<Started, ProviderError>> {
        Box::pin(start(search, site))
    }
}

fn installation(search: &Search) -> Result<Installation, NotFound> {
    let not_found = |tried: Vec<String>| NotFound {
        tried,
        hint: "ci/setup --with-kafka (Java from Debian, Kafka from Maven Central)".to_owned(),
    };
    let (homes, mut tried) = match search.var(HOME) {
        Some(home) => (vec![PathBuf::from(home)], vec![format!("{HOME}={}", home.display())]),
        None => {
            let parent = search.tools_dir().map(|dir| dir.join("kafka")).unwrap_or_default();
            (
                installed_versions(&parent),
                vec![format!("${HOME}"), format!("{}/*", parent.display())],
            )
        }
    };
    let Some((home, version)) = homes.into_iter().find_map(|home| {
        let version = broker_version(&home.join("libs"))?;
        Some((home, version))
    }) else {
        return Err(not_found(tried));
    };
    let from_home = search.var("JAVA_HOME").map(|home| Path::new(home).join("bin/java"));
    match from_home
        .filter(|java| is_program(java))
        .or_else(|| find_program("java", search.var("PATH")))
    {
        Some(java) => Ok(Installation { java, home, version }),
        None => {
            tried.clear();
            tried.extend(["java in $JAVA_HOME/bin", "java on the PATH"].map(str::to_owned));
            Err(not_found(tried))
        }
    }
}

/// Installed versions, newest first.
fn installed_versions(parent: &Path) -> Vec<PathBuf> {
    let mut homes: Vec<PathBuf> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    let key = |home: &PathBuf| -> Vec<u32> {
        let name = home.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.split('.').map(|part| part.parse().unwrap_or(0)).collect()
    };
    homes.sort_by_key(|home| std::cmp::Reverse(key(home)));
    homes
}

/// The broker's version by the name of its jar; `None` where it is not there.
fn broker_version(libs: &Path) -> Option<String> {
    fs::read_dir(libs).ok()?.find_map(|entry| {
        let name = entry.ok()?.file_name();
        let version = name.to_str()?.strip_prefix(JAR_PREFIX)?.strip_suffix(".jar")?;
        version.starts_with(|c: char| c.is_ascii_digit()).then(|| version.to_owned())
    })
}

async fn start(search: &Search, site: &Site<'_>) -> Result<Started, ProviderError> {
    let Installation { java, home, version } = installation(search).map_err(|e| site.missing(e))?;
    let port = || free_port().map_err(|e| ProviderError::io("find a port for Kafka", e));
    let (broker, controller) = (port()?, port()?);
    let properties = site.dir.join("server.properties");
    let login = KafkaLogin {
        mechanism: SaslMechanism::Plain,
        user: USER.to_owned(),
        password: random_password(),
    };
    let text = server_properties(broker, controller, &site.dir.join("data"), &login);
    write_private(&properties, &text)?;
    let logging = site.dir.join("log4j.properties");
    write_private(&logging, LOGGING)?;
    let launch = |jvm: &[&str], main: &str, args: Vec<OsString>| {
        let mut all: Vec<OsString> = jvm.iter().map(Into::into).collect();
        all.push(format!("-Dlog4j.configuration=file:{}", logging.display()).into());
        all.extend(["-cp".into(), home.join("libs/*").into(), main.into()]);
        all.extend(args);
        Launch {
            program: java.clone(),
            args: all,
            envs: Vec::new(),
            cwd: site.dir.clone(),
            log: site.log.clone(),
            user: None,
        }
    };

    let format_args = ["format", "--cluster-id", CLUSTER_ID, "--config"].map(OsString::from);
    let format_args = format_args.into_iter().chain([properties.clone().into()]).collect();
    // A short task: a small heap and the quick compiler.
    let quick = ["-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"];
    let format = launch(&quick, "kafka.tools.StorageTool", format_args);
    Process::start(&format, STOP, Vec::new(), site)?.finish(site).await?;

    // The collector's settings are those of Kafka's own start script.
    let server = [
        "-Xms256m",
        "-Xmx512m",
        "-XX:+UseG1GC",
        "-XX:MaxGCPauseMillis=20",
        "-XX:InitiatingHeapOccupancyPercent=35",
        "-XX:+ExplicitGCInvokesConcurrent",
        "-Djava.awt.headless=true",
    ];
    let server = launch(&server, "kafka.Kafka", vec![properties.into()]);
    let mut process = Process::start(&server, STOP, vec![broker, controller], site)?;
    let endpoint = KafkaEndpoint {
        bootstrap: format!("127.0.0.1:{broker}"),
        admin: true,
        login: Some(login),
        tls: None,
    };
    ready::wait(&mut process, site, broker, || ready::kafka(&endpoint)).await?;
    Ok(Started { answer: Answer::Kafka(endpoint), version, running: Running::Process(process) })
}

/// A node whose listeners are on loopback.
fn server_properties(broker: u16, controller: u16, data: &Path, login: &KafkaLogin) -> String {
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=BROKER://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=BROKER://127.0.0.1:{broker}\n\
         {}",
        kafka_node::properties(
            &["BROKER", "CONTROLLER"],
            "BROKER",
            &data.display().to_string(),
            login
        )
    )
}

const LOGGING: &str = "\
log4j.rootLogger=WARN, stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=%d{ISO8601} %p %m (%c)%n
log4j.logger.kafka.server.KafkaRaftServer=INFO
log4j.logger.org.apache.kafka.common.utils.AppInfoParser=ERROR
";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_newest_complete_installation_is_taken() {
        let tools = tempfile::tempdir().unwrap();
        for (version, jar) in [("3.9.2", true), ("3.10.0", true), ("4.0.0", false)] {
            let libs = tools.path().join("kafka").join(version).join("libs");
            fs::create_dir_all(&libs).unwrap();
            if jar {
                fs::write(libs.join(format!("kafka_2.13-{version}.jar")), "").unwrap();
            }
        }
        // A JVM of its own, so that the test holds on machines without one.
        let java = tools.path().join("jvm/bin/java");
        fs::create_dir_all(tools.path().join("jvm/bin")).unwrap();
        fs::write(&java, "").unwrap();
        fs::set_permissions(&java, fs::Permissions::from_mode(0o755)).unwrap();
        let search = Search::from_vars([
            ("ODG_BENCH_TOOLS", tools.path()),
            ("PATH", &tools.path().join("jvm/bin")),
        ]);
        assert_eq!(installation(&search).map_err(|e| e.tried).unwrap().version, "3.10.0");
    }

    #[test]
    fn a_named_home_without_a_broker_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let search = Search::from_vars([(HOME, dir.path())]);
        let not_found = installation(&search).map(|i| i.version).unwrap_err();
        assert_eq!(not_found.tried, vec![format!("{HOME}={}", dir.path().display())]);
    }
}
