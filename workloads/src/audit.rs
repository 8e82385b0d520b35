//! The platform's audit trail: a chain of SHA-256 hashes over canonical JSON.
//!
//! Each event's hash covers its eight fields, the previous event's hash among them, so that a changed,
//! moved or missing event breaks the chain. The canonical form is what Python's
//! `json.dumps(…, sort_keys=True, separators=(",", ":"))` prints, since that is what the platform hashes.

use std::fmt::Write as _;

use serde_json::{Map, Number, Value};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

/// `previous_hash` of the first event.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What happened: an audit event before it takes its place in the chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// E.g. `decision_created`.
    pub event_type: String,
    /// E.g. `decision`.
    pub entity_type: String,
    /// The entity's id.
    pub entity_id: String,
    /// Who did it.
    pub actor_id: String,
    /// For people.
    pub description: String,
    /// For programs.
    pub details: Map<String, Value>,
}

/// A row of `audit_events`.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEvent {
    /// Primary key; the hash does not cover it.
    pub id: Uuid,
    /// What happened.
    pub draft: Draft,
    /// When, in microseconds since the Unix epoch.
    pub occurred_us: i64,
    /// The previous event's hash, or [`GENESIS`].
    pub previous_hash: String,
    /// This event's hash, in lower-case hexadecimal.
    pub event_hash: String,
}

impl AuditEvent {
    /// The hash that the event's fields call for.
    ///
    /// # Errors
    /// [`AuditError::Time`] for a time outside the years 0 to 9999.
    pub fn compute_hash(&self) -> Result<String, AuditError> {
        hash(&self.draft, self.occurred_us, &self.previous_hash)
    }
}

/// Why an event cannot join a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// A time that ISO-8601 with four-digit years cannot say.
    #[error("audit event at {0} µs since 1970: give a time between the years 0 and 9999")]
    Time(i64),
    /// A number that PostgreSQL's jsonb gives back in another form, which would break the chain.
    #[error(
        "audit details hold {0}, which jsonb does not keep as it is: use a smaller number or a string"
    )]
    Number(String),
}

/// Puts events into a chain.
///
/// Clone it before a batch and keep the clone if the batch is not stored: an event that was chained and
/// then lost breaks the chain for every later one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainAppender {
    previous_hash: String,
    last_us: Option<i64>,
}

impl Default for ChainAppender {
    fn default() -> Self {
        Self { previous_hash: GENESIS.to_owned(), last_us: None }
    }
}

impl ChainAppender {
    /// Goes on after a chain's last event.
    pub fn after(last: &AuditEvent) -> Self {
        Self { previous_hash: last.event_hash.clone(), last_us: Some(last.occurred_us) }
    }

    /// Chains one event. `at_us` is moved on to one microsecond after the previous event where it is not
    /// later already: the platform's only order is time, and equal times have none.
    ///
    /// # Errors
    /// A time or a number that the chain cannot carry. The appender is then as it was.
    pub fn append(&mut self, draft: Draft, at_us: i64) -> Result<AuditEvent, AuditError> {
        draft.details.values().try_for_each(survives_jsonb)?;
        let occurred_us = match self.last_us {
            Some(last) => at_us.max(last.saturating_add(1)),
            None => at_us,
        };
        let event_hash = hash(&draft, occurred_us, &self.previous_hash)?;
        let previous_hash = std::mem::replace(&mut self.previous_hash, event_hash.clone());
        self.last_us = Some(occurred_us);
        Ok(AuditEvent { id: Uuid::new_v4(), draft, occurred_us, previous_hash, event_hash })
    }
}

/// A chain that held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Number of events. A chain cannot show that its end is missing: compare this with what was sent.
    pub count: u64,
}

/// Where a chain broke.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("audit chain broken at event {index}: {why}")]
pub struct ChainBreak {
    /// Position of the event, from 0, in order of `occurred_at`.
    pub index: u64,
    /// What is wrong there.
    pub why: String,
}

/// Checks a chain one event at a time, in constant memory.
#[derive(Debug, Clone)]
pub struct ChainVerifier {
    expected_previous: String,
    count: u64,
}

impl Default for ChainVerifier {
    fn default() -> Self {
        Self { expected_previous: GENESIS.to_owned(), count: 0 }
    }
}

impl ChainVerifier {
    /// Checks the next event in order of `occurred_at`: its own hash and its link to the one before.
    ///
    /// # Errors
    /// Where the chain is broken at this event.
    pub fn check(&mut self, event: &AuditEvent) -> Result<(), ChainBreak> {
        let broken = |why: String| ChainBreak { index: self.count, why };
        if event.previous_hash != self.expected_previous {
            return Err(broken(if self.count == 0 {
                "the first event does not start the chain".to_owned()
            } else {
                "previous_hash is not the hash of the event before".to_owned()
            }));
        }
        let hash = event.compute_hash().map_err(|e| broken(e.to_string()))?;
        if hash != event.event_hash {
            return Err(broken("event_hash does not match the event's fields".to_owned()));
        }
        self.expected_previous = hash;
        self.count += 1;
        Ok(())
    }

