//! PostgreSQL, through sqlx: where batches become visible.

mod classify;
mod connect;
mod leftovers;
mod platform_chain;
mod register;
mod rows;
mod schema;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;

use std::future::Future;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgPoolOptions, PgRow};
use sqlx::query::Query;
use sqlx::types::Uuid;
use sqlx::types::time::OffsetDateTime;
use sqlx::{AssertSqlSafe, Connection, PgPool, Postgres, Row};

pub use connect::obeyed_variable;
pub use platform_chain::PlatformChain;
pub use rows::{
    Batch, Counts, DatasetRow, DecisionRow, LayerCount, LineageRow, ObjectRow, QualityRow,
    Registered,
};

use super::retry::with_retries;
use super::{Done, DriverError, ErrorKind, Prefix};
use crate::audit::{AuditEvent, Draft};
use crate::endpoint::PostgresEndpoint;
use classify::{SYSTEM, pg_error};
use register::{micros_of, time_of};

/// Time to wait for a free connection: the platform's own.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for one attempt at one operation, kept here, for a server that hangs and keeps nothing.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(40);
/// Idle connections are closed after this long.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

/// Size of the connection pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSize {
    /// Connections kept open.
    pub min: u32,
    /// Most connections.
    pub max: u32,
}

impl Default for PoolSize {
    /// What one process of the platform may open: 10 kept, 30 at most.
    fn default() -> Self {
        Self { min: 10, max: 30 }
    }
}

/// A PostgreSQL database, seen through the run's own schema.
#[derive(Clone)]
pub struct PostgresDriver {
    pool: PgPool,
    schema: String,
    max_connections: u32,
}

impl PostgresDriver {
    /// Connects. Every connection has the run's schema (the prefix itself, e.g. `odgbench_7f3a`) as its
    /// only search path.
    ///
    /// # Errors
    /// A prefix with `-`; [`ErrorKind::Connection`] where nothing answers, [`ErrorKind::Refused`] on a
    /// wrong password, [`ErrorKind::Certificate`] for a certificate that is not accepted.
    pub async fn connect(
        endpoint: &PostgresEndpoint,
        size: PoolSize,
        prefix: &Prefix,
    ) -> Result<Self, DriverError> {
        let operation = format!("connect to {}:{}", endpoint.host, endpoint.port);
        let schema = prefix.as_str().to_owned();
        if schema.contains('-') {
            let reason = "use _ in a schema's prefix, not -";
            return Err(DriverError::new(ErrorKind::Refused, SYSTEM, schema, reason));
        }
        let options = connect::options(endpoint, &schema, &operation)?;
        connect::try_once(&options, &operation).await?;
        let pool = PgPoolOptions::new()
            .min_connections(size.min)
            .max_connections(size.max.max(1))
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .idle_timeout(IDLE_TIMEOUT)
            // A ping per operation would be measured as part of it; dead connections are retried instead.
            .test_before_acquire(false)
            .connect_lazy_with(options);
        Ok(Self { pool, schema, max_connections: size.max.max(1) })
    }

    /// Creates the run's schema, the platform's tables and the register of objects.
    ///
    /// # Errors
    /// Where the role may not create a schema; anything else as classified.
    pub async fn prepare(&self) -> Result<(), DriverError> {
        let create = format!("CREATE SCHEMA IF NOT EXISTS \"{}\"; {}", self.schema, schema::CREATE);
        sqlx::raw_sql(AssertSqlSafe(create))
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(|e| pg_error(&format!("create schema {}", self.schema), &e))
    }

    /// Writes all rows of the batch in one transaction, or none. A batch with an object can be
    /// registered again without doing it twice, so one whose answer got lost is retried.
    ///
    /// # Errors
    /// As classified; nothing has been written then, unless the batch has no object and the connection
    /// broke during the commit.
    pub async fn register(&self, batch: &Batch) -> Result<Done<Registered>, DriverError> {
        with_retries(|n| {
            attempt("register batch", async move {
                let mut connection = self.acquire(n, "register batch").await?;
                let mut transaction =
                    connection.begin().await.map_err(|e| pg_error("begin", &e))?;
                let registered = register::insert(&mut transaction, batch).await?;
                if registered == Registered::Already {
                    transaction.rollback().await.map_err(|e| pg_error("roll back", &e))?;
                    return Ok(registered);
                }
                transaction.commit().await.map_err(|e| {
                    let error = pg_error("commit", &e);
                    let again = error.is_retryable() && batch.object.is_some();
                    error.retryable(again)
                })?;
                Ok(registered)
            })
        })
        .await
    }

