//! What a run calls the things that it creates. All of them carry the run's prefix.

use serde::Serialize;

use super::carries::Carries;
use super::reads::SESSIONS;
use crate::driver::{DriverError, Prefix};
use crate::event::EventKind;

/// Names of a run's topics, streams, buckets, schema and keys.
#[derive(Debug, Clone)]
pub struct Names {
    /// `odgbench-<run>`.
    pub prefix: Prefix,
    /// `odgbench_<run>`, for PostgreSQL.
    pub schema: Prefix,
}

/// A medallion layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// Events as they came.
    Bronze,
    /// Events as Parquet.
    Silver,
    /// Aggregates as Parquet.
    Gold,
}

impl Layer {
    /// All layers.
    pub const ALL: [Self; 3] = [Self::Bronze, Self::Silver, Self::Gold];

    /// The layer's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bronze => "bronze",
            Self::Silver => "silver",
            Self::Gold => "gold",
        }
    }
}

/// A thing that a run creates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Created {
    /// Component in which it is created.
    pub component: &'static str,
    /// What it is: `topic`, `bucket` …
    pub kind: &'static str,
    /// Its name.
    pub name: String,
}

impl Names {
    /// Names for a run with this id (lower-case letters and digits).
    ///
    /// # Errors
    /// Where the id has other characters.
    pub fn new(run: &str) -> Result<Self, DriverError> {
        Ok(Self {
            prefix: Prefix::new(format!("odgbench-{run}"))?,
            schema: Prefix::new(format!("odgbench_{run}"))?,
        })
    }

    /// Kafka topic, or NATS subject, of a kind of event.
    pub fn topic(&self, kind: EventKind) -> String {
        format!("{}.{}", self.prefix.as_str(), kind.topic())
    }

    /// Consumer group, or durable consumer.
    pub fn group(&self) -> String {
        format!("{}-ingest", self.prefix.as_str())
    }

    /// NATS stream for events.
    pub fn events_stream(&self) -> String {
        format!("{}-events", self.prefix.as_str())
    }

    /// NATS stream for notifications.
    pub fn notifications_stream(&self) -> String {
        format!("{}-notifications", self.prefix.as_str())
    }

    /// NATS subject for notifications.
    pub fn notifications_subject(&self) -> String {
        format!("{}.notify.governance.decisions.created", self.prefix.as_str())
    }

    /// Bucket of a layer.
    pub fn bucket(&self, layer: Layer) -> String {
        format!("{}-{}", self.prefix.as_str(), layer.name())
    }

    /// Everything that a run on these components creates, its probes' things included.
    pub fn created(&self, carries: Carries) -> Vec<Created> {
        let (prefix, schema) = (self.prefix.as_str(), self.schema.as_str());
        let mut all = Vec::new();
        let mut add = |component, kind, name| all.push(Created { component, kind, name });
        if carries.postgres {
            add("postgresql", "schema", schema.to_owned());
            add("postgresql", "schema", format!("{schema}_probe"));
        }
        if carries.redis {
            add("redis", "keys", format!("{prefix}:session:0 to {}", SESSIONS - 1));
            add("redis", "key", format!("{prefix}-probe:value"));
        }
        if carries.s3 {
            for layer in Layer::ALL {
                add("minio", "bucket", self.bucket(layer));
            }
            add("minio", "bucket", format!("{prefix}-probe"));
        }
        if carries.nats {
            match carries.bus() {
                Some("nats") => add("nats", "stream and consumer", self.events_stream()),
                _ => add("nats", "stream", self.notifications_stream()),
            }
            add("nats", "stream", format!("{prefix}-probe-stream"));
        }
        if carries.kafka {
            for kind in EventKind::ALL {
                add("kafka", "topic", self.topic(kind));
            }
            add("kafka", "topic", format!("{prefix}-probe.topic"));
            add("kafka", "consumer group", self.group());
        }
        all
    }

    /// Redis key of a session.
    pub fn session(&self, number: u64) -> String {
        format!("{}:session:{number}", self.prefix.as_str())
    }
}
