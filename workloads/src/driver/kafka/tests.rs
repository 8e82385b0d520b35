use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use super::{
    Delivery, KafkaDriver, KafkaOptions, NextOffset, SendError, TopicSpec, kafka_error,
    producer::KafkaPublisher,
};
use crate::driver::ErrorKind;
use crate::driver::test_servers::{free_port, prefix};
use crate::endpoint::KafkaEndpoint;

const TOPIC: &str = "odgbench-t.events";

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn cluster() -> (Cluster, KafkaDriver) {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 3, 1).unwrap();
    let endpoint = KafkaEndpoint {
        bootstrap: cluster.bootstrap_servers(),
        admin: false,
        login: None,
        tls: None,
    };
    let driver = KafkaDriver::new(&endpoint, KafkaOptions::default(), prefix("t")).unwrap();
    (cluster, driver)
}

fn spec(name: &str) -> TopicSpec {
    TopicSpec { name: name.to_owned(), partitions: 3, replication: 1 }
}

type Deliveries = Arc<Mutex<Vec<Delivery<usize>>>>;

fn collecting(driver: &KafkaDriver) -> (KafkaPublisher<usize>, Deliveries) {
    let deliveries = Deliveries::default();
    let sink = Arc::clone(&deliveries);
    let publisher = driver.publisher(move |delivery| sink.lock().unwrap().push(delivery)).unwrap();
    (publisher, deliveries)
}

