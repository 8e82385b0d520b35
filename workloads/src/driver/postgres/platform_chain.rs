//! The platform's own audit chain, read and recomputed over all rows, in constant memory.
//!
//! The table belongs to the platform: it is read in one read-only transaction, so that what is checked
//! and what is counted are one state of it.

use futures::TryStreamExt;
use sqlx::types::Uuid;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use super::classify::{SYSTEM, pg_error};
use super::{PostgresDriver, audit_event, count};
use crate::audit::{AuditEvent, ChainVerifier};
use crate::driver::{DriverError, ErrorKind};

/// A snapshot that later writers do not change, and time for tables of any size.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;
    SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";

/// Schemas with such a table, leaving out those that runs of odg-bench make.
const SCHEMAS: &str = "SELECT table_schema::text FROM information_schema.tables
    WHERE table_name = 'audit_events' AND table_schema NOT LIKE 'odgbench\\_%'
    ORDER BY table_schema <> 'public', table_schema";

/// Events of one time that are sorted by their links. The platform has no other order; a table with more
/// was not written by it.
const MOST_TIED: usize = 10_000;

/// What the platform's audit table holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformChain {
    /// Schema of the table.
    pub schema: String,
    /// Rows.
    pub rows: u64,
    /// Where the chain is broken first; `None` where every hash and every link holds.
    pub broken: Option<String>,
    /// Events that share their time with an earlier one, so that only their links order them.
    pub tied: u64,
    /// `previous_hash` values that more than one row carries, and one of them: writers that forked the chain.
    pub forks: (u64, Option<String>),
    /// Of the decisions that were asked for, those without a `decision_created` event.
    pub without_event: Vec<Uuid>,
}

impl PostgresDriver {
    /// Reads the platform's audit table, recomputes its chain over all rows, and looks for `decisions` in
    /// it. `None` where the database has no such table.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] where the role may not read it; [`ErrorKind::Protocol`] for a row that
    /// cannot be read; anything else as classified.
    pub async fn platform_chain(
        &self,
        decisions: &[Uuid],
    ) -> Result<Option<PlatformChain>, DriverError> {
        // Its own connection, not a pooled one: what is set in it ends with it.
        let pooled = self.acquire(0, "read the platform's audit chain").await?;
        let mut connection = pooled.detach();
        let read = read(&mut connection, decisions).await;
        // Only read: whether it closes in order changes nothing.
        let _ = connection.close().await;
        read
    }
}

async fn read(
    connection: &mut PgConnection,
    decisions: &[Uuid],
) -> Result<Option<PlatformChain>, DriverError> {
    let operation = "read the platform's audit chain";
    let failed = |e: sqlx::Error| pg_error(operation, &e);
    sqlx::raw_sql(BEGIN).execute(&mut *connection).await.map_err(failed)?;
    let schemas = sqlx::query(SCHEMAS).fetch_all(&mut *connection).await.map_err(failed)?;
    let schemas: Vec<String> =
        schemas.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(failed)?;
    let Some(schema) = schemas.first().cloned() else { return Ok(None) };
    if schema != "public" && schemas.len() > 1 {
        let reason = format!("{} schemas have audit_events: {}", schemas.len(), schemas.join(", "));
        return Err(DriverError::new(ErrorKind::Refused, SYSTEM, operation, reason));
    }
    let table = format!("\"{}\".audit_events", schema.replace('"', "\"\""));
    let mut chain = PlatformChain {
        schema,
        rows: 0,
        broken: None,
        tied: 0,
        forks: (0, None),
        without_event: Vec::new(),
    };
    recompute(connection, &table, &mut chain).await?;

    let forks = format!(
        "SELECT count(*), min(previous_hash) FROM (SELECT previous_hash FROM {table}
         GROUP BY previous_hash HAVING count(*) > 1) AS forked"
    );
    let row =
        sqlx::query(AssertSqlSafe(forks)).fetch_one(&mut *connection).await.map_err(failed)?;
    chain.forks = (count(&row, 0).map_err(failed)?, row.try_get(1).map_err(failed)?);

    let missing = format!(
        "SELECT id FROM unnest($1::uuid[]) AS asked (id) WHERE NOT EXISTS (SELECT FROM {table}
         WHERE event_type = 'decision_created' AND entity_id = asked.id::text)"
    );
    let rows = sqlx::query(AssertSqlSafe(missing)).bind(decisions);
    let rows = rows.fetch_all(&mut *connection).await.map_err(failed)?;
    chain.without_event =
        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(failed)?;
    Ok(Some(chain))
}