    /// What is known about a dataset.
    ///
    /// # Errors
    /// As classified.
    pub async fn lookup_dataset(
        &self,
        dataset_id: &str,
    ) -> Result<Done<Option<DatasetRow>>, DriverError> {
        let rows =
            self.rows("look up dataset", || sqlx::query(schema::LOOKUP_DATASET).bind(dataset_id));
        let decoded = |row: &PgRow| {
            Ok(DatasetRow {
                dataset_id: dataset_id.to_owned(),
                domain_id: row.try_get(0)?,
                layer: row.try_get(1)?,
                events: count(row, 2)?,
                bytes: count(row, 3)?,
            })
        };
        rows.await?.try_map(|rows| first(&rows, "look up dataset", decoded))
    }

    /// A registered object.
    ///
    /// # Errors
    /// As classified.
    pub async fn lookup_object(&self, key: &str) -> Result<Done<Option<ObjectRow>>, DriverError> {
        let rows = self.rows("look up object", || sqlx::query(schema::LOOKUP_OBJECT).bind(key));
        let decoded = |row: &PgRow| {
            Ok(ObjectRow {
                key: key.to_owned(),
                bucket: row.try_get(0)?,
                layer: row.try_get(1)?,
                bytes: count(row, 2)?,
                events: count(row, 3)?,
                crc32c: u32::try_from(count(row, 4)?).map_err(decode)?,
                first_intended_us: micros_of(row.try_get(5)?),
                last_intended_us: micros_of(row.try_get(6)?),
                parents: row.try_get(7)?,
            })
        };
        rows.await?.try_map(|rows| first(&rows, "look up object", decoded))
    }

    /// What the tables hold: the ledger's last column.
    ///
    /// # Errors
    /// As classified.
    pub async fn counts(&self) -> Result<Counts, DriverError> {
        let operation = "count rows";
        let rows = self.rows(operation, || sqlx::query(schema::COUNTS)).await?.value;
        let layers = self.rows(operation, || sqlx::query(schema::LAYERS)).await?.value;
        let layer = |row: &PgRow| {
            Ok(LayerCount {
                layer: row.try_get(0)?,
                objects: count(row, 1)?,
                events: count(row, 2)?,
                bytes: count(row, 3)?,
            })
        };
        let layers = all(&layers, operation, layer)?;
        let counts = first(&rows, operation, |row| {
            Ok(Counts {
                decisions: count(row, 0)?,
                audit_events: count(row, 1)?,
                quality_reports: count(row, 2)?,
                datasets: count(row, 3)?,
                lineage_events: count(row, 4)?,
                lineage_edges: count(row, 5)?,
                layers: Vec::new(),
            })
        })?;
        Ok(Counts { layers, ..counts.unwrap_or_default() })
    }

    /// Up to `limit` audit events later than `after_us` (microseconds since the Unix epoch; `None` is the
    /// start), in order of `occurred_at`. Call it with the last one's time until it returns none.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] for a row that cannot be read; anything else as classified.
    pub async fn audit_rows(
        &self,
        after_us: Option<i64>,
        limit: u32,
    ) -> Result<Vec<AuditEvent>, DriverError> {
        let operation = "read audit events";
        let after = after_us.map_or(Ok(OffsetDateTime::UNIX_EPOCH), time_of)?;
        let page = || sqlx::query(schema::AUDIT_PAGE).bind(after).bind(i64::from(limit));
        all(&self.rows(operation, page).await?.value, operation, audit_event)
    }

    /// A real query.
    ///
    /// # Errors
    /// As classified.
    pub async fn ping(&self) -> Result<Done<()>, DriverError> {
        Ok(self.rows("ping", || sqlx::query("SELECT 1")).await?.map(drop))
    }

    /// The server's version as it reports it.
    ///
    /// # Errors
    /// As classified.
    pub async fn version(&self) -> Result<String, DriverError> {
        let rows = self.rows("version", || sqlx::query("SHOW server_version")).await?.value;
        Ok(first(&rows, "version", |row| row.try_get(0))?.unwrap_or_default())
    }

    /// The product's name as the server gives it: what stands before the version in `version()`.
    ///
    /// # Errors
    /// As classified.
    pub async fn product(&self) -> Result<String, DriverError> {
        let rows = self.rows("version", || sqlx::query("SELECT version()")).await?.value;
        let text: String = first(&rows, "version", |row| row.try_get(0))?.unwrap_or_default();
        Ok(name_in(&text))
    }

