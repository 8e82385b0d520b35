use std::time::Duration;

use bytes::Bytes;

use super::{NatsDriver, StreamSpec};
use crate::driver::ErrorKind;
use crate::driver::test_proxy::CuttingProxy;
use crate::driver::test_servers::{free_port, nats, prefix};
use crate::endpoint::{NatsEndpoint, NatsLogin};
use crate::secret::Secret;

const STREAM: &str = "odgbench-n";

fn spec(max_bytes: i64) -> StreamSpec {
    StreamSpec { name: STREAM.to_owned(), subjects: vec![format!("{STREAM}.>")], max_bytes }
}

async fn prepared(endpoint: &NatsEndpoint, max_bytes: i64) -> NatsDriver {
    let driver = NatsDriver::connect(endpoint, prefix("n")).await.unwrap();
    driver.prepare(&spec(max_bytes)).await.unwrap();
    driver
}

#[tokio::test]
async fn messages_are_stored_once_per_id_fetched_in_order_and_gone_once_acknowledged() {
    let Some((_server, endpoint)) = nats().await else { return };
    let driver = prepared(&endpoint, 64 << 20).await;
    assert!(driver.version().starts_with(|c: char| c.is_ascii_digit()));
    assert_eq!(driver.ping().await.unwrap().value, 1);
    for n in 0..50_u8 {
        let payload = Bytes::copy_from_slice(&[n]);
        let done = driver.publish("odgbench-n.a", payload, &format!("id-{n}")).await.unwrap();
        assert!(!done.value.duplicate);
    }
    let again = driver.publish("odgbench-n.a", Bytes::from_static(b"x"), "id-7").await.unwrap();
    assert!(again.value.duplicate);
    assert_eq!(driver.stored(STREAM).await.unwrap(), 50);

    let mut consumer = driver.consumer(STREAM, "batcher").await.unwrap();
    let mut payloads = Vec::new();
    while payloads.len() < 50 {
        let batch = consumer.fetch(20, Duration::from_secs(10)).await.unwrap();
        assert!((1..=20).contains(&batch.len()));
        for message in &batch {
            assert_eq!(message.subject(), "odgbench-n.a");
            let (sequence, delivered) = message.delivery().unwrap();
            assert_eq!((sequence, delivered), (payloads.len() as u64 + 1, 1));
            payloads.push(message.payload()[0]);
        }
        consumer.ack_all(&batch).await.unwrap();
    }
    assert_eq!(payloads, (0..50).collect::<Vec<u8>>());
    assert!(consumer.fetch(20, Duration::from_millis(100)).await.unwrap().is_empty());
    assert_eq!(driver.slow_consumer_events(), 0);
    assert_eq!(driver.clean_up().await.unwrap(), [STREAM]);
    assert_eq!(driver.stored(STREAM).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_full_stream_refuses_instead_of_forgetting() {
    let Some((_server, endpoint)) = nats().await else { return };
    let driver = prepared(&endpoint, 4096).await;
    let payload = Bytes::from(vec![0; 1000]);
    let mut stored = 0;
    let error = loop {
        match driver.publish("odgbench-n.a", payload.clone(), &format!("{stored}")).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
    assert_eq!(driver.stored(STREAM).await.unwrap(), stored);
}

#[tokio::test]
async fn a_cut_connection_loses_and_doubles_nothing() {
    let Some((server, mut endpoint)) = nats().await else { return };
    let proxy = CuttingProxy::to(server.port).await;
    endpoint.address = format!("127.0.0.1:{}", proxy.port);
    let driver = prepared(&endpoint, 64 << 20).await;
    for n in 0..10 {
        proxy.cut().await;
        proxy.close_next(n % 2);
        driver.publish("odgbench-n.a", Bytes::new(), &format!("{n}")).await.unwrap();
    }
    assert!(driver.disconnects() > 0);
    assert_eq!(driver.stored(STREAM).await.unwrap(), 10);
}

#[tokio::test]
async fn a_wrong_password_a_closed_port_and_a_missing_stream_are_told_apart() {
    let Some((_server, mut endpoint)) = nats().await else { return };
    let driver = NatsDriver::connect(&endpoint, prefix("n")).await.unwrap();
    let missing = driver.publish("odgbench-n.a", Bytes::new(), "1").await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound, "{missing}");
    let foreign = StreamSpec { name: "GOVERNANCE".to_owned(), ..spec(1) };
    assert_eq!(driver.prepare(&foreign).await.unwrap_err().kind(), ErrorKind::Refused);
    endpoint.login = NatsLogin::Password { user: "odg".to_owned(), password: Secret::new("wrong") };
    let refused = NatsDriver::connect(&endpoint, prefix("n")).await.map(drop).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Refused, "{refused}");
    endpoint.address = format!("127.0.0.1:{}", free_port());
    let closed = NatsDriver::connect(&endpoint, prefix("n")).await.map(drop).unwrap_err();
    assert_eq!(closed.kind(), ErrorKind::Connection, "{closed}");
}

#[test]
fn every_operation_can_run_as_a_task() {
    fn sendable<T: Send>(_: impl FnOnce(NatsDriver) -> T) {}
    sendable(|driver| async move { driver.publish("s", Bytes::new(), "1").await.map(drop) });
    sendable(|driver| async move {
        let mut consumer = driver.consumer("s", "d").await?;
        let batch = consumer.fetch(1, Duration::ZERO).await?;
        consumer.ack_all(&batch).await
    });
    sendable(|driver| async move { driver.prepare(&spec(1)).await });
    sendable(|driver| async move { driver.clean_up().await.map(drop) });
}
