//! Redis: the platform's session and cache entries.

mod leftovers;

use std::time::Duration;

use bytes::Bytes;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{
    Client, ClientTlsConfig, Cmd, ConnectionAddr, ErrorKind as RedisKind, FromRedisValue, InfoDict,
    IntoConnectionInfo, RedisConnectionInfo, RedisError, ServerErrorKind, TlsCertificates,
};

use super::error::{chain, tls_error};
use super::retry::with_retries;
use super::{Done, DriverError, ErrorKind, Prefix};
use crate::endpoint::RedisEndpoint;
use crate::tls::install_provider;

const SYSTEM: &str = "redis";
/// Time to open a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Time for all attempts at the first connection, name look-up included.
const GIVE_UP_AFTER: Duration = Duration::from_secs(12);
/// Time for one command. Redis answers in microseconds; past this it hangs.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
/// Commands in flight on the one multiplexed connection; more wait inside the client.
const CONCURRENCY: usize = 1024;
/// Time to live of a platform cache entry (`{table}:{id}`), in seconds.
pub const PLATFORM_TTL_S: u64 = 3600;
/// Keys looked at per SCAN call and removed per UNLINK call during clean-up.
const SCAN_COUNT: usize = 1000;

/// A Redis server, over one multiplexed connection that reconnects by itself.
#[derive(Clone)]
pub struct RedisDriver {
    connection: ConnectionManager,
    prefix: Prefix,
}

impl RedisDriver {
    /// Connects and authenticates.
    ///
    /// # Errors
    /// [`ErrorKind::Connection`] where nothing answers, [`ErrorKind::Refused`] on a wrong password or a login in
    /// the host, [`ErrorKind::Certificate`] for a certificate that is not accepted.
    pub async fn connect(endpoint: &RedisEndpoint, prefix: Prefix) -> Result<Self, DriverError> {
        if endpoint.host.contains('@') {
            // Not repeated in the error: it may hold a password.
            let reason = "a login in the host; give it as user and password";
            return Err(DriverError::new(ErrorKind::Refused, SYSTEM, "read the host", reason));
        }
        let operation = format!("connect to {}:{}", endpoint.host, endpoint.port);
        let client = client(endpoint, &operation)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_concurrency_limit(CONCURRENCY)
            .set_min_delay(Duration::from_millis(20))
            .set_max_delay(Duration::from_millis(500))
            .set_number_of_retries(2);
        let opened = ConnectionManager::new_with_config(client, config);
        let connection = match tokio::time::timeout(GIVE_UP_AFTER, opened).await {
            Ok(opened) => opened.map_err(|e| connect_error(endpoint, &operation, &e))?,
            Err(_) => return Err(DriverError::timeout(SYSTEM, operation, GIVE_UP_AFTER)),
        };
        Ok(Self { connection, prefix })
    }

    async fn run<T: FromRedisValue>(
        &self,
        operation: &str,
        command: &Cmd,
    ) -> Result<Done<T>, DriverError> {
        with_retries(|_| async {
            let mut connection = self.connection.clone();
            command.query_async(&mut connection).await.map_err(|e| redis_error(operation, &e))
        })
        .await
    }

    /// Stores a session that lives for `ttl_s` seconds.
    ///
    /// # Errors
    /// A key without the run's prefix; anything else as classified.
    pub async fn put(&self, key: &str, value: &[u8], ttl_s: u64) -> Result<Done<()>, DriverError> {
        self.prefix.check(SYSTEM, key)?;
        let mut command = redis::cmd("SET");
        command.arg(key).arg(value).arg("EX").arg(ttl_s);
        self.run("SET", &command).await
    }

    /// The session under `key`, if it is there and still alive.
    ///
    /// # Errors
    /// As classified.
    pub async fn get(&self, key: &str) -> Result<Done<Option<Bytes>>, DriverError> {
        let mut command = redis::cmd("GET");
        command.arg(key);
        let done: Done<Option<Vec<u8>>> = self.run("GET", &command).await?;
        Ok(done.map(|value| value.map(Bytes::from)))
    }