    /// Drops the run's schema and everything in it.
    ///
    /// # Errors
    /// As classified.
    pub async fn drop_schema(&self) -> Result<(), DriverError> {
        // The name is a checked prefix: lower-case letters, digits and underscores only.
        let drop_schema = format!("DROP SCHEMA IF EXISTS \"{}\" CASCADE", self.schema);
        sqlx::raw_sql(AssertSqlSafe(drop_schema))
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(|e| pg_error(&format!("drop schema {}", self.schema), &e))
    }

    /// Closes all connections in order.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Runs one statement and answers its rows.
    async fn rows<'q>(
        &self,
        operation: &'static str,
        statement: impl Fn() -> Query<'q, Postgres, PgArguments> + Sync,
    ) -> Result<Done<Vec<PgRow>>, DriverError> {
        let statement = &statement;
        with_retries(|n| {
            attempt(operation, async move {
                let mut connection = self.acquire(n, operation).await?;
                let rows = statement().fetch_all(&mut *connection).await;
                rows.map_err(|e| pg_error(operation, &e))
            })
        })
        .await
    }

    /// A connection from the pool. After a failed attempt it is tried first and replaced if it is dead: a
    /// server that restarted has closed every connection in the pool, not only the one that showed it.
    async fn acquire(
        &self,
        retries: u32,
        operation: &str,
    ) -> Result<PoolConnection<Postgres>, DriverError> {
        let mut left = if retries == 0 { 0 } else { self.max_connections };
        loop {
            let mut connection = self.pool.acquire().await.map_err(|e| pg_error(operation, &e))?;
            if left == 0 || connection.ping().await.is_ok() {
                return Ok(connection);
            }
            left -= 1;
            // Dead already: detached and dropped, so that the pool opens another.
            drop(connection.detach());
        }
    }
}

/// Runs one attempt inside [`ATTEMPT_TIMEOUT`].
async fn attempt<T>(
    operation: &str,
    work: impl Future<Output = Result<T, DriverError>>,
) -> Result<T, DriverError> {
    match tokio::time::timeout(ATTEMPT_TIMEOUT, work).await {
        Ok(result) => result,
        Err(_) => Err(DriverError::timeout(SYSTEM, operation, ATTEMPT_TIMEOUT)),
    }
}

/// The first row, decoded.
fn first<T>(
    rows: &[PgRow],
    operation: &str,
    decoded: impl Fn(&PgRow) -> Result<T, sqlx::Error>,
) -> Result<Option<T>, DriverError> {
    rows.first().map(decoded).transpose().map_err(|e| pg_error(operation, &e))
}

/// Every row, decoded.
fn all<T>(
    rows: &[PgRow],
    operation: &str,
    decoded: impl Fn(&PgRow) -> Result<T, sqlx::Error>,
) -> Result<Vec<T>, DriverError> {
    rows.iter().map(decoded).collect::<Result<_, _>>().map_err(|e| pg_error(operation, &e))
}

/// The words before the version in what `version()` answers, such as `PostgreSQL 16.4 on …`.
fn name_in(text: &str) -> String {
    let version = |word: &&str| {
        word.strip_prefix('v').unwrap_or(word).starts_with(|c: char| c.is_ascii_digit())
    };
    let words: Vec<&str> = text.split_whitespace().take_while(|word| !version(word)).collect();
    words.join(" ")
}

fn decode(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

fn count(row: &PgRow, column: usize) -> Result<u64, sqlx::Error> {
    u64::try_from(row.try_get::<i64, _>(column)?).map_err(decode)
}

fn audit_event(row: &PgRow) -> Result<AuditEvent, sqlx::Error> {
    let details: Option<String> = row.try_get(6)?;
    Ok(AuditEvent {
        id: row.try_get::<Uuid, _>(0)?,
        draft: Draft {
            event_type: row.try_get(1)?,
            entity_type: row.try_get(2)?,
            entity_id: row.try_get(3)?,
            actor_id: row.try_get(4)?,
            description: row.try_get(5)?,
            details: serde_json::from_str(details.as_deref().unwrap_or("{}")).map_err(decode)?,
        },
        occurred_us: micros_of(row.try_get(7)?),
        previous_hash: row.try_get(8)?,
        event_hash: row.try_get(9)?,
    })
}
