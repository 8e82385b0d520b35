//! One service's HTTP client: time-outs, bounds, retries, login.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Method, Url, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::login::{Login, Token};
use crate::driver::error::{chain, tls_error};
use crate::driver::retry::with_retries;
use crate::driver::{Done, DriverError, ErrorKind};
use crate::endpoint::{HttpEndpoint, HttpLogin};
use crate::tls;

/// Time to open a connection, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Time for one request: as long as the platform itself waits for a database connection.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for a request that only asks whether a service is there.
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle connections are closed after this long: before uvicorn closes them (5 s), so that a request does
/// not meet a connection that is being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// Idle connections kept: more than every lane together has in flight.
const IDLE_CONNECTIONS: usize = 64;
/// Largest answer that is read. A listing of 1000 audit events is well under a tenth of it.
const LARGEST_ANSWER: usize = 8 << 20;
/// Characters of an error's body that are shown.
const SHOWN: usize = 200;

/// A request that can be sent more than once.
#[derive(Debug, Clone)]
pub(super) struct Call<'a> {
    operation: &'static str,
    method: Method,
    segments: Vec<&'a str>,
    query: Vec<(&'static str, String)>,
    body: Option<Bytes>,
    anonymous: bool,
    timeout: Duration,
}

impl<'a> Call<'a> {
    pub(super) fn new(operation: &'static str, method: Method, segments: &[&'a str]) -> Self {
        Self {
            operation,
            method,
            segments: segments.to_vec(),
            query: Vec::new(),
            body: None,
            anonymous: false,
            timeout: REQUEST_TIMEOUT,
        }
    }

    pub(super) fn get(operation: &'static str, segments: &[&'a str]) -> Self {
        Self::new(operation, Method::GET, segments)
    }

    pub(super) fn query(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// A `POST` of JSON.
    pub(super) fn post(
        operation: &'static str,
        segments: &[&'a str],
        body: &impl Serialize,
    ) -> Self {
        // Bodies are plain structs of this module: strings, numbers, enums.
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self { body: Some(body.into()), ..Self::new(operation, Method::POST, segments) }
    }

    /// Sent without saying who asks.
    pub(super) fn anonymous(mut self) -> Self {
        self.anonymous = true;
        self
    }
}

/// What a service answered, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Bytes,
}

impl Answer {
    /// Status and the start of the body, on one line, for people.
    pub fn shown(&self) -> String {
        let text: String = String::from_utf8_lossy(&self.body).chars().take(SHOWN).collect();
        format!("{} {text}", self.status).trim_end().to_owned()
    }
}

/// A client of one service.
#[derive(Debug, Clone)]
pub(super) struct HttpClient {
    system: &'static str,
    client: Client,
    base: Url,
    login: Login,
}

impl HttpClient {
    /// A client; nothing is connected yet.
    pub(super) fn new(system: &'static str, endpoint: &HttpEndpoint) -> Result<Self, DriverError> {
        let refused = |what: &str, why: &dyn std::fmt::Display| {
            DriverError::new(ErrorKind::Refused, system, what, why)
        };
        let base = service_url(&endpoint.url).map_err(|why| refused("read its URL", &why))?;
        tls::install_provider();
        let mut builder = Client::builder()
            .user_agent(concat!("odg-bench/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .tcp_nodelay(true)
            // A redirect would carry the request, and perhaps the token, to another place.
            .redirect(redirect::Policy::none())
            // The service is measured, not a proxy in front of it.
            .no_proxy()
            .retry(reqwest::retry::never());
        if base.scheme() == "https" || endpoint.login.is_encrypted() {
            let config = endpoint.tls.client_config().map_err(|why| {
                DriverError::new(ErrorKind::Certificate, system, "read its certificates", why)
            })?;
            builder = builder.tls_backend_preconfigured(config);
        }
        let client = builder.build().map_err(|e| refused("make a client", &chain(&e)))?;
        let login = Login::new(system, &client, &endpoint.login)?;
        Ok(Self { system, client, base, login })
    }

    pub(super) fn system(&self) -> &'static str {
        self.system
    }

    /// Sends, and answers whatever status comes back. A broken connection is tried again where the request
    /// is safe to repeat, or had not left yet; a refused token is renewed once.
    pub(super) async fn send(&self, call: &Call<'_>) -> Result<Done<Answer>, DriverError> {
        let sent = with_retries(|_| async {
            if call.anonymous {
                return Ok((self.once(call, None).await?, 0));
            }
            let token = self.login.token().await?;
            let answer = self.once(call, token.as_ref()).await?;
            match token {
                Some(token) if answer.status == 401 && self.login.renews() => {
                    self.login.refused(&token).await;
                    let token = self.login.token().await?;
                    Ok((self.once(call, token.as_ref()).await?, 1))
                }
                _ => Ok((answer, 0)),
            }
        })
        .await?;
        let (answer, renewed) = sent.value;
        Ok(Done { value: answer, retries: sent.retries + renewed })
    }

    /// Sends, wants `status`, and reads the body as `T`.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
        status: u16,
    ) -> Result<Done<T>, DriverError> {
        let answer = self.send(&call).await?;
        answer.try_map(|answer| {
            self.expect(call.operation, &answer, status)?;
            serde_json::from_slice(&answer.body).map_err(|e| {
                let reason = format!("cannot read the answer: {e}");
                DriverError::wrong_answer(self.system, call.operation, reason)
            })
        })
    }

