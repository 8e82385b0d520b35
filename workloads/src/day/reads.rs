//! The read side: object reads, catalogue look-ups, sessions, notifications. Each answers the payload
//! bytes that it moved, and checks what it got.

use std::sync::Arc;

use bytes::Bytes;

use super::catalog::Catalog;
use super::names::{Layer, Names};
use crate::driver::nats::NatsDriver;
use crate::driver::postgres::PostgresDriver;
use crate::driver::redis::RedisDriver;
use crate::driver::s3::S3Driver;
use crate::driver::{Done, DriverError, ErrorKind};
use crate::event::{Corrupt, read_frames};
use crate::payload::{DATASETS, dataset_id, splitmix};

/// Bytes of an object that one read asks for: what a query engine reads at once.
const GET_BYTES: u64 = 256 * 1024;
/// Sessions that are alive.
pub(super) const SESSIONS: u64 = 2_000;
/// Bytes of a session.
const SESSION_BYTES: usize = 512;
/// Life of a session, the platform's cache time to live, in seconds.
pub(super) const SESSION_TTL_S: u64 = 3_600;
/// Bytes of a notification.
const NOTIFICATION_BYTES: usize = 512;

/// Reads the start of a recent object and verifies what can be verified of it.
pub(super) async fn get(
    s3: &S3Driver,
    names: &Names,
    catalog: &Catalog,
    intended_ns: u64,
) -> Result<Done<u64>, DriverError> {
    let Some(object) = catalog.pick(splitmix(intended_ns)) else {
        let reason = "no object has been stored yet";
        return Err(DriverError::new(ErrorKind::NotFound, "minio", "get", reason));
    };
    let got = s3.get_start(&names.bucket(object.layer), &object.key, GET_BYTES).await?;
    let whole = got.value.len() as u64 == object.bytes.min(GET_BYTES);
    let intact = match object.layer {
        Layer::Bronze => read_frames(&got.value).all(|frame| match frame {
            Ok(_) => true,
            // The last frame may be cut by the range, and only by it.
            Err(error) => error == Corrupt::Short && object.bytes > GET_BYTES,
        }),
        Layer::Silver | Layer::Gold => got.value.starts_with(b"PAR1"),
    };
    if !(whole && intact) {
        let reason = "the object's bytes are not what was stored";
        return Err(DriverError::new(ErrorKind::Protocol, "minio", "get", reason));
    }
    Ok(Done { value: got.value.len() as u64, retries: got.retries })
}

/// Looks up a dataset. Every dataset is registered before the run starts.
pub(super) async fn lookup(
    postgres: &PostgresDriver,
    intended_ns: u64,
) -> Result<Done<u64>, DriverError> {
    let dataset = dataset_id((splitmix(intended_ns) % u64::from(DATASETS)) as u32);
    let row = postgres.lookup_dataset(&dataset).await?;
    match row.value {
        Some(found) if found.dataset_id == dataset => Ok(Done { value: 0, retries: row.retries }),
        _ => Err(DriverError::new(ErrorKind::NotFound, "postgresql", "look up dataset", dataset)),
    }
}

/// Content of a session: a function of its number, so that a reader can tell a wrong one.
pub(super) fn session_value(number: u64) -> Vec<u8> {
    (0..SESSION_BYTES as u64 / 8).flat_map(|i| splitmix(number << 8 | i).to_le_bytes()).collect()
}

/// Reads a session, or writes every fifth one.
pub(super) async fn session(
    redis: &RedisDriver,
    names: &Names,
    intended_ns: u64,
) -> Result<Done<u64>, DriverError> {
    let draw = splitmix(intended_ns);
    let number = (draw >> 8) % SESSIONS;
    let key = names.session(number);
    let expected = session_value(number);
    let bytes = expected.len() as u64;
    if draw.is_multiple_of(5) {
        let put = redis.put(&key, &expected, SESSION_TTL_S).await?;
        return Ok(Done { value: bytes, retries: put.retries });
    }
    let got = redis.get(&key).await?;
    match got.value {
        Some(value) if value == expected => Ok(Done { value: bytes, retries: got.retries }),
        Some(_) => {
            Err(DriverError::new(ErrorKind::Protocol, "redis", "GET session", "wrong content"))
        }
        None => Err(DriverError::new(ErrorKind::NotFound, "redis", "GET session", key)),
    }
}

/// Publishes a notification.
pub(super) async fn notify(
    nats: &Arc<NatsDriver>,
    subject: &str,
    number: u64,
) -> Result<Done<u64>, DriverError> {
    let mut body = vec![b' '; NOTIFICATION_BYTES];
    let text = format!(r#"{{"event_type":"decision_created","number":{number}}}"#);
    body[..text.len()].copy_from_slice(text.as_bytes());
    let published = nats.publish(subject, Bytes::from(body), &number.to_string()).await?;
    Ok(Done { value: NOTIFICATION_BYTES as u64, retries: published.retries })
}
