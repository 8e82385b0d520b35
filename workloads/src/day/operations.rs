//! The operations that the day workload records.

use super::carries::Carries;
use crate::recorder::Operation;

/// Publishing an event until the bus acknowledges it.
pub const PUBLISH: &str = "bus.publish";
/// From publishing to the consumer's hands.
pub const DELIVER: &str = "bus.deliver";
/// Storing a batch of events as a bronze object.
pub const PUT: &str = "s3.put";
/// Reading a range of an object.
pub const GET: &str = "s3.get";
/// Registering a stored batch in one transaction.
pub const REGISTER: &str = "postgres.register";
/// Looking up a dataset.
pub const LOOKUP: &str = "postgres.lookup";
/// Reading or writing a session.
pub const SESSION: &str = "redis.session";
/// Publishing a notification on NATS.
pub const NOTIFY: &str = "nats.publish";
/// Bronze objects to a silver Parquet file.
pub const SILVER: &str = "promote.silver";
/// Silver files to a gold Parquet file.
pub const GOLD: &str = "promote.gold";
/// From an event's intended start to its committed row.
pub const END_TO_END: &str = "end_to_end";

/// The operations of a run on these components.
pub fn operations(carries: Carries) -> Vec<Operation> {
    let op = |name, component, description| Operation { name, component, description };
    let bus = carries.bus().unwrap_or_default();
    let all = [
        op(PUBLISH, bus, "an event, until the bus acknowledges it"),
        op(DELIVER, bus, "an event, from publishing to the consumer"),
        op(
            PUT,
            "minio",
            "a batch of events, from when it was due until its bronze object is stored",
        ),
        op(
            REGISTER,
            "postgresql",
            "a stored batch or file, from hand-over until its transaction is committed",
        ),
        op(END_TO_END, "", "an event, from its intended start to its committed row"),
        op(GET, "minio", "a range of an object, read and verified"),
        op(LOOKUP, "postgresql", "a dataset, looked up by id"),
        op(SESSION, "redis", "a session, read (4 of 5) or written"),
        op(SILVER, "minio", "bronze objects, rewritten as one silver Parquet file"),
        op(GOLD, "minio", "silver files, aggregated into one gold Parquet file"),
        op(NOTIFY, "nats", "a notification, until JetStream acknowledges it"),
    ];
    all.into_iter().filter(|o| carries.missing_for(o.name).is_empty()).collect()
}
