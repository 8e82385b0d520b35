//! Encrypted connections to a real broker, and what is said where one cannot be had.

use super::{KafkaDriver, KafkaOptions, TopicSpec};
use crate::driver::test_servers::{Authority, kafka_tls, prefix, refusal};
use crate::driver::{DriverError, ErrorKind};
use crate::endpoint::{KafkaEndpoint, SaslMechanism};
use crate::secret::Secret;

fn open(endpoint: &KafkaEndpoint) -> Result<KafkaDriver, DriverError> {
    KafkaDriver::new(endpoint, KafkaOptions::default(), prefix("t"))
}

async fn refused(endpoint: &KafkaEndpoint) -> (ErrorKind, String) {
    refusal(open(endpoint).unwrap().ping().await)
}

#[tokio::test]
async fn every_way_of_logging_in_carries_messages_and_each_mismatch_is_named() {
    let authority = Authority::new();
    let Some((_server, at)) = kafka_tls(&authority).await else { return };
    let mut scram_256 = at.scram.clone();
    scram_256.login.as_mut().unwrap().mechanism = SaslMechanism::ScramSha256;
    for (name, endpoint) in
        [("a", &at.scram), ("b", &scram_256), ("c", &at.plain), ("d", &at.certificate)]
    {
        let driver = open(endpoint).unwrap();
        let topic = format!("odgbench-t.{name}");
        let spec = TopicSpec { name: topic.clone(), partitions: 1, replication: 1 };
        driver.prepare(&[spec]).await.unwrap();
        driver.probe(&topic).await.unwrap();
        assert_eq!(driver.lag("odgbench-t", &[&topic]).await.unwrap(), 1);
        assert_eq!(driver.clean_up().await.unwrap(), [topic]);
    }

    let with = |endpoint: &KafkaEndpoint, change: &dyn Fn(&mut KafkaEndpoint)| {
        let mut endpoint = endpoint.clone();
        change(&mut endpoint);
        endpoint
    };
    let wrong = |e: &mut KafkaEndpoint| {
        e.login.as_mut().unwrap().password = Secret::new("canary-wrong");
    };
    let stranger = |e: &mut KafkaEndpoint| e.tls = Some(Authority::new().trusted());
    let localhost = |e: &mut KafkaEndpoint| {
        e.bootstrap = e.bootstrap.replace("127.0.0.1", "localhost");
    };
    let nobody = |e: &mut KafkaEndpoint| e.tls = Some(authority.trusted());
    let without = |e: &mut KafkaEndpoint| e.tls = None;
    let scram = |e: &mut KafkaEndpoint| {
        e.login.as_mut().unwrap().mechanism = SaslMechanism::ScramSha512;
    };
    let cases = [
        (with(&at.scram, &wrong), ErrorKind::Refused, "password"),
        (with(&at.plain, &wrong), ErrorKind::Refused, "password"),
        (with(&at.plain, &scram), ErrorKind::Refused, "mechanism"),
        (with(&at.plain, &stranger), ErrorKind::Certificate, "not trusted"),
        (with(&at.scram, &localhost), ErrorKind::Certificate, "for another host"),
        (at.expired.clone(), ErrorKind::Certificate, "has expired"),
        (with(&at.certificate, &nobody), ErrorKind::Certificate, "client certificate"),
        (with(&at.open, &nobody), ErrorKind::Protocol, "switch TLS off"),
        (with(&at.plain, &without), ErrorKind::Connection, "switch TLS on"),
        (with(&at.certificate, &without), ErrorKind::Connection, "switch TLS on"),
    ];
    let answers = cases.iter().map(|(endpoint, ..)| refused(endpoint));
    let answers = futures::future::join_all(answers).await;
    let found: Vec<String> = answers.iter().map(|(kind, text)| format!("{kind}: {text}")).collect();
    for ((_, kind, words), (found_kind, text)) in cases.iter().zip(&answers) {
        // A broker that was sent what it does not speak may answer, or only hang up.
        let hang_up = *kind == ErrorKind::Protocol && *found_kind == ErrorKind::Connection;
        assert!(found_kind == kind || hang_up, "{text}\nall: {found:#?}");
        assert!(text.contains(words), "{words:?} not in {text}\nall: {found:#?}");
    }
}

#[test]
fn certificates_that_cannot_be_read_are_refused_before_anything_is_sent() {
    let tls = crate::endpoint::Tls { ca_pem: Some("no".to_owned()), identity: None };
    let bootstrap = "127.0.0.1:9092".to_owned();
    let endpoint = KafkaEndpoint { bootstrap, admin: true, login: None, tls: Some(tls) };
    let (kind, text) = refusal(open(&endpoint));
    assert_eq!(kind, ErrorKind::Certificate);
    assert!(text.contains("not a PEM certificate"), "{text}");
}
