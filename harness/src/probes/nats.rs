//! NATS: JetStream stores a message, keeps one per id, and delivers it.

use std::time::Duration;

use bytes::Bytes;
use odg_workloads::driver::nats::{NatsDriver, StreamSpec};
use odg_workloads::endpoint::NatsEndpoint;

use super::{Answer, prefix, same, tidied};

pub(super) const ASKED: &str = "store a message in a stream twice under one id, consume it once";

pub(super) async fn probe(endpoint: &NatsEndpoint, run: &str) -> Answer {
    let prefix = prefix(run)?;
    let nats = NatsDriver::connect(endpoint, prefix.clone()).await?;
    tidied("nats", ask(&nats, prefix.as_str()), nats.clean_up()).await
}

async fn ask(nats: &NatsDriver, prefix: &str) -> Answer {
    let stream = format!("{}-stream", prefix);
    let subject = format!("{}.subject", prefix);
    let spec =
        StreamSpec { name: stream.clone(), subjects: vec![subject.clone()], max_bytes: 1 << 20 };
    nats.prepare(&spec).await?;
    let body = Bytes::from_static(b"forty-two");
    let first = nats.publish(&subject, body.clone(), "1").await?.value;
    let second = nats.publish(&subject, body.clone(), "1").await?.value;
    same((first.duplicate, second.duplicate), (false, true), "nats", "publish twice under one id")?;
    let mut consumer = nats.consumer(&stream, "probe").await?;
    let messages = consumer.fetch(2, Duration::from_secs(5)).await?;
    same(messages.len(), 1, "nats", "count the messages delivered")?;
    same(messages.first().map(|m| m.payload()), Some(&body), "nats", "compare the message")?;
    consumer.ack_all(&messages).await?;
    Ok(format!("one message, from NATS {}", nats.version()))
}
