//! Where the components of a stack answer: what a provider hands to the workloads.

use std::fmt;

use crate::secret::Secret;

/// Certificates of an encrypted connection, as PEM text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Authorities to trust. Absent: those that the system trusts. PostgreSQL's client trusts the system's too,
    /// whatever is given.
    pub ca_pem: Option<String>,
    /// What this client shows of itself (mutual TLS). Absent: nothing.
    pub identity: Option<ClientIdentity>,
}

/// A client certificate and its key. `Debug` hides both: a certificate's file may hold the key too.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    /// Certificate chain, the client's own first, as PEM text.
    pub certificate_pem: String,
    /// Its private key, as PEM text, not encrypted.
    pub key_pem: Secret,
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientIdentity(***)")
    }
}

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
    /// Whether and how strictly the connection is encrypted.
    pub ssl_mode: SslMode,
    /// Certificates, where it is encrypted.
    pub tls: Tls,
}

/// PostgreSQL's `sslmode`, with libpq's meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SslMode {
    /// Never encrypted.
    #[default]
    Disable,
    /// Encrypted where the server can; no certificate is checked.
    Prefer,
    /// Encrypted; the certificate is checked only where an authority is given.
    Require,
    /// Encrypted, signed by a trusted authority.
    VerifyCa,
    /// As `VerifyCa`, and issued to the host that was asked for.
    VerifyFull,
}

/// Redis.
#[derive(Debug, Clone)]
pub struct RedisEndpoint {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// ACL user; absent for the default user.
    pub user: Option<String>,
    /// Password; absent where the server asks for none.
    pub password: Option<Secret>,
    /// Certificates; absent for an unencrypted connection.
    pub tls: Option<Tls>,
}

/// NATS with JetStream.
#[derive(Debug, Clone)]
pub struct NatsEndpoint {
    /// `host:port`.
    pub address: String,
    /// Who to log in as.
    pub login: NatsLogin,
    /// Certificates; absent for an unencrypted connection (unless the server insists).
    pub tls: Option<Tls>,
}

/// How a NATS server is told who is asking.
#[derive(Debug, Clone)]
pub enum NatsLogin {
    /// Not at all.
    None,
    /// User and password.
    Password {
        /// User.
        user: String,
        /// Its password.
        password: Secret,
    },
    /// A token.
    Token(Secret),
    /// The text of a credentials file (JWT and seed).
    Credentials(Secret),
}

/// Kafka.
#[derive(Debug, Clone)]
pub struct KafkaEndpoint {
    /// Comma-separated `host:port` list.
    pub bootstrap: String,
    /// Whether topics can be created through the admin API (librdkafka's mock cluster cannot).
    pub admin: bool,
    /// Who to log in as; absent where the cluster asks nobody (the mock cluster, nisshi) or knows the
    /// client by its certificate.
    pub login: Option<KafkaLogin>,
    /// Certificates; absent for an unencrypted connection.
    pub tls: Option<Tls>,
}

/// A user of Kafka.
#[derive(Debug, Clone)]
pub struct KafkaLogin {
    /// How the password is shown.
    pub mechanism: SaslMechanism,
    /// Name.
    pub user: String,
    /// Its password.
    pub password: Secret,
}

/// How Kafka is told a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SaslMechanism {
    /// As it is; encrypted only where the connection is.
    #[default]
    Plain,
    /// Salted challenge and response, SHA-256.
    ScramSha256,
    /// Salted challenge and response, SHA-512.
    ScramSha512,
}

/// An S3 server, addressed in path style.
#[derive(Debug, Clone)]
pub struct S3Endpoint {
    /// `http://host:port` or `https://host:port`.
    pub url: String,
    /// Access key id.
    pub access_key: String,
    /// Secret access key.
    pub secret_key: Secret,
    /// Region to sign for.
    pub region: String,
    /// Certificates, for `https`.
    pub tls: Tls,
}

/// One of the platform's own services, over HTTP.
#[derive(Debug, Clone)]
pub struct HttpEndpoint {
    /// `http://host:port` or `https://host:port`, with a path where it is mounted under one.
    pub url: String,
    /// Who to ask as.
    pub login: HttpLogin,
    /// Certificates, for `https`.
    pub tls: Tls,
}

/// How a service is told who is asking.
#[derive(Debug, Clone)]
pub enum HttpLogin {
    /// Not at all.
    None,
    /// A bearer token.
    Bearer(Secret),
    /// OAuth 2.0 client credentials (RFC 6749, section 4.4).
    ClientCredentials {
        /// Where tokens are issued.
        token_url: String,
        /// Client.
        client_id: String,
        /// Its secret.
        client_secret: Secret,
    },
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
    /// The platform's own services.
    pub platform: PlatformEndpoints,
}

/// Where the platform's own services answer.
#[derive(Debug, Clone, Default)]
pub struct PlatformEndpoints {
    /// governance-engine.
    pub governance_engine: Option<HttpEndpoint>,
    /// lakehouse-agent.
    pub lakehouse_agent: Option<HttpEndpoint>,
    /// quality-gate.
    pub quality_gate: Option<HttpEndpoint>,
}
