//! Where one component of a started stack answers.

use odg_workloads::endpoint::{
    Endpoints, KafkaEndpoint, NatsEndpoint, PostgresEndpoint, RedisEndpoint, S3Endpoint,
};

/// The endpoint of one component.
pub(in crate::provider) enum Answer {
    Postgres(PostgresEndpoint),
    Redis(RedisEndpoint),
    Nats(NatsEndpoint),
    Kafka(KafkaEndpoint),
    S3(S3Endpoint),
}

impl Answer {
    /// Address without credentials.
    pub(in crate::provider) fn address(&self) -> String {
        match self {
            Self::Postgres(at) => format!("{}:{}", at.host, at.port),
            Self::Redis(at) => format!("{}:{}", at.host, at.port),
            Self::Nats(at) => at.address.clone(),
            Self::Kafka(at) => at.bootstrap.clone(),
            Self::S3(at) => at.url.clone(),
        }
    }

    /// Enters it among a stack's endpoints.
    pub(in crate::provider) fn enter(self, endpoints: &mut Endpoints) {
        match self {
            Self::Postgres(at) => endpoints.postgres = Some(at),
            Self::Redis(at) => endpoints.redis = Some(at),
            Self::Nats(at) => endpoints.nats = Some(at),
            Self::Kafka(at) => endpoints.kafka = Some(at),
            Self::S3(at) => endpoints.s3 = Some(at),
        }
    }
}
