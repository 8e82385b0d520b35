//! Apache Kafka, one node, from the jars that `ci/setup --with-kafka` fetches.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::{Authority, PASSWORD, Server, command, find, free_port, password, prefix};
use crate::driver::kafka::{KafkaDriver, KafkaOptions};
use crate::endpoint::{KafkaEndpoint, KafkaLogin, SaslMechanism};

/// A broker that asks for a password, without TLS.
pub(crate) async fn kafka() -> Option<(Server, KafkaEndpoint)> {
    let installed = find::kafka()?;
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let listeners = format!(
        "listeners=BROKER://127.0.0.1:{port},CONTROLLER://127.0.0.1:{}\n\
         listener.security.protocol.map=BROKER:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT\n\
         sasl.enabled.mechanisms=PLAIN\nsasl.mechanism.inter.broker.protocol=PLAIN\n{}",
        free_port(),
        plain_users("broker"),
    );
    let server = start(&installed, dir, port, &listeners, &[]);
    let login = login(SaslMechanism::Plain);
    let endpoint = endpoint(port, Some(login));
    let driver = KafkaDriver::new(&endpoint, KafkaOptions::default(), prefix("ready")).unwrap();
    server.ready(|| driver.ping()).await;
    Some((server, endpoint))
}

/// Where a broker of [`kafka_tls`] answers.
pub(crate) struct KafkaListeners {
    /// Unencrypted, without a login.
    pub(crate) open: KafkaEndpoint,
    /// SASL_SSL with SCRAM-SHA-512; SCRAM-SHA-256 is enabled as well.
    pub(crate) scram: KafkaEndpoint,
    /// SASL_SSL with PLAIN.
    pub(crate) plain: KafkaEndpoint,
    /// SSL, for clients that show a certificate.
    pub(crate) certificate: KafkaEndpoint,
    /// SASL_SSL with PLAIN and an expired certificate.
    pub(crate) expired: KafkaEndpoint,
}

/// One broker with a listener for each way of asking who is there: a JVM takes seconds to start.
pub(crate) async fn kafka_tls(authority: &Authority) -> Option<(Server, KafkaListeners)> {
    let installed = find::kafka()?;
    let dir = tempfile::tempdir().unwrap();
    let names = ["BROKER", "SCRAM", "PLAIN", "CERT", "EXPIRED", "CONTROLLER"];
    let ports = names.map(|_| free_port());
    let urls: Vec<String> =
        names.iter().zip(ports).map(|(name, port)| format!("{name}://127.0.0.1:{port}")).collect();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let store = |name: &str, issued: super::Issued| {
        write(name, &format!("{}{}", issued.key, issued.certificate))
    };
    let valid = store("valid.pem", authority.server());
    let expired = store("expired.pem", authority.expired_server());
    let trusted = write("ca.pem", &authority.pem());
    let module = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
    let listeners = format!(
        "listeners={}\n\
         listener.security.protocol.map=BROKER:PLAINTEXT,SCRAM:SASL_SSL,PLAIN:SASL_SSL,CERT:SSL,\
         EXPIRED:SASL_SSL,CONTROLLER:PLAINTEXT\n\
         ssl.keystore.type=PEM\nssl.keystore.location={valid}\n\
         ssl.truststore.type=PEM\nssl.truststore.location={trusted}\n\
         listener.name.expired.ssl.keystore.type=PEM\n\
         listener.name.expired.ssl.keystore.location={expired}\n\
         listener.name.cert.ssl.client.auth=required\n\
         listener.name.scram.sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256\n\
         listener.name.scram.scram-sha-512.sasl.jaas.config={module}\n\
         listener.name.scram.scram-sha-256.sasl.jaas.config={module}\n\
         listener.name.plain.sasl.enabled.mechanisms=PLAIN\n\
         listener.name.expired.sasl.enabled.mechanisms=PLAIN\n{}{}",
        urls.join(","),
        plain_users("plain"),
        plain_users("expired"),
    );
    let scram = ["SCRAM-SHA-512", "SCRAM-SHA-256"]
        .map(|mechanism| format!("{mechanism}=[name=odg,password={}]", *PASSWORD));
    let server = start(&installed, dir, ports[0], &listeners, &scram);
    let tls = |port: u16, login: Option<KafkaLogin>| KafkaEndpoint {
        tls: Some(authority.trusted()),
        ..endpoint(port, login)
    };
    let listeners = KafkaListeners {
        open: endpoint(ports[0], None),
        scram: tls(ports[1], Some(login(SaslMechanism::ScramSha512))),
        plain: tls(ports[2], Some(login(SaslMechanism::Plain))),
        certificate: KafkaEndpoint {
            tls: Some(authority.trusted_with_client("odg")),
            ..endpoint(ports[3], None)
        },
        expired: tls(ports[4], Some(login(SaslMechanism::Plain))),
    };
    let options = KafkaOptions::default();
    let driver = KafkaDriver::new(&listeners.open, options, prefix("ready")).unwrap();
    server.ready(|| driver.ping()).await;
    Some((server, listeners))
}

fn endpoint(port: u16, login: Option<KafkaLogin>) -> KafkaEndpoint {
    KafkaEndpoint { bootstrap: format!("127.0.0.1:{port}"), admin: true, login, tls: None }
}

fn login(mechanism: SaslMechanism) -> KafkaLogin {
    KafkaLogin { mechanism, user: "odg".to_owned(), password: password() }
}

/// The one user that a listener knows by PLAIN.
fn plain_users(listener: &str) -> String {
    format!(
        "listener.name.{listener}.plain.sasl.jaas.config=\
         org.apache.kafka.common.security.plain.PlainLoginModule required \
         username=\"odg\" password=\"{password}\" user_odg=\"{password}\";\n",
        password = *PASSWORD
    )
}

/// Formats the log directory, with users for SCRAM, and starts the broker.
fn start(
    (java, libs): &(PathBuf, PathBuf),
    dir: TempDir,
    port: u16,
    listeners: &str,
    scram: &[String],
) -> Server {
    // The controller is the last of the listeners.
    let controller = listeners
        .lines()
        .next()
        .and_then(|line| line.rsplit_once("CONTROLLER://"))
        .map(|(_, address)| address)
        .unwrap();
    let config = dir.path().join("server.properties");
    let text = format!(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@{controller}\n\
         controller.listener.names=CONTROLLER\ninter.broker.listener.name=BROKER\n\
         auto.create.topics.enable=false\noffsets.topic.replication.factor=1\n\
         offsets.topic.num.partitions=1\ngroup.initial.rebalance.delay.ms=0\n\
         log.dirs={}\n{listeners}",
        dir.path().join("data").display(),
    );
    std::fs::write(&config, text).unwrap();
    let mut format = jvm(java, libs, "kafka.tools.StorageTool", dir.path());
    format.args(["format", "--cluster-id", "4L6g3nShT-eMCtK--X86sw", "--config"]).arg(&config);
    for user in scram {
        format.args(["--add-scram", user]);
    }
    let formatted = format.output().unwrap();
    assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stderr));
    let mut command = jvm(java, libs, "kafka.Kafka", dir.path());
    command.arg(&config);
    Server::spawn(command, dir, port)
}

fn jvm(java: &Path, libs: &Path, main: &str, dir: &Path) -> Command {
    let mut command = command(java);
    command.args(["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"]);
    command.arg(libs.join("*")).arg(main).current_dir(dir);
    command
}
