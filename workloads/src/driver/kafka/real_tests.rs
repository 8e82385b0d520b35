//! What only a real broker can show: the admin API, and that clean-up spares other people's topics.

use std::time::{Duration, Instant};

use super::{Delivery, KafkaDriver, KafkaOptions, NextOffset, TopicSpec};
use crate::driver::ErrorKind;
use crate::driver::test_servers::{kafka, prefix};
use crate::secret::Secret;

fn spec(name: &str, partitions: i32) -> TopicSpec {
    TopicSpec { name: name.to_owned(), partitions, replication: 1 }
}

#[tokio::test]
async fn topics_are_made_as_asked_used_and_only_this_runs_are_deleted() {
    let Some((_server, endpoint)) = kafka().await else { return };
    let open = |run| KafkaDriver::new(&endpoint, KafkaOptions::default(), prefix(run)).unwrap();
    let (driver, other) = (open("t"), open("t2"));
    let topic = "odgbench-t.events";
    for _ in 0..2 {
        let topics = driver.prepare(&[spec(topic, 3), spec("odgbench-t.more", 1)]).await.unwrap();
        assert_eq!((topics[0].partitions, topics[1].partitions), (3, 1));
    }
    let fewer = driver.prepare(&[spec(topic, 2)]).await.unwrap_err();
    assert_eq!(fewer.kind(), ErrorKind::Conflict);
    let copies = TopicSpec { replication: 3, ..spec("odgbench-t.copies", 1) };
    let copies = driver.prepare(&[copies]).await.unwrap_err();
    assert_eq!(copies.kind(), ErrorKind::Refused, "{copies}");
    other.prepare(&[spec("odgbench-t2.theirs", 1)]).await.unwrap();
    driver.probe(topic).await.unwrap();
    assert!(driver.version().await.unwrap().starts_with(|c: char| c.is_ascii_digit()));

    let publisher = driver.publisher(|d: Delivery<usize>| assert!(d.result.is_ok())).unwrap();
    for n in 0..50_usize {
        publisher.try_send(topic, &n.to_le_bytes(), b"payload", &[], n).unwrap();
    }
    publisher.flush(Duration::from_secs(30)).unwrap();
    assert_eq!(driver.lag("odgbench-t", &[topic]).await.unwrap(), 51);
    let consumer = driver.consumer("odgbench-t", &[topic]).unwrap();
    let mut next = [0_i64; 3];
    let deadline = Instant::now() + Duration::from_secs(30);
    while next.iter().sum::<i64>() < 51 && Instant::now() < deadline {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(200)) {
            next[message.partition() as usize] = message.offset() + 1;
        }
    }
    let offsets: Vec<NextOffset> = (0..3)
        .map(|p| NextOffset { topic: topic.to_owned(), partition: p, offset: next[p as usize] })
        .collect();
    consumer.commit(&offsets).unwrap();
    assert_eq!(driver.lag("odgbench-t", &[topic]).await.unwrap(), 0);
    drop(consumer);

    let mut deleted = driver.clean_up().await.unwrap();
    deleted.sort_unstable();
    assert_eq!(deleted, ["odgbench-t.events", "odgbench-t.more"]);
    assert_eq!(other.clean_up().await.unwrap(), ["odgbench-t2.theirs"]);
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let Some((_server, mut endpoint)) = kafka().await else { return };
    endpoint.login.as_mut().unwrap().password = Secret::new("wrong");
    let stranger = KafkaDriver::new(&endpoint, KafkaOptions::default(), prefix("t")).unwrap();
    assert!(stranger.ping().await.is_err());
    endpoint.login = None;
    let nobody = KafkaDriver::new(&endpoint, KafkaOptions::default(), prefix("t")).unwrap();
    assert!(nobody.ping().await.is_err());
}
