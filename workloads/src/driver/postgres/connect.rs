//! How a connection is opened: as whom, how strictly encrypted, and how long it may take.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{Connection, Error, PgConnection};

use super::classify::{SYSTEM, pg_error};
use crate::driver::{DriverError, ErrorKind};
use crate::endpoint::{PostgresEndpoint, SslMode};

/// Time to open the first connection, which says at once whether the server, its certificate and the
/// password are right.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for one statement, kept by the server.
const STATEMENT_TIMEOUT_MS: &str = "30000";

/// The variable of this process's environment that the client library would obey against what `endpoint` says
/// (or, without one, against what is true of every server that is started here); `None` where there is none.
/// Every other one that it reads (`PGHOST`, `PGSSLMODE` …) is overruled; these it offers no way to.
pub fn obeyed_variable(endpoint: Option<&PostgresEndpoint>) -> Option<&'static str> {
    let set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let shows_itself =
        endpoint.is_some_and(|at| at.ssl_mode != SslMode::Disable && at.tls.identity.is_none());
    let certificate = ["PGSSLCERT", "PGSSLKEY"].into_iter().filter(|_| shows_itself);
    ["PGOPTIONS"].into_iter().chain(certificate).find(set)
}

/// The options of every connection; `schema` is its only search path.
pub(super) fn options(
    endpoint: &PostgresEndpoint,
    schema: &str,
    operation: &str,
) -> Result<PgConnectOptions, DriverError> {
    let mode = match endpoint.ssl_mode {
        SslMode::Disable => PgSslMode::Disable,
        SslMode::Prefer => PgSslMode::Prefer,
        // libpq checks the certificate as soon as it has an authority to check it against; sqlx does not.
        SslMode::Require if endpoint.tls.ca_pem.is_some() => PgSslMode::VerifyCa,
        SslMode::Require => PgSslMode::Require,
        SslMode::VerifyCa => PgSslMode::VerifyCa,
        SslMode::VerifyFull => PgSslMode::VerifyFull,
    };
    if let Some(variable) = obeyed_variable(Some(endpoint)) {
        let reason =
            format!("environment variable {variable} is set, which is not to count; unset it");
        return Err(DriverError::new(ErrorKind::Refused, SYSTEM, operation, reason));
    }
    if endpoint.host.contains('@') {
        // Not repeated in the error: it may hold a password.
        let reason = "a login in the host; give it as user and password";
        return Err(DriverError::new(ErrorKind::Refused, SYSTEM, "read the host", reason));
    }
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(&endpoint.host)
        .port(endpoint.port)
        .username(&endpoint.user)
        .password(endpoint.password.expose())
        .database(&endpoint.database)
        .ssl_mode(mode)
        .application_name("odg-bench")
        .options([("search_path", schema), ("statement_timeout", STATEMENT_TIMEOUT_MS)]);
    if endpoint.ssl_mode != SslMode::Disable {
        let tls = &endpoint.tls;
        if tls.ca_pem.is_some() || tls.identity.is_some() {
            tls.check()
                .map_err(|e| DriverError::new(ErrorKind::Certificate, SYSTEM, operation, e))?;
        }
        // Without an authority of one's own none at all, so that PGSSLROOTCERT adds none either.
        let ca = tls.ca_pem.clone().unwrap_or_default();
        options = options.ssl_root_cert_from_pem(ca.into_bytes());
        if let Some(identity) = &tls.identity {
            options = options
                .ssl_client_cert_from_pem(&identity.certificate_pem)
                .ssl_client_key_from_pem(identity.key_pem.expose());
        }
    }
    Ok(options)
}

/// Opens a connection and closes it again. The pool would try for 30 s and then report a time-out, whatever
/// the reason was.
pub(super) async fn try_once(
    options: &PgConnectOptions,
    operation: &str,
) -> Result<(), DriverError> {
    let open_and_close = async { PgConnection::connect_with(options).await?.close().await };
    match tokio::time::timeout(CONNECT_TIMEOUT, open_and_close).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(refine(operation, &error)),
        Err(_) => Err(DriverError::timeout(SYSTEM, operation, CONNECT_TIMEOUT)),
    }
}

/// Adds what to do where one side asks for encryption and the other has none.
fn refine(operation: &str, error: &Error) -> DriverError {
    match error {
        Error::Tls(reason) if reason.to_string().contains("does not support TLS") => {
            let reason =
                "the server does not offer TLS; switch it on there, or use sslmode disable";
            DriverError::new(ErrorKind::Protocol, SYSTEM, operation, reason)
        }
        Error::Database(database) if database.message().contains("no encryption") => {
            let reason = format!(
                "{}; if the server wants TLS, use sslmode require or stricter",
                database.message()
            );
            DriverError::new(ErrorKind::Refused, SYSTEM, operation, reason)
        }
        other => pg_error(operation, other),
    }
}
