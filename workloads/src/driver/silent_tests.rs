//! An endpoint that accepts connections and never answers is given up, by every driver.

use std::time::Duration;

use tokio::net::TcpListener;

use super::kafka::{KafkaDriver, KafkaOptions};
use super::nats::NatsDriver;
use super::postgres::{PoolSize, PostgresDriver};
use super::redis::RedisDriver;
use super::s3::{S3Driver, S3Options};
use super::test_servers::{Authority, prefix, prefix_, s3_endpoint};
use super::{DriverError, ErrorKind};
use crate::endpoint::{
    KafkaEndpoint, NatsEndpoint, NatsLogin, PostgresEndpoint, RedisEndpoint, S3Endpoint, SslMode,
    Tls,
};
use crate::secret::Secret;

/// Accepts, keeps and never answers. Returns its port.
async fn silent() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            kept.push(connection);
        }
    });
    port
}

async fn postgres(port: u16, ssl_mode: SslMode, tls: Tls) -> Result<(), DriverError> {
    let endpoint = PostgresEndpoint {
        host: "127.0.0.1".to_owned(),
        port,
        user: "odg".to_owned(),
        password: Secret::new("x"),
        database: "postgres".to_owned(),
        ssl_mode,
        tls,
    };
    PostgresDriver::connect(&endpoint, PoolSize::default(), &prefix_("p")).await.map(drop)
}

async fn redis(port: u16, tls: Option<Tls>) -> Result<(), DriverError> {
    let (host, password) = ("127.0.0.1".to_owned(), Some(Secret::new("x")));
    let endpoint = RedisEndpoint { host, port, user: None, password, tls };
    RedisDriver::connect(&endpoint, prefix("r")).await.map(drop)
}

async fn nats(port: u16, tls: Option<Tls>) -> Result<(), DriverError> {
    let address = format!("127.0.0.1:{port}");
    let endpoint = NatsEndpoint { address, login: NatsLogin::None, tls };
    NatsDriver::connect(&endpoint, prefix("n")).await.map(drop)
}

async fn kafka(port: u16, tls: Option<Tls>) -> Result<(), DriverError> {
    let bootstrap = format!("127.0.0.1:{port}");
    let endpoint = KafkaEndpoint { bootstrap, admin: true, login: None, tls };
    let driver = KafkaDriver::new(&endpoint, KafkaOptions::default(), prefix("k"))?;
    driver.prepare(&[]).await.map(drop)
}

async fn s3(port: u16, scheme: &str, tls: Tls) -> Result<(), DriverError> {
    let url = format!("{scheme}://127.0.0.1:{port}");
    let endpoint = S3Endpoint { url, tls, ..s3_endpoint(port) };
    let driver = S3Driver::new(&endpoint, S3Options::default(), prefix("s"))?;
    driver.ensure_bucket("odgbench-s").await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_never_answers_is_a_time_out_in_every_driver_with_and_without_tls() {
    let port = silent().await;
    let tls = Authority::new().trusted();
    let some = || Some(tls.clone());
    let answers = async {
        tokio::join!(
            postgres(port, SslMode::Disable, Tls::default()),
            postgres(port, SslMode::VerifyFull, tls.clone()),
            redis(port, None),
            redis(port, some()),
            nats(port, None),
            nats(port, some()),
            kafka(port, None),
            kafka(port, some()),
            s3(port, "http", Tls::default()),
            s3(port, "https", tls.clone()),
        )
    };
    // Twice the longest that a driver may take; without its own bound a driver would wait for ever.
    let answers = tokio::time::timeout(Duration::from_secs(30), answers).await;
    let (a, b, c, d, e, f, g, h, i, j) = answers.expect("every driver gives up");
    for answer in [a, b, c, d, e, f, g, h, i, j] {
        let error = answer.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    }
}
