//! Real readiness: a component is ready when it has answered a real request, not when its port is open.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use odg_workloads::driver::kafka::{KafkaDriver, KafkaOptions};
use odg_workloads::driver::nats::NatsDriver;
use odg_workloads::driver::postgres::{PoolSize, PostgresDriver};
use odg_workloads::driver::redis::RedisDriver;
use odg_workloads::driver::s3::{S3Driver, S3Options};
use odg_workloads::driver::{DriverError, Prefix};
use odg_workloads::endpoint::{
    KafkaEndpoint, NatsEndpoint, PostgresEndpoint, RedisEndpoint, S3Endpoint,
};
use tokio::net::TcpStream;

const PAUSE: Duration = Duration::from_millis(20);
/// How long one attempt may take: a server that hangs must not hide that it then died.
const ATTEMPT: Duration = Duration::from_secs(10);

/// Why a server did not become ready.
#[derive(Debug)]
pub(in crate::provider) enum NotReady {
    /// It ended, with this status.
    Ended(String),
    /// It did not answer in time; the last attempt said this.
    Silent(String),
}

/// Asks until the first answer. The port is tried first, so that client libraries need not be asked to
/// connect to nothing, which most of them log and answer with growing pauses.
///
/// # Errors
/// The server has ended, or the time is over.
pub(in crate::provider) async fn wait<T, F>(
    port: u16,
    timeout: Duration,
    mut ended: impl FnMut() -> Option<String>,
    mut ask: impl FnMut() -> F,
) -> Result<T, NotReady>
where
    F: Future<Output = Result<T, DriverError>>,
{
    let deadline = Instant::now() + timeout;
    let mut last = "its port is not open".to_owned();
    loop {
        if let Some(status) = ended() {
            return Err(NotReady::Ended(status));
        }
        if Instant::now() >= deadline {
            return Err(NotReady::Silent(last));
        }
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok() {
            match tokio::time::timeout(ATTEMPT, ask()).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => last = error.to_string(),
                Err(_) => last = format!("no answer within {} s", ATTEMPT.as_secs()),
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn prefix() -> Result<Prefix, DriverError> {
    Prefix::new("odgbench-ready")
}

/// PostgreSQL: a query. Returns the server's version.
pub(in crate::provider) async fn postgres(
    endpoint: &PostgresEndpoint,
) -> Result<String, DriverError> {
    let size = PoolSize { min: 0, max: 1 };
    let driver = PostgresDriver::connect(endpoint, size, &Prefix::new("odgbench_ready")?).await?;
    driver.ping().await?;
    driver.version().await
}

/// Redis: an authenticated PING. Returns the server's version.
pub(in crate::provider) async fn redis(endpoint: &RedisEndpoint) -> Result<String, DriverError> {
    let driver = RedisDriver::connect(endpoint, prefix()?).await?;
    driver.ping().await?;
    driver.version().await
}

/// NATS: a request to JetStream. Returns the server's version.
pub(in crate::provider) async fn nats(endpoint: &NatsEndpoint) -> Result<String, DriverError> {
    let driver = NatsDriver::connect(endpoint, prefix()?).await?;
    driver.ping().await?;
    Ok(driver.version())
}

/// Kafka: the cluster's metadata, with a broker in it.
pub(in crate::provider) async fn kafka(endpoint: &KafkaEndpoint) -> Result<(), DriverError> {
    KafkaDriver::new(endpoint, KafkaOptions::default(), prefix()?)?.ping().await?;
    Ok(())
}

/// S3: a signed listing of the buckets.
pub(in crate::provider) async fn s3(endpoint: &S3Endpoint) -> Result<(), DriverError> {
    S3Driver::new(endpoint, S3Options::default(), prefix()?)?.ping().await?;
    Ok(())
}
