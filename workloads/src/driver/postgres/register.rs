//! Registering a batch: one transaction, one statement per table whatever the batch's size.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::time::OffsetDateTime;

use super::classify::{SYSTEM, pg_error};
use super::rows::{Batch, DatasetRow, DecisionRow, LineageRow, ObjectRow, QualityRow, Registered};
use super::schema;
use crate::audit::AuditEvent;
use crate::driver::{DriverError, ErrorKind};

/// One column of a batch, as the array that `unnest` wants.
fn column<'r, R, T>(rows: &'r [R], of: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}

/// One column of JSON texts.
fn json<'r, R, T: Serialize + 'r>(
    rows: &'r [R],
    of: impl Fn(&'r R) -> &'r T,
) -> Result<Vec<String>, DriverError> {
    let text = |row| serde_json::to_string(of(row));
    let texts: Result<_, _> = rows.iter().map(text).collect();
    texts.map_err(|e| DriverError::new(ErrorKind::Refused, SYSTEM, "write JSON", e))
}

/// Inserts the batch's rows into the open transaction.
pub(super) async fn insert(
    transaction: &mut PgConnection,
    batch: &Batch,
) -> Result<Registered, DriverError> {
    if let Some(object) = &batch.object
        && insert_object(transaction, object).await? == Registered::Already
    {
        return Ok(Registered::Already);
    }
    upsert_datasets(transaction, &batch.datasets).await?;
    insert_lineage(transaction, &batch.lineage).await?;
    insert_quality(transaction, &batch.quality).await?;
    insert_decisions(transaction, &batch.decisions).await?;
    insert_audit(transaction, &batch.audit).await?;
    Ok(Registered::New)
}

async fn insert_object(
    transaction: &mut PgConnection,
    object: &ObjectRow,
) -> Result<Registered, DriverError> {
    let done = sqlx::query(schema::INSERT_OBJECT)
        .bind(&object.key)
        .bind(&object.bucket)
        .bind(&object.layer)
        .bind(bigint(object.bytes)?)
        .bind(bigint(object.events)?)
        .bind(i64::from(object.crc32c))
        .bind(time_of(object.first_intended_us)?)
        .bind(time_of(object.last_intended_us)?)
        .bind(&object.parents)
        .execute(transaction)
        .await
        .map_err(|e| pg_error("register object", &e))?;
    Ok(if done.rows_affected() == 0 { Registered::Already } else { Registered::New })
}

async fn upsert_datasets(
    transaction: &mut PgConnection,
    datasets: &[DatasetRow],
) -> Result<(), DriverError> {
    if datasets.is_empty() {
        return Ok(());
    }
    // One row per dataset, in one order for all transactions: an upsert cannot meet a row twice, and
    // two batches that lock the same rows in different orders would deadlock.
    let mut merged: BTreeMap<&str, DatasetRow> = BTreeMap::new();
    for dataset in datasets {
        merged
            .entry(&dataset.dataset_id)
            .and_modify(|known| {
                known.events += dataset.events;
                known.bytes += dataset.bytes;
                known.layer.clone_from(&dataset.layer);
            })
            .or_insert_with(|| dataset.clone());
    }
    let rows: Vec<DatasetRow> = merged.into_values().collect();
    let events = rows.iter().map(|row| bigint(row.events)).collect::<Result<Vec<_>, _>>()?;
    let bytes = rows.iter().map(|row| bigint(row.bytes)).collect::<Result<Vec<_>, _>>()?;
    sqlx::query(schema::UPSERT_DATASETS)
        .bind(column(&rows, |row| row.dataset_id.as_str()))
        .bind(column(&rows, |row| row.domain_id.as_str()))
        .bind(column(&rows, |row| row.layer.as_str()))
        .bind(events)
        .bind(bytes)
        .execute(transaction)
        .await
        .map(drop)
        .map_err(|e| pg_error("register datasets", &e))
}

async fn insert_lineage(
    transaction: &mut PgConnection,
    rows: &[LineageRow],
) -> Result<(), DriverError> {
    if rows.is_empty() {
        return Ok(());
    }
    let failed = |e: sqlx::Error| pg_error("register lineage", &e);
    sqlx::query(schema::INSERT_LINEAGE)
        .bind(column(rows, |row| row.id))
        .bind(column(rows, |row| row.dataset_id.as_str()))
        .bind(column(rows, |row| row.operation.as_str()))
        .bind(json(rows, |row| &row.upstream)?)
        .bind(json(rows, |row| &row.downstream)?)
        .bind(times(rows.iter().map(|row| row.occurred_us))?)
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
    // Sorted, for the same reason as datasets.
    let mut edges = BTreeSet::new();
    for row in rows {
        edges.extend(row.upstream.iter().map(|up| (up.as_str(), row.dataset_id.as_str())));
        edges.extend(row.downstream.iter().map(|down| (row.dataset_id.as_str(), down.as_str())));
    }
    if edges.is_empty() {
        return Ok(());
    }
    let (sources, targets): (Vec<&str>, Vec<&str>) = edges.into_iter().unzip();
    sqlx::query(schema::INSERT_EDGES)
        .bind(sources)
        .bind(targets)
        .execute(transaction)
        .await
        .map(drop)
        .map_err(failed)
}

async fn insert_quality(
    transaction: &mut PgConnection,
    rows: &[QualityRow],
) -> Result<(), DriverError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(schema::INSERT_QUALITY)
        .bind(column(rows, |row| row.id))
        .bind(column(rows, |row| row.dataset_id.as_str()))
        .bind(column(rows, |row| row.domain_id.as_str()))
        .bind(column(rows, |row| row.layer.as_str()))
        .bind(column(rows, |row| row.suite_name.as_str()))
        .bind(column(rows, |row| row.dq_score))
        .bind(json(rows, |row| &row.dimension_scores)?)
        .bind(column(rows, |row| row.passed))
        .bind(column(rows, |row| row.failed))
        .bind(times(rows.iter().map(|row| row.created_us))?)
        .execute(transaction)
        .await
        .map(drop)
        .map_err(|e| pg_error("register quality reports", &e))
}

