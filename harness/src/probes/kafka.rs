//! Kafka: a message that the broker acknowledged is read back at its offset.

use odg_workloads::driver::kafka::{KafkaDriver, KafkaOptions, TopicSpec};
use odg_workloads::endpoint::KafkaEndpoint;

use super::{Answer, prefix, tidied};

pub(super) const ASKED: &str =
    "create a topic, produce with acks=all, read the message at its offset";

pub(super) async fn probe(endpoint: &KafkaEndpoint, run: &str) -> Answer {
    let prefix = prefix(run)?;
    let kafka = KafkaDriver::new(endpoint, KafkaOptions::default(), prefix.clone())?;
    tidied("kafka", ask(&kafka, prefix.as_str()), kafka.clean_up()).await
}

async fn ask(kafka: &KafkaDriver, prefix: &str) -> Answer {
    let topic = format!("{prefix}.topic");
    kafka.prepare(&[TopicSpec { name: topic.clone(), partitions: 1, replication: 1 }]).await?;
    kafka.probe(&topic).await?;
    Ok(format!("the message, from a broker that speaks version {}", kafka.version().await?))
}