    /// Removes every key of this run that starts with `prefix`, and says how many.
    ///
    /// # Errors
    /// A prefix that is not this run's; anything else as classified.
    pub async fn delete_prefix(&self, prefix: &str) -> Result<u64, DriverError> {
        self.prefix.check(SYSTEM, prefix)?;
        let pattern = format!("{}*", escape_glob(prefix));
        let mut cursor = 0_u64;
        let mut removed = 0;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(SCAN_COUNT);
            let found: Done<(u64, Vec<Vec<u8>>)> = self.run("SCAN", &scan).await?;
            let (next, mut keys) = found.value;
            // `odgbench-a*` finds `odgbench-a2…` as well, which is another run's.
            keys.retain(|key| std::str::from_utf8(key).is_ok_and(|key| self.prefix.owns(key)));
            if !keys.is_empty() {
                let mut unlink = redis::cmd("UNLINK");
                unlink.arg(&keys);
                removed += self.run::<u64>("UNLINK", &unlink).await?.value;
            }
            cursor = next;
            if cursor == 0 {
                return Ok(removed);
            }
        }
    }

    /// A real command.
    ///
    /// # Errors
    /// As classified.
    pub async fn ping(&self) -> Result<Done<()>, DriverError> {
        let done: Done<String> = self.run("PING", &redis::cmd("PING")).await?;
        Ok(done.map(drop))
    }

    /// The server's version as it reports it.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] where it reports none; anything else as classified.
    pub async fn version(&self) -> Result<String, DriverError> {
        self.product().await.map(|(_, version)| version)
    }

    /// The product that the server says it is, and its version. Those that took Redis's place report a Redis
    /// version as well, for clients that look at it.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] where it reports none; anything else as classified.
    pub async fn product(&self) -> Result<(&'static str, String), DriverError> {
        const PRODUCTS: [(&str, &str); 3] = [
            ("Valkey", "valkey_version"),
            ("Dragonfly", "dragonfly_version"),
            ("Redis", "redis_version"),
        ];
        let mut command = redis::cmd("INFO");
        command.arg("server");
        let info: Done<InfoDict> = self.run("INFO", &command).await?;
        let named = PRODUCTS.iter().find_map(|(name, key)| Some((*name, info.value.get(key)?)));
        named.ok_or_else(|| {
            DriverError::new(ErrorKind::Protocol, SYSTEM, "INFO", "no redis_version in the answer")
        })
    }
}

/// A client that speaks plainly or in TLS, and logs in, as the endpoint says.
fn client(endpoint: &RedisEndpoint, operation: &str) -> Result<Client, DriverError> {
    let mut settings = RedisConnectionInfo::default();
    if let Some(user) = &endpoint.user {
        settings = settings.set_username(user);
    }
    if let Some(password) = &endpoint.password {
        settings = settings.set_password(password.expose());
    }
    let (host, port) = (endpoint.host.clone(), endpoint.port);
    let opened = match &endpoint.tls {
        None => ConnectionAddr::Tcp(host, port)
            .into_connection_info()
            .and_then(|info| Client::open(info.set_redis_settings(settings))),
        Some(tls) => {
            tls.check()
                .map_err(|e| DriverError::new(ErrorKind::Certificate, SYSTEM, operation, e))?;
            // The client asks rustls for the process's default crypto library.
            install_provider();
            let certificates = TlsCertificates {
                root_cert: tls.ca_pem.clone().map(String::into_bytes),
                client_tls: tls.identity.as_ref().map(|identity| ClientTlsConfig {
                    client_cert: identity.certificate_pem.clone().into_bytes(),
                    client_key: identity.key_pem.expose().as_bytes().to_vec(),
                }),
            };
            ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
                .into_connection_info()
                .and_then(|info| {
                    Client::build_with_tls(info.set_redis_settings(settings), certificates)
                })
        }
    };
    opened.map_err(|e| redis_error(operation, &e))
}

/// Adds what to do where the server closed the connection on our first words, or did not answer them.
fn connect_error(endpoint: &RedisEndpoint, operation: &str, error: &RedisError) -> DriverError {
    let plain = redis_error(operation, error);
    if endpoint.tls.is_some() && plain.kind() == ErrorKind::Timeout {
        return plain.advise("if the server's port is not a TLS one, switch TLS off for it");
    }
    if endpoint.tls.is_none() && error.is_connection_dropped() && !error.is_connection_refusal() {
        return plain.advise("if this is the server's TLS port, switch TLS on for it (rediss://)");
    }
    plain
}

/// SCAN's pattern is a glob; the prefix is meant literally.
fn escape_glob(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\' | '^') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

fn redis_error(operation: &str, error: &RedisError) -> DriverError {
    if let Some(error) = tls_error(SYSTEM, operation, error) {
        return error;
    }
    let kind = if error.is_timeout() {
        ErrorKind::Timeout
    } else if error.is_connection_dropped() || error.is_connection_refusal() {
        ErrorKind::Connection
    } else {
        match (error.kind(), error.code()) {
            (RedisKind::Io, _) => ErrorKind::Connection,
            (_, Some("OOM")) => ErrorKind::Full,
            (RedisKind::AuthenticationFailed | RedisKind::InvalidClientConfig, _)
            | (_, Some("WRONGPASS" | "NOAUTH"))
            | (RedisKind::Server(ServerErrorKind::NoPerm), _) => ErrorKind::Refused,
            (RedisKind::Server(ServerErrorKind::BusyLoading | ServerErrorKind::TryAgain), _) => {
                ErrorKind::Throttled
            }
            (RedisKind::Parse | RedisKind::UnexpectedReturnType, _) => ErrorKind::Protocol,
            _ => ErrorKind::Server,
        }
    };
    DriverError::new(kind, SYSTEM, operation, chain(error))
}

#[cfg(test)]
#[path = "redis_tests.rs"]
mod tests;
#[cfg(test)]
#[path = "redis_tls_tests.rs"]
mod tls_tests;
