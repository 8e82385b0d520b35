//! The audit chain as the platform keeps it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::{PgConnection, Row};

/// `previous_hash` of the first event.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Only the oldest rows are verified by the platform.
const VERIFIED: i64 = 1000;

/// What happened.
pub(super) struct Event<'a> {
    pub(super) kind: &'a str,
    pub(super) entity_type: &'a str,
    pub(super) entity_id: &'a str,
    pub(super) actor: &'a str,
    pub(super) description: String,
    pub(super) details: BTreeMap<String, Value>,
}

/// Appends an event. Writers take turns, unless they are told not to.
pub(super) async fn append(connection: &mut PgConnection, event: Event<'_>, turns: bool) {
    if turns {
        let lock = "SELECT pg_advisory_xact_lock(42)";
        sqlx::query(lock).execute(&mut *connection).await.unwrap();
    }
    let last =
        "SELECT event_hash, to_char(greatest(clock_timestamp(), occurred_at + interval '1 us')
        AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US') FROM audit_events
        ORDER BY occurred_at DESC LIMIT 1";
    let first = "SELECT $1, to_char(clock_timestamp() AT TIME ZONE 'UTC',
        'YYYY-MM-DD\"T\"HH24:MI:SS.US')";
    let row = match sqlx::query(last).fetch_optional(&mut *connection).await.unwrap() {
        Some(row) => row,
        None => sqlx::query(first).bind(GENESIS).fetch_one(&mut *connection).await.unwrap(),
    };
    let (previous, time): (String, String) = (row.get(0), row.get(1));
    if !turns {
        // Long enough for another writer to read the same last event.
        sqlx::query("SELECT pg_sleep(0.05)").execute(&mut *connection).await.unwrap();
    }
    let text = canonical(&event, &iso(&time), &previous);
    let insert = "INSERT INTO audit_events (id, event_type, entity_type, entity_id, actor_id,
        description, details, occurred_at, previous_hash, event_hash) VALUES (gen_random_uuid(),
        $1, $2, $3, $4, $5, $6::jsonb, ($7 || '+00:00')::timestamptz, $8,
        encode(sha256(convert_to($9, 'UTF8')), 'hex'))";
    sqlx::query(insert)
        .bind(event.kind)
        .bind(event.entity_type)
        .bind(event.entity_id)
        .bind(event.actor)
        .bind(&event.description)
        .bind(json!(event.details).to_string())
        .bind(&time)
        .bind(previous)
        .bind(text)
        .execute(&mut *connection)
        .await
        .unwrap();
}

/// The platform's own verification: the oldest rows in order of time.
pub(super) async fn verify(connection: &mut PgConnection) -> bool {
    let select = "SELECT event_type, entity_type, entity_id, actor_id, description, details::text,
        to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), previous_hash,
        event_hash FROM audit_events ORDER BY occurred_at LIMIT $1";
    let rows = sqlx::query(select).bind(VERIFIED).fetch_all(&mut *connection).await.unwrap();
    let mut expected = GENESIS.to_owned();
    for row in rows {
        let [kind, entity_type, entity_id, actor, description, details, time, previous, hash]: [String; 9] =
            std::array::from_fn(|column| row.get(column));
        let event = Event {
            kind: &kind,
            entity_type: &entity_type,
            entity_id: &entity_id,
            actor: &actor,
            description,
            details: serde_json::from_str(&details).unwrap(),
        };
        let text = canonical(&event, &iso(&time), &previous);
        let digest = "SELECT encode(sha256(convert_to($1, 'UTF8')), 'hex')";
        let computed: String =
            sqlx::query_scalar(digest).bind(text).fetch_one(&mut *connection).await.unwrap();
        if previous != expected || computed != hash {
            return false;
        }
        expected = hash;
    }
    true
}

/// As Python's `isoformat` prints it: no fraction where it is zero.
fn iso(time: &str) -> String {
    format!("{}+00:00", time.strip_suffix(".000000").unwrap_or(time))
}

/// As `json.dumps(…, sort_keys=True, separators=(",", ":"))` prints it.
fn canonical(event: &Event<'_>, occurred_at: &str, previous: &str) -> String {
    let fields: BTreeMap<&str, Value> = [
        ("event_type", event.kind),
        ("entity_type", event.entity_type),
        ("entity_id", event.entity_id),
        ("actor_id", event.actor),
        ("description", &event.description),
        ("occurred_at", occurred_at),
        ("previous_hash", previous),
    ]
    .into_iter()
    .map(|(name, text)| (name, json!(text)))
    .chain([("details", json!(event.details))])
    .collect();
    let mut ascii = String::new();
    for character in serde_json::to_string(&fields).unwrap().chars() {
        if (' '..='~').contains(&character) {
            ascii.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                ascii.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    ascii
}