/// Streams the rows in order of time and checks each. Stops checking at the first break, but counts on.
async fn recompute(
    connection: &mut PgConnection,
    table: &str,
    chain: &mut PlatformChain,
) -> Result<(), DriverError> {
    let operation = "read the platform's audit chain";
    let select = format!(
        "SELECT id, event_type, entity_type, entity_id, actor_id, description, details::text,
         occurred_at, previous_hash, event_hash FROM {table} ORDER BY occurred_at"
    );
    let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(connection);
    let mut check = TiedVerifier::default();
    while let Some(row) = rows.try_next().await.map_err(|e| pg_error(operation, &e))? {
        let event = audit_event(&row).map_err(|e| pg_error(operation, &e))?;
        chain.rows += 1;
        if chain.broken.is_none() {
            chain.broken = check.next(event).err();
        }
    }
    if chain.broken.is_none() {
        chain.broken = check.end().err();
    }
    chain.tied = check.tied;
    Ok(())
}

/// Verifies events in order of time, ordering those of one time by their links.
#[derive(Debug, Default)]
struct TiedVerifier {
    chain: ChainVerifier,
    /// Events of one time, not checked yet.
    group: Vec<AuditEvent>,
    tied: u64,
}

impl TiedVerifier {
    fn next(&mut self, event: AuditEvent) -> Result<(), String> {
        if self.group.first().is_some_and(|first| first.occurred_us != event.occurred_us) {
            self.end()?;
        } else if !self.group.is_empty() {
            self.tied += 1;
        }
        if self.group.len() >= MOST_TIED {
            return Err(format!("more than {MOST_TIED} events share one time"));
        }
        self.group.push(event);
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        while !self.group.is_empty() {
            let expected = self.chain.expected_previous();
            // Without a link that fits, the first one says where the chain is broken.
            let next = self.group.iter().position(|e| e.previous_hash == expected).unwrap_or(0);
            let event = self.group.swap_remove(next);
            self.chain.check(&event).map_err(|broken| {
                format!(
                    "{broken} ({} {}, id {})",
                    event.draft.event_type, event.draft.entity_id, event.id
                )
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::audit::{ChainAppender, Draft};

    /// A chain of four events, the middle two at one time.
    fn chain() -> Vec<AuditEvent> {
        let mut appender = ChainAppender::default();
        let mut events: Vec<AuditEvent> = (0..4)
            .map(|n| {
                let draft = Draft {
                    event_type: "decision_created".into(),
                    entity_type: "decision".into(),
                    entity_id: n.to_string(),
                    actor_id: "u1".into(),
                    description: String::new(),
                    details: Map::new(),
                };
                appender.append(draft, n * 10).unwrap()
            })
            .collect();
        let mut previous = events[1].event_hash.clone();
        events[2].occurred_us = events[1].occurred_us;
        for event in &mut events[2..] {
            event.previous_hash = previous;
            event.event_hash = event.compute_hash().unwrap();
            previous = event.event_hash.clone();
        }
        events
    }

    fn verify(events: Vec<AuditEvent>) -> (Result<(), String>, u64) {
        let mut check = TiedVerifier::default();
        let result = events.into_iter().try_for_each(|e| check.next(e)).and_then(|()| check.end());
        (result, check.tied)
    }

    #[test]
    fn events_of_one_time_are_ordered_by_their_links() {
        let events = chain();
        assert_eq!(verify(events.clone()), (Ok(()), 1));
        let mut swapped = events;
        swapped.swap(1, 2);
        assert_eq!(verify(swapped), (Ok(()), 1), "the database may answer ties in any order");
    }

    #[test]
    fn a_missing_an_edited_and_a_forked_event_break_the_chain() {
        let mut missing = chain();
        missing.remove(1);
        let mut edited = chain();
        edited[3].draft.actor_id = "u2".into();
        let mut forked = chain();
        forked[2].previous_hash = forked[0].event_hash.clone();
        forked[2].event_hash = forked[2].compute_hash().unwrap();
        for (broken, events) in [("missing", missing), ("edited", edited), ("forked", forked)] {
            assert!(verify(events).0.unwrap_err().contains("id "), "{broken}");
        }
    }
}
