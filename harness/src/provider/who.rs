//! Who answers: product and version as a server tells them by its own protocol, whatever started it.

use std::future::Future;
use std::time::Duration;

use odg_reports::record::Fidelity;
use odg_workloads::driver::kafka::{KafkaDriver, KafkaOptions};
use odg_workloads::driver::nats::NatsDriver;
use odg_workloads::driver::postgres::{PoolSize, PostgresDriver};
use odg_workloads::driver::redis::RedisDriver;
use odg_workloads::driver::s3::{S3Driver, S3Options};
use odg_workloads::driver::{DriverError, Prefix};
use odg_workloads::endpoint::{
    KafkaEndpoint, NatsEndpoint, PostgresEndpoint, RedisEndpoint, S3Endpoint,
};

use super::answer::Answer;

/// Longest that a version is waited for which need not come.
const VERSION_WITHIN: Duration = Duration::from_secs(3);

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::provider) struct Who {
    /// Product, for people.
    pub name: String,
    /// Version; `None` where it does not say.
    pub version: Option<String>,
    /// Real where it calls itself the component's own product, or its protocol names none.
    pub fidelity: Fidelity,
    /// What a reader must know.
    pub note: Option<String>,
}

impl Who {
    /// A server that calls itself `name` where `expected` was promised.
    fn called(name: &str, expected: &str, version: Option<String>) -> Self {
        let real = name.eq_ignore_ascii_case(expected);
        Self {
            name: if real { expected.to_owned() } else { name.to_owned() },
            version,
            fidelity: if real { Fidelity::Real } else { Fidelity::Compatible },
            note: (!real).then(|| format!("it does not call itself {expected}")),
        }
    }
}

/// Nothing is created under it.
fn prefix() -> Result<Prefix, DriverError> {
    Prefix::new("odgbench-asks")
}

/// Asks a real question, and who it is that answers it.
///
/// # Errors
/// No answer, or a refusal.
pub(in crate::provider) async fn ask(answer: &Answer) -> Result<Who, DriverError> {
    match answer {
        Answer::Postgres(at) => postgres(at).await,
        Answer::Redis(at) => redis(at).await,
        Answer::Nats(at) => nats(at).await,
        Answer::Kafka(at) => kafka(at).await,
        Answer::S3(at) => s3(at).await,
    }
}

/// The answer to a question that nothing depends on, if it comes in time.
async fn within<T>(
    limit: Duration,
    asked: impl Future<Output = Result<T, DriverError>>,
) -> Option<T> {
    tokio::time::timeout(limit, asked).await.ok().and_then(Result::ok)
}

/// PostgreSQL: `version()` names the product.
pub(in crate::provider) async fn postgres(at: &PostgresEndpoint) -> Result<Who, DriverError> {
    let size = PoolSize { min: 0, max: 1 };
    let postgres = PostgresDriver::connect(at, size, &Prefix::new("odgbench_asks")?).await?;
    let (product, version) = (postgres.product().await, postgres.version().await);
    postgres.close().await;
    Ok(Who::called(&product?, "PostgreSQL", Some(version?)))
}

/// Redis: `INFO` names those that took its place.
pub(in crate::provider) async fn redis(at: &RedisEndpoint) -> Result<Who, DriverError> {
    let redis = RedisDriver::connect(at, prefix()?).await?;
    redis.ping().await?;
    // An ACL may keep INFO from this user.
    Ok(match redis.product().await {
        Ok((product, version)) => Who::called(product, "Redis", Some(version)),
        Err(_) => Who {
            note: Some("it did not say what it is: INFO was refused".to_owned()),
            ..Who::called("Redis", "Redis", None)
        },
    })
}

/// NATS: the server greets with its version. The request goes to JetStream.
pub(in crate::provider) async fn nats(at: &NatsEndpoint) -> Result<Who, DriverError> {
    let nats = NatsDriver::connect(at, prefix()?).await?;
    nats.ping().await?;
    Ok(Who {
        note: Some("the protocol does not say whose product answers".to_owned()),
        ..Who::called("NATS", "NATS", Some(nats.version()))
    })
}

/// Kafka: the protocol has a version and no product.
pub(in crate::provider) async fn kafka(at: &KafkaEndpoint) -> Result<Who, DriverError> {
    let kafka = KafkaDriver::new(at, KafkaOptions::default(), prefix()?)?;
    let brokers = kafka.ping().await?;
    // An ACL may keep the brokers' settings from this user, and a broker that hangs has answered the ping already.
    let version = within(VERSION_WITHIN, kafka.version()).await;
    let mut who = Who::called("Apache Kafka", "Apache Kafka", version);
    let brokers = if brokers == 1 { "1 broker".to_owned() } else { format!("{brokers} brokers") };
    who.note = Some(format!("{brokers}; the protocol does not say whose product answers"));
    Ok(who)
}

/// S3: the `Server` header names the product; there is no question for a version.
pub(in crate::provider) async fn s3(at: &S3Endpoint) -> Result<Who, DriverError> {
    let s3 = S3Driver::new(at, S3Options::default(), prefix()?)?;
    let server = s3.version().await?;
    let product = server.split(['/', ' ']).next().unwrap_or(&server);
    let minio = product.eq_ignore_ascii_case("minio");
    Ok(Who::called(if minio { "MinIO" } else { &server }, "MinIO", None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_question_that_nothing_depends_on_neither_fails_nor_holds_up() {
        let limit = Duration::from_millis(20);
        assert_eq!(within(limit, async { Ok(1) }).await, Some(1));
        let refused = DriverError::wrong_answer("kafka", "version", "none");
        assert_eq!(within(limit, async { Err::<u8, _>(refused) }).await, None);
        assert_eq!(within(limit, std::future::pending::<Result<u8, _>>()).await, None);
    }

    #[test]
    fn another_product_is_compatible_and_keeps_its_own_name() {
        let real = Who::called("minio", "MinIO", None);
        assert_eq!((real.name.as_str(), real.fidelity), ("MinIO", Fidelity::Real));
        let other = Who::called("Valkey", "Redis", Some("8.0".to_owned()));
        assert_eq!((other.name.as_str(), other.fidelity), ("Valkey", Fidelity::Compatible));
        assert_eq!(other.note.as_deref(), Some("it does not call itself Redis"));
    }
}
