//! Promises of the compatible servers. They are optional, so a missing one is told and passed over.

use std::time::{Duration, Instant};

use odg_profiles::Component;
use odg_reports::record::Fidelity;
use odg_workloads::driver::Prefix;
use odg_workloads::driver::kafka::{Delivery, KafkaDriver, KafkaOptions, NextOffset, TopicSpec};
use odg_workloads::driver::s3::{S3Driver, S3Options};
use odg_workloads::secret::Secret;

use super::{PATIENCE, alive, assert_hidden, is_empty, parent, pids, start};
use crate::provider::Stack;
use crate::provider::local::{LocalProvider, ready};

/// A provider that takes this implementation and no other; `None` where it is not installed.
fn installed(component: Component, id: &str) -> Option<LocalProvider> {
    let provider = LocalProvider::from_env().force(component, id);
    match provider.resolve(&[component]) {
        Ok(_) => Some(provider),
        Err(error) => {
            println!("passed over: {error}");
            None
        }
    }
}

fn assert_marked(stack: &Stack) {
    let one = &stack.implementations[0];
    assert_eq!(one.fidelity, Fidelity::Compatible);
    assert!(one.version.starts_with(|c: char| c.is_ascii_digit()), "{one:?}");
    assert!(one.note.is_some(), "{one:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn garage_is_marked_hides_its_secret_and_does_what_the_day_asks_of_s3() {
    const BUCKET: &str = "odgbench-t-bronze";
    let Some(provider) = installed(Component::Minio, "garage") else { return };
    let parent = parent();
    let stack = start(&provider, &[Component::Minio], parent.path()).await;
    assert_marked(&stack);
    let endpoint = stack.endpoints.s3.as_ref().unwrap();
    assert_hidden(&stack, &[endpoint.secret_key.expose()]);
    let mut stranger = endpoint.clone();
    stranger.secret_key = Secret::new("wrong");
    ready::s3(&stranger).await.unwrap_err();

    let prefix = Prefix::new("odgbench-t").unwrap();
    let driver = S3Driver::new(endpoint, S3Options::default(), prefix).unwrap();
    driver.ensure_bucket(BUCKET).await.unwrap();
    driver.ensure_bucket(BUCKET).await.unwrap();
    let large: Vec<u8> =
        (0..(20_u32 << 20) + 7).map(|n| n.wrapping_mul(2_654_435_761) as u8).collect();
    assert_eq!(driver.put(BUCKET, "a/small", b"small"[..].into()).await.unwrap().value, 1);
    assert_eq!(driver.put(BUCKET, "a/large", large.clone().into()).await.unwrap().value, 3);
    assert_eq!(driver.get(BUCKET, "a/small").await.unwrap().value, b"small"[..]);
    assert!(driver.get(BUCKET, "a/large").await.unwrap().value == large);
    assert!(driver.get_start(BUCKET, "a/large", 1 << 20).await.unwrap().value == large[..1 << 20]);
    let listed = driver.list(BUCKET, "a/").await.unwrap().value;
    assert_eq!(listed.iter().map(|o| o.key.as_str()).collect::<Vec<_>>(), ["a/large", "a/small"]);
    assert_eq!(driver.delete_prefix(BUCKET, "a/").await.unwrap(), 2);
    assert_eq!(driver.clean_up().await.unwrap(), [BUCKET]);
    // Garage waits for open connections.
    drop(driver);

    let pids = pids(&stack);
    assert_eq!(stack.stop().await, Vec::<String>::new());
    assert_eq!(alive(&pids), Vec::<i32>::new());
    assert!(is_empty(parent.path()));
}

#[tokio::test(flavor = "multi_thread")]
async fn nisshi_is_marked_and_does_what_the_day_asks_of_kafka() {
    const TOPIC: &str = "odgbench-t.events";
    const GROUP: &str = "odgbench-t";
    const SENT: usize = 50;
    let Some(provider) = installed(Component::Kafka, "nisshi") else { return };
    let parent = parent();
    let stack = start(&provider, &[Component::Kafka], parent.path()).await;
    assert_marked(&stack);
    let endpoint = stack.endpoints.kafka.as_ref().unwrap();
    let prefix = Prefix::new("odgbench-t").unwrap();
    let driver = KafkaDriver::new(endpoint, KafkaOptions::default(), prefix).unwrap();
    let topic = TopicSpec { name: TOPIC.to_owned(), partitions: 3, replication: 1 };
    for _ in 0..2 {
        let topics = driver.prepare(std::slice::from_ref(&topic)).await.unwrap();
        assert_eq!(topics[0].partitions, 3);
    }
    let publisher = driver.publisher(|d: Delivery<usize>| assert!(d.result.is_ok())).unwrap();
    for n in 0..SENT {
        publisher.try_send(TOPIC, &n.to_le_bytes(), b"payload", &[], n).unwrap();
    }
    publisher.flush(PATIENCE).unwrap();
    assert_eq!(driver.lag(GROUP, &[TOPIC]).await.unwrap(), SENT as u64);

    let consumer = driver.consumer(GROUP, &[TOPIC]).unwrap();
    let mut next = [0_i64; 3];
    let deadline = Instant::now() + PATIENCE;
    while next.iter().sum::<i64>() < SENT as i64 {
        assert!(Instant::now() < deadline, "all messages within {PATIENCE:?}, read {next:?}");
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(200)) {
            next[usize::try_from(message.partition()).unwrap()] = message.offset() + 1;
        }
    }
    let offsets: Vec<NextOffset> = (0..)
        .zip(next)
        .map(|(partition, offset)| NextOffset { topic: TOPIC.to_owned(), partition, offset })
        .collect();
    consumer.commit(&offsets).unwrap();
    assert_eq!(driver.lag(GROUP, &[TOPIC]).await.unwrap(), 0);
    drop(consumer);
    assert_eq!(driver.clean_up().await.unwrap(), [TOPIC]);

    let pids = pids(&stack);
    assert_eq!(stack.stop().await, Vec::<String>::new());
    assert_eq!(alive(&pids), Vec::<i32>::new());
    assert!(is_empty(parent.path()));
}
