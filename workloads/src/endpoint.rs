//! Where the components of a stack answer: what a provider hands to the workloads.

use crate::secret::Secret;

/// PostgreSQL.
#[derive(Debug, Clone)]
pub struct PostgresEndpoint {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Role.
    pub user: String,
    /// Its password.
    pub password: Secret,
    /// Database.
    pub database: String,
}

/// Redis.
#[derive(Debug, Clone)]
pub struct RedisEndpoint {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Password of the default user.
    pub password: Secret,
}

/// NATS with JetStream.
#[derive(Debug, Clone)]
pub struct NatsEndpoint {
    /// `host:port`.
    pub address: String,
    /// User.
    pub user: String,
    /// Its password.
    pub password: Secret,
}

/// Kafka.
#[derive(Debug, Clone)]
pub struct KafkaEndpoint {
    /// Comma-separated `host:port` list.
    pub bootstrap: String,
    /// Whether topics can be created through the admin API (librdkafka's mock cluster cannot).
    pub admin: bool,
    /// Who to log in as, by SASL PLAIN; absent where the cluster asks nobody (the mock cluster, nisshi).
    pub login: Option<KafkaLogin>,
}

/// A user of Kafka.
#[derive(Debug, Clone)]
pub struct KafkaLogin {
    /// Name.
    pub user: String,
    /// Its password.
    pub password: Secret,
}

/// An S3 server.
#[derive(Debug, Clone)]
pub struct S3Endpoint {
    /// `http://host:port`.
    pub url: String,
    /// Access key id.
    pub access_key: String,
    /// Secret access key.
    pub secret_key: Secret,
    /// Region to sign for.
    pub region: String,
}

/// Where each component of a stack answers. Absent where the profile or the provider has none.
#[derive(Debug, Clone, Default)]
pub struct Endpoints {
    /// PostgreSQL.
    pub postgres: Option<PostgresEndpoint>,
    /// Redis.
    pub redis: Option<RedisEndpoint>,
    /// NATS.
    pub nats: Option<NatsEndpoint>,
    /// Kafka.
    pub kafka: Option<KafkaEndpoint>,
    /// S3.
    pub s3: Option<S3Endpoint>,
}