async fn insert_decisions(
    transaction: &mut PgConnection,
    rows: &[DecisionRow],
) -> Result<(), DriverError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(schema::INSERT_DECISIONS)
        .bind(column(rows, |row| row.id))
        .bind(column(rows, |row| row.decision_type.as_str()))
        .bind(column(rows, |row| row.title.as_str()))
        .bind(column(rows, |row| row.description.as_str()))
        .bind(column(rows, |row| row.status.as_str()))
        .bind(column(rows, |row| row.domain_id.as_str()))
        .bind(column(rows, |row| row.created_by.as_str()))
        .bind(times(rows.iter().map(|row| row.created_us))?)
        .bind(json(rows, |row| &row.metadata)?)
        .bind(column(rows, |row| row.source_layer.as_deref()))
        .bind(column(rows, |row| row.target_layer.as_deref()))
        .bind(column(rows, |row| row.data_classification.as_deref()))
        .execute(transaction)
        .await
        .map(drop)
        .map_err(|e| pg_error("register decisions", &e))
}

async fn insert_audit(
    transaction: &mut PgConnection,
    rows: &[AuditEvent],
) -> Result<(), DriverError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(schema::INSERT_AUDIT)
        .bind(column(rows, |row| row.id))
        .bind(column(rows, |row| row.draft.event_type.as_str()))
        .bind(column(rows, |row| row.draft.entity_type.as_str()))
        .bind(column(rows, |row| row.draft.entity_id.as_str()))
        .bind(column(rows, |row| row.draft.actor_id.as_str()))
        .bind(column(rows, |row| row.draft.description.as_str()))
        .bind(json(rows, |row| &row.draft.details)?)
        .bind(times(rows.iter().map(|row| row.occurred_us))?)
        .bind(column(rows, |row| row.previous_hash.as_str()))
        .bind(column(rows, |row| row.event_hash.as_str()))
        .execute(transaction)
        .await
        .map(drop)
        .map_err(|e| pg_error("append audit events", &e))
}

fn times(micros: impl Iterator<Item = i64>) -> Result<Vec<OffsetDateTime>, DriverError> {
    micros.map(time_of).collect()
}

pub(super) fn time_of(micros: i64) -> Result<OffsetDateTime, DriverError> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).map_err(|e| {
        DriverError::new(ErrorKind::Refused, SYSTEM, format!("time {micros} µs since 1970"), e)
    })
}

/// Microseconds since the Unix epoch; PostgreSQL's own resolution.
pub(super) fn micros_of(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX)
}

fn bigint(count: u64) -> Result<i64, DriverError> {
    i64::try_from(count)
        .map_err(|e| DriverError::new(ErrorKind::Refused, SYSTEM, format!("count {count}"), e))
}