#[tokio::test]
async fn topics_are_ready_with_a_leader_for_every_partition() {
    let (_cluster, driver) = cluster();
    let topics = driver.prepare(&[spec(TOPIC), spec("odgbench-t.made")]).await.unwrap();
    assert_eq!(topics[0].partitions, 3);
    assert!(topics[1].partitions > 0);
    assert_eq!(driver.ping().await.unwrap(), 1);
    assert!(driver.version().await.unwrap().starts_with("librdkafka"));
    assert!(driver.clean_up().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_foreign_topic_is_never_created() {
    let (_cluster, driver) = cluster();
    let error = driver.prepare(&[spec("odg.audit.events")]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
}

#[tokio::test]
async fn a_probe_message_comes_back() {
    let (_cluster, driver) = cluster();
    driver.probe(TOPIC).await.unwrap();
}

#[tokio::test]
async fn every_message_is_delivered_read_and_committed_and_the_group_goes_on_after_it() {
    let (_cluster, driver) = cluster();
    let (publisher, deliveries) = collecting(&driver);
    for token in 0..100_usize {
        let (key, payload) = ([token as u8 % 7], token.to_le_bytes());
        publisher.try_send(TOPIC, &key, &payload, &[("kind", b"test")], token).unwrap();
    }
    publisher.flush(Duration::from_secs(20)).unwrap();
    assert_eq!(publisher.in_flight(), 0);
    let mut tokens: Vec<usize> = deliveries.lock().unwrap().iter().map(|d| d.token).collect();
    tokens.sort_unstable();
    assert_eq!(tokens, (0..100).collect::<Vec<_>>());
    assert!(deliveries.lock().unwrap().iter().all(|d| d.result.is_ok()));
    assert_eq!(driver.lag("g", &[TOPIC]).await.unwrap(), 100);

    let consumer = driver.consumer("g", &[TOPIC]).unwrap();
    let mut read = Vec::new();
    let mut next = [0_i64; 3];
    let deadline = Instant::now() + Duration::from_secs(30);
    while read.len() < 100 && Instant::now() < deadline {
        let Some(polled) = consumer.poll(Duration::from_millis(200)) else { continue };
        let message = polled.unwrap();
        assert_eq!(message.topic(), TOPIC);
        assert!(message.timestamp_ms().is_some());
        let token = usize::from_le_bytes(message.payload().try_into().unwrap());
        assert_eq!(message.key(), [token as u8 % 7]);
        next[message.partition() as usize] = message.offset() + 1;
        read.push(token);
    }
    read.sort_unstable();
    assert_eq!(read, tokens);
    assert_eq!(consumer.assigned().unwrap(), 3);
    let offsets: Vec<NextOffset> = next
        .iter()
        .zip(0..)
        .map(|(&offset, partition)| NextOffset { topic: TOPIC.to_owned(), partition, offset })
        .collect();
    consumer.commit(&offsets).unwrap();
    assert_eq!(driver.lag("g", &[TOPIC]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_full_queue_hands_the_token_back_instead_of_blocking() {
    let cluster = MockCluster::new(1).unwrap();
    let endpoint = KafkaEndpoint {
        bootstrap: cluster.bootstrap_servers(),
        admin: false,
        login: None,
        tls: None,
    };
    let options = KafkaOptions {
        queue_messages: 5,
        linger: Duration::from_secs(30),
        ..KafkaOptions::default()
    };
    let driver = KafkaDriver::new(&endpoint, options, prefix("t")).unwrap();
    let (publisher, _) = collecting(&driver);
    let mut refused = None;
    for token in 0..20_usize {
        match publisher.try_send(TOPIC, b"k", b"v", &[], token) {
            Ok(()) => {}
            Err(SendError::Full(token)) => {
                refused = Some(token);
                break;
            }
            Err(SendError::Failed(_, error)) => panic!("{error}"),
        }
    }
    assert_eq!(refused, Some(5));
}

#[tokio::test]
async fn a_broken_connection_is_counted_and_nothing_is_lost_or_doubled() {
    let (cluster, driver) = cluster();
    let (publisher, deliveries) = collecting(&driver);
    publisher.try_send(TOPIC, b"k", b"before", &[], 0).unwrap();
    publisher.flush(Duration::from_secs(20)).unwrap();
    cluster.broker_down(-1).unwrap();
    publisher.try_send(TOPIC, b"k", b"after", &[], 1).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while driver.connection_failures() == 0 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    cluster.broker_up(-1).unwrap();
    publisher.flush(Duration::from_secs(30)).unwrap();
    assert!(driver.connection_failures() > 0);
    let deliveries = deliveries.lock().unwrap();
    let partitions: Vec<(i32, i64)> =
        deliveries.iter().map(|d| *d.result.as_ref().unwrap()).collect();
    assert_eq!(partitions, [(partitions[0].0, 0), (partitions[0].0, 1)]);
}

#[tokio::test]
async fn a_cluster_that_is_not_there_is_a_connection_error() {
    let bootstrap = format!("127.0.0.1:{}", free_port());
    let endpoint = KafkaEndpoint { bootstrap, admin: true, login: None, tls: None };
    let driver = KafkaDriver::new(&endpoint, KafkaOptions::default(), prefix("t")).unwrap();
    assert_eq!(driver.ping().await.unwrap_err().kind(), ErrorKind::Connection);
    assert!(driver.connection_failures() > 0);
}

#[test]
fn error_codes_are_counted_under_the_kind_that_says_what_to_do() {
    use rdkafka::error::KafkaError;
    use rdkafka::types::RDKafkaErrorCode as Code;
    for (error, kind) in [
        (KafkaError::MessageProduction(Code::QueueFull), ErrorKind::Full),
        (KafkaError::MessageProduction(Code::MessageTimedOut), ErrorKind::Timeout),
        (KafkaError::AdminOp(Code::ClusterAuthorizationFailed), ErrorKind::Refused),
        (KafkaError::MetadataFetch(Code::BrokerTransportFailure), ErrorKind::Connection),
        (KafkaError::ConsumerCommit(Code::IllegalGeneration), ErrorKind::Conflict),
        (KafkaError::Canceled, ErrorKind::Cancelled),
    ] {
        assert_eq!(kafka_error("x", &error).kind(), kind, "{error}");
    }
}

#[test]
fn every_operation_can_run_as_a_task() {
    fn sendable<T: Send>(_: impl FnOnce(Arc<KafkaDriver>) -> T) {}
    sendable(|driver| async move { driver.prepare(&[]).await.map(drop) });
    sendable(|driver| async move { driver.probe("t").await });
    sendable(|driver| async move { driver.lag("g", &["t"]).await.map(drop) });
    sendable(|driver| async move { driver.version().await.map(drop) });
    sendable(|driver| async move { driver.clean_up().await.map(drop) });
}
