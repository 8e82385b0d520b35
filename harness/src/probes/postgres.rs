//! PostgreSQL: rows written in one transaction are there for another connection.

use odg_workloads::driver::postgres::{Batch, DatasetRow, PoolSize, PostgresDriver};
use odg_workloads::driver::{DriverError, Prefix};
use odg_workloads::endpoint::PostgresEndpoint;

use super::Answer;

pub(super) const ASKED: &str = "create a schema, commit a row, read it back on another connection";

pub(super) async fn probe(endpoint: &PostgresEndpoint, run: &str) -> Answer {
    let prefix = Prefix::new(format!("odgbench_{run}_probe"))?;
    let writer = PostgresDriver::connect(endpoint, PoolSize { min: 1, max: 1 }, &prefix).await?;
    let asked = ask(endpoint, &prefix, &writer);
    let answer = super::tidied("postgresql", asked, writer.drop_schema()).await;
    writer.close().await;
    answer
}

async fn ask(
    endpoint: &PostgresEndpoint,
    prefix: &Prefix,
    writer: &PostgresDriver,
) -> Result<String, DriverError> {
    writer.prepare().await?;
    let dataset = DatasetRow {
        dataset_id: "probe".into(),
        domain_id: "probe".into(),
        layer: "bronze".into(),
        events: 7,
        bytes: 11,
    };
    writer.register(&Batch { datasets: vec![dataset.clone()], ..Batch::default() }).await?;
    let reader = PostgresDriver::connect(endpoint, PoolSize { min: 1, max: 1 }, prefix).await?;
    let found = reader.lookup_dataset("probe").await;
    reader.close().await;
    super::same(found?.value.as_ref(), Some(&dataset), "postgresql", "read the row back")?;
    Ok(format!("the row, from PostgreSQL {}", writer.version().await?))
}
