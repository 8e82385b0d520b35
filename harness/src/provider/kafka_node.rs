//! What a Kafka of one node is set to, whoever starts it.

use odg_workloads::endpoint::KafkaLogin;

/// Any identifier will do: the node never meets another cluster.
pub(super) const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qk";

/// Properties of one node that is broker and controller. Replication factors are 1 for want of a second node; nothing
/// is evicted, so that what the ledger misses was lost. Flushing is Kafka's default (left to the page cache). Every
/// one of `listeners`, of which `CONTROLLER` is one, asks for the same random password; `inter_broker` is the one by
/// which the broker reaches itself.
pub(super) fn properties(
    listeners: &[&str],
    inter_broker: &str,
    data: &str,
    login: &KafkaLogin,
) -> String {
    let (user, password) = (&login.user, login.password.expose());
    let jaas = format!(
        "org.apache.kafka.common.security.plain.PlainLoginModule required \
         username=\"{user}\" password=\"{password}\" user_{user}=\"{password}\";"
    );
    let protocols: Vec<String> =
        listeners.iter().map(|name| format!("{name}:SASL_PLAINTEXT")).collect();
    let logins: String = listeners
        .iter()
        .map(|name| {
            let name = name.to_lowercase();
            format!("listener.name.{name}.plain.sasl.jaas.config={jaas}\n")
        })
        .collect();
    format!(
        "listener.security.protocol.map={}\n\
         inter.broker.listener.name={inter_broker}\n\
         controller.listener.names=CONTROLLER\n\
         sasl.enabled.mechanisms=PLAIN\n\
         sasl.mechanism.inter.broker.protocol=PLAIN\n\
         sasl.mechanism.controller.protocol=PLAIN\n\
         {logins}\
         log.dirs={data}\n\
         auto.create.topics.enable=false\n\
         offsets.topic.replication.factor=1\n\
         offsets.topic.num.partitions=8\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         transaction.state.log.num.partitions=8\n\
         group.initial.rebalance.delay.ms=0\n\
         log.retention.ms=-1\n\
         log.retention.bytes=-1\n\
         controller.quorum.election.timeout.ms=200\n",
        protocols.join(",")
    )
}
