//! Apache Kafka from `apache/kafka`, one node in KRaft mode.

use std::io;
use std::time::Duration;

use odg_workloads::endpoint::{KafkaEndpoint, KafkaLogin, SaslMechanism};
use odg_workloads::secret::Secret;

use super::limits::Limits;
use super::recipe::{Recipe, USER};
use crate::provider::answer::Answer;
use crate::provider::kafka_node::{self, CLUSTER_ID};
use crate::provider::password::random_password;
use crate::provider::ports::free_port;

/// The image takes properties from here; what is in its variables is laid over them.
const PROPERTIES: &str = "/mnt/shared/config/server.properties";
const DATA: &str = "/var/lib/kafka/data";
/// Heap of Kafka's own start script.
const HEAP: u64 = 1 << 30;

/// A client is told the broker's address by the broker itself, so that the port on this machine must be known
/// before it starts. Inside the container the broker reaches itself by a listener of its own.
pub(super) fn recipe(limits: Option<&Limits>) -> io::Result<Recipe> {
    let host_port = free_port()?;
    let login = KafkaLogin {
        mechanism: SaslMechanism::Plain,
        user: USER.to_owned(),
        password: random_password(),
    };
    // Half of the limit at most: the page cache and Java itself need the rest.
    let heap = limits.map_or(HEAP, |limits| HEAP.min(limits.memory_bytes() / 2)) >> 20;
    let listeners = ["BROKER", "CONTROLLER", "INTERNAL"];
    let properties = kafka_node::properties(&listeners, "INTERNAL", DATA, &login);
    Ok(Recipe {
        port: 9092,
        host_port: Some(host_port),
        data: DATA,
        // The image's script wants these as variables; its pattern for SASL must not find the listeners' names.
        env: vec![
            ("CLUSTER_ID", CLUSTER_ID.to_owned()),
            ("KAFKA_NODE_ID", "1".to_owned()),
            ("KAFKA_PROCESS_ROLES", "broker,controller".to_owned()),
            ("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@127.0.0.1:9093".to_owned()),
            (
                "KAFKA_LISTENERS",
                "BROKER://0.0.0.0:9092,CONTROLLER://127.0.0.1:9093,INTERNAL://127.0.0.1:9094"
                    .to_owned(),
            ),
            (
                "KAFKA_ADVERTISED_LISTENERS",
                format!("BROKER://127.0.0.1:{host_port},INTERNAL://127.0.0.1:9094"),
            ),
            ("KAFKA_HEAP_OPTS", format!("-Xms{}m -Xmx{heap}m", heap.min(256))),
        ],
        files: vec![(PROPERTIES.to_owned(), Secret::new(properties))],
        args: Vec::new(),
        shared_memory: None,
        grace: Duration::from_secs(15),
        answer: Box::new(move |port| {
            Answer::Kafka(KafkaEndpoint {
                bootstrap: format!("127.0.0.1:{port}"),
                admin: true,
                login: Some(login.clone()),
                tls: None,
            })
        }),
    })
}
