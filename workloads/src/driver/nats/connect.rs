//! How a connection is opened: as whom, encrypted or not, and how long it may take.

use std::time::Duration;

use async_nats::{Client, ConnectError, ConnectErrorKind, ConnectOptions};

use super::classify::SYSTEM;
use crate::driver::error::{chain, tls_error};
use crate::driver::{DriverError, ErrorKind};
use crate::endpoint::{NatsEndpoint, NatsLogin};
use crate::tls::install_provider;

/// Time to open a connection, TLS included. A server on the network answers in milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for the first connection to any of the server's addresses, name look-up included.
const GIVE_UP_AFTER: Duration = Duration::from_secs(12);

/// Options that say who is asking, and what is trusted.
pub(super) fn options(endpoint: &NatsEndpoint) -> Result<ConnectOptions, DriverError> {
    if endpoint.address.contains('@') {
        // Not repeated in the error: it holds a password.
        let reason = "a login in the address; give it in its own fields";
        return Err(DriverError::new(ErrorKind::Refused, SYSTEM, "read the address", reason));
    }
    // A server may insist on TLS where none was asked for; the client then wants a crypto library.
    install_provider();
    let options = login(&endpoint.login)?.connection_timeout(CONNECT_TIMEOUT);
    let Some(tls) = &endpoint.tls else { return Ok(options) };
    let config = tls.client_config().map_err(|e| {
        let operation = format!("connect to {}", endpoint.address);
        DriverError::new(ErrorKind::Certificate, SYSTEM, operation, e)
    })?;
    Ok(options.require_tls(true).tls_client_config(config))
}

fn login(login: &NatsLogin) -> Result<ConnectOptions, DriverError> {
    Ok(match login {
        NatsLogin::None => ConnectOptions::new(),
        NatsLogin::Password { user, password } => {
            ConnectOptions::with_user_and_password(user.clone(), password.expose().to_owned())
        }
        NatsLogin::Token(token) => ConnectOptions::with_token(token.expose().to_owned()),
        NatsLogin::Credentials(text) => {
            ConnectOptions::with_credentials(text.expose()).map_err(|_| {
                // The library's text may quote the file, which holds a seed.
                let reason =
                    "not a credentials file: it needs a USER JWT and a USER NKEY SEED block";
                DriverError::new(ErrorKind::Refused, SYSTEM, "read the credentials", reason)
            })?
        }
    })
}

/// Connects, in bounded time.
pub(super) async fn open(
    endpoint: &NatsEndpoint,
    options: ConnectOptions,
) -> Result<Client, DriverError> {
    let connected = options.connect(&endpoint.address);
    match tokio::time::timeout(GIVE_UP_AFTER, connected).await {
        Ok(connected) => connected.map_err(|e| connect_error(endpoint, &e)),
        Err(_) => {
            let operation = format!("connect to {}", endpoint.address);
            Err(DriverError::timeout(SYSTEM, operation, GIVE_UP_AFTER))
        }
    }
}

fn connect_error(endpoint: &NatsEndpoint, error: &ConnectError) -> DriverError {
    let operation = format!("connect to {}", endpoint.address);
    if let Some(error) = tls_error(SYSTEM, &operation, error) {
        return error;
    }
    let kind = match error.kind() {
        ConnectErrorKind::ServerParse
        | ConnectErrorKind::Authentication
        | ConnectErrorKind::AuthorizationViolation => ErrorKind::Refused,
        ConnectErrorKind::TimedOut => ErrorKind::Timeout,
        _ => ErrorKind::Connection,
    };
    DriverError::new(kind, SYSTEM, operation, chain(error))
}