    /// `Ok` where the answer has the status that it must have.
    pub(super) fn expect(
        &self,
        operation: &'static str,
        answer: &Answer,
        status: u16,
    ) -> Result<(), DriverError> {
        if answer.status == status {
            return Ok(());
        }
        let reason = format!("HTTP {}, expected {status}", answer.shown());
        Err(DriverError::new(kind_of(answer.status), self.system, operation, reason))
    }

    /// Asks `path` of the service without a login, for `/health` and `/ready`.
    pub(super) async fn status_of(&self, path: &'static str) -> Result<Answer, DriverError> {
        let call = Call { timeout: PING_TIMEOUT, ..Call::get(path, &[path]).anonymous() };
        Ok(self.send(&call).await?.value)
    }

    async fn once(&self, call: &Call<'_>, token: Option<&Token>) -> Result<Answer, DriverError> {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(&call.segments);
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        let mut request = self.client.request(call.method.clone(), url).timeout(call.timeout);
        if let Some(body) = &call.body {
            let json = HeaderValue::from_static("application/json");
            request = request.header(CONTENT_TYPE, json).body(body.clone());
        }
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token.header());
        }
        let repeatable = call.method == Method::GET || call.method == Method::DELETE;
        let failed = |error: reqwest::Error| {
            let retryable = repeatable || error.is_connect();
            let error = http_error(self.system, call.operation, call.timeout, error);
            // An answer that got lost does not say whether the request was carried out.
            let retryable = retryable && error.is_retryable();
            error.retryable(retryable)
        };
        let mut response = request.send().await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                let reason = format!("the answer is larger than {LARGEST_ANSWER} bytes");
                return Err(DriverError::wrong_answer(self.system, call.operation, reason));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status: response.status().as_u16(), body: body.into() })
    }
}

impl HttpLogin {
    /// Whether tokens are fetched over TLS.
    fn is_encrypted(&self) -> bool {
        matches!(self, Self::ClientCredentials { token_url, .. } if token_url.starts_with("https:"))
    }
}

/// The address of a service. A login in it would end up in error texts.
pub(super) fn service_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|e| format!("{e}; give one such as http://host:8000"))?;
    if !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base() {
        return Err("it does not start with http:// or https://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a login; give that apart from the URL".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it holds a query; leave out what follows ? or #".to_owned());
    }
    Ok(url)
}

/// The kind under which a status is counted.
fn kind_of(status: u16) -> ErrorKind {
    match status {
        404 => ErrorKind::NotFound,
        408 | 504 => ErrorKind::Timeout,
        409 => ErrorKind::Conflict,
        429 => ErrorKind::Throttled,
        400..=499 => ErrorKind::Refused,
        500..=599 => ErrorKind::Server,
        _ => ErrorKind::Protocol,
    }
}

/// reqwest's errors as countable kinds.
pub(super) fn http_error(
    system: &'static str,
    operation: &str,
    timeout: Duration,
    error: reqwest::Error,
) -> DriverError {
    if error.is_timeout() {
        let after = if error.is_connect() { CONNECT_TIMEOUT } else { timeout };
        return DriverError::timeout(system, operation, after);
    }
    let kind = if error.is_builder() || error.is_redirect() {
        ErrorKind::Refused
    } else if error.is_connect() || error.is_request() || error.is_body() || error.is_decode() {
        ErrorKind::Connection
    } else {
        ErrorKind::Protocol
    };
    let error = error.without_url();
    if let Some(error) = tls_error(system, operation, &error) {
        return error;
    }
    DriverError::new(kind, system, operation, chain(&error))
}
