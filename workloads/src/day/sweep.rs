//! Removes what a run created in a stack that stays, whatever became of the run.

use std::future::Future;
use std::time::Duration;

use futures::future::join_all;

use crate::driver::kafka::{KafkaDriver, KafkaOptions};
use crate::driver::nats::NatsDriver;
use crate::driver::postgres::{PoolSize, PostgresDriver};
use crate::driver::redis::RedisDriver;
use crate::driver::s3::{S3Driver, S3Options};
use crate::driver::{DriverError, Prefix};
use crate::endpoint::{Endpoints, PostgresEndpoint};

use super::names::Names;

/// Longest that one component may take. A large bucket is emptied at some thousand objects a second.
const SWEEP_WITHIN: Duration = Duration::from_secs(120);

/// Removes everything that carries the names of the run `run`, of its probes too, on every component that has
/// an endpoint, with connections of its own. Answers what could not be removed.
pub async fn sweep(endpoints: &Endpoints, run: &str) -> Vec<DriverError> {
    let names = match Names::new(run) {
        Ok(names) => names,
        Err(error) => return vec![error],
    };
    let prefix = || names.prefix.clone();
    let postgres = async {
        match &endpoints.postgres {
            Some(postgres) => bounded("postgresql", &names, schemas(postgres, run)).await,
            None => Ok(()),
        }
    };
    let redis = async {
        let Some(redis) = &endpoints.redis else { return Ok(()) };
        let work = async {
            let redis = RedisDriver::connect(redis, prefix()).await?;
            redis.delete_prefix(names.prefix.as_str()).await.map(drop)
        };
        bounded("redis", &names, work).await
    };
    let nats = async {
        let Some(nats) = &endpoints.nats else { return Ok(()) };
        let work = async { NatsDriver::connect(nats, prefix()).await?.clean_up().await.map(drop) };
        bounded("nats", &names, work).await
    };
    let kafka = async {
        let Some(kafka) = &endpoints.kafka else { return Ok(()) };
        let work = async {
            let kafka = KafkaDriver::new(kafka, KafkaOptions::default(), prefix())?;
            kafka.clean_up().await?;
            kafka.delete_groups().await.map(drop)
        };
        bounded("kafka", &names, work).await
    };
    let s3 = async {
        let Some(s3) = &endpoints.s3 else { return Ok(()) };
        let work =
            async { S3Driver::new(s3, S3Options::default(), prefix())?.clean_up().await.map(drop) };
        bounded("minio", &names, work).await
    };
    let (postgres, redis, nats, kafka, s3) = tokio::join!(postgres, redis, nats, kafka, s3);
    [postgres, redis, nats, kafka, s3].into_iter().filter_map(Result::err).collect()
}

/// The run's schema and its probe's.
async fn schemas(endpoint: &PostgresEndpoint, run: &str) -> Result<(), DriverError> {
    let drops = ["", "_probe"].map(|tail| async move {
        let prefix = Prefix::new(format!("odgbench_{run}{tail}"))?;
        let size = PoolSize { min: 0, max: 1 };
        let postgres = PostgresDriver::connect(endpoint, size, &prefix).await?;
        let dropped = postgres.drop_schema().await;
        postgres.close().await;
        dropped
    });
    join_all(drops).await.into_iter().collect()
}

/// An error names what is left.
async fn bounded(
    component: &'static str,
    names: &Names,
    work: impl Future<Output = Result<(), DriverError>>,
) -> Result<(), DriverError> {
    match tokio::time::timeout(SWEEP_WITHIN, work).await {
        Ok(result) => result,
        Err(_) => {
            let operation = format!("remove what is named {}…", names.prefix.as_str());
            Err(DriverError::timeout(component, operation, SWEEP_WITHIN))
        }
    }
}