    /// The `previous_hash` that the next event must carry.
    pub fn expected_previous(&self) -> &str {
        &self.expected_previous
    }

    /// Events that have passed so far.
    pub fn verified(&self) -> Verified {
        Verified { count: self.count }
    }
}

/// Checks a whole chain. An empty one is valid, as on the platform.
///
/// # Errors
/// The first break.
pub fn verify<'a>(
    events: impl IntoIterator<Item = &'a AuditEvent>,
) -> Result<Verified, ChainBreak> {
    let mut verifier = ChainVerifier::default();
    for event in events {
        verifier.check(event)?;
    }
    Ok(verifier.verified())
}

fn hash(draft: &Draft, occurred_us: i64, previous_hash: &str) -> Result<String, AuditError> {
    let json = canonical_event(draft, occurred_us, previous_hash)?;
    let digest = Sha256::digest(json.as_bytes());
    let mut hex = String::with_capacity(64);
    for byte in digest {
        push(&mut hex, format_args!("{byte:02x}"));
    }
    Ok(hex)
}

/// The eight covered fields, in order of their names.
fn canonical_event(
    draft: &Draft,
    occurred_us: i64,
    previous_hash: &str,
) -> Result<String, AuditError> {
    let occurred_at = iso_time(occurred_us)?;
    let mut out = String::with_capacity(512);
    out.push('{');
    write_field(&mut out, "actor_id", &draft.actor_id);
    out.push(',');
    write_field(&mut out, "description", &draft.description);
    out.push_str(",\"details\":");
    write_object(&mut out, &draft.details);
    for (name, text) in [
        ("entity_id", draft.entity_id.as_str()),
        ("entity_type", &draft.entity_type),
        ("event_type", &draft.event_type),
        ("occurred_at", &occurred_at),
        ("previous_hash", previous_hash),
    ] {
        out.push(',');
        write_field(&mut out, name, text);
    }
    out.push('}');
    Ok(out)
}

fn write_field(out: &mut String, name: &str, text: &str) {
    write_string(out, name);
    out.push(':');
    write_string(out, text);
}

/// `2026-02-07T12:00:00.123456+00:00`; the fraction is left out where it is zero, as `isoformat` does.
fn iso_time(occurred_us: i64) -> Result<String, AuditError> {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(occurred_us) * 1000)
        .ok()
        .filter(|at| (0..=9999).contains(&at.year()))
        .ok_or(AuditError::Time(occurred_us))?;
    let mut out = String::with_capacity(32);
    let (month, day) = (u8::from(at.month()), at.day());
    push(&mut out, format_args!("{:04}-{month:02}-{day:02}", at.year()));
    push(&mut out, format_args!("T{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second()));
    if at.microsecond() != 0 {
        push(&mut out, format_args!(".{:06}", at.microsecond()));
    }
    out.push_str("+00:00");
    Ok(out)
}

/// Appends formatted text; writing into a `String` cannot fail.
fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Object(map) => write_object(out, map),
    }
}

fn write_object(out: &mut String, map: &Map<String, Value>) {
    // Sorted here, whatever order the map keeps. UTF-8 sorts as Python sorts: by code point.
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_unstable_by_key(|(key, _)| key.as_str());
    out.push('{');
    for (i, (key, value)) in entries.into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_string(out, key);
        out.push(':');
        write_value(out, value);
    }
    out.push('}');
}

fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    push(out, format_args!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
}

fn write_number(out: &mut String, number: &Number) {
    match number.as_f64() {
        Some(float) if number.is_f64() => write_float(out, float),
        _ => push(out, format_args!("{number}")),
    }
}

/// As Python's `repr`: the shortest digits that read back as the same number, in plain notation for
/// exponents from -4 to 15, else with a signed exponent of at least two digits.
fn write_float(out: &mut String, float: f64) {
    let scientific = format!("{float:e}");
    let split = scientific.split_once('e').and_then(|(m, e)| Some((m, e.parse::<i32>().ok()?)));
    match split {
        Some((mantissa, exponent)) if !(-4..16).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            push(out, format_args!("{mantissa}e{sign}{:02}", exponent.unsigned_abs()));
        }
        _ => {
            let plain = format!("{float}");
            out.push_str(&plain);
            if !plain.contains('.') {
                out.push_str(".0");
            }
        }
    }
}

/// jsonb stores decimal digits: it turns 1e16 into an integer and drops the sign of -0.0, and either
/// reads back as another text than was hashed.
fn survives_jsonb(value: &Value) -> Result<(), AuditError> {
    match value {
        Value::Number(number) => {
            let float = number.as_f64().filter(|_| number.is_f64());
            match float {
                Some(f) if f.abs() >= 1e16 || (f == 0.0 && f.is_sign_negative()) => {
                    Err(AuditError::Number(f.to_string()))
                }
                _ => Ok(()),
            }
        }
        Value::Array(items) => items.iter().try_for_each(survives_jsonb),
        Value::Object(map) => map.values().try_for_each(survives_jsonb),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;
