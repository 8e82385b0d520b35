//! Who asks: nobody, a bearer token, or a client whose tokens are fetched and renewed.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Url};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::http::{http_error, service_url};
use crate::driver::{DriverError, ErrorKind};
use crate::endpoint::HttpLogin;
use crate::secret::Secret;

/// Time for a token to be issued.
const ISSUE_TIMEOUT: Duration = Duration::from_secs(10);
/// A token is renewed after this part of its life, so that none expires on its way.
const RENEW_AFTER: f64 = 0.8;

/// A token as a header. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Token(HeaderValue);

impl Token {
    fn new(secret: &str) -> Option<Self> {
        let mut value = HeaderValue::from_str(&format!("Bearer {secret}")).ok()?;
        value.set_sensitive(true);
        Some(Self(value))
    }

    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

/// How requests are authorised.
#[derive(Debug, Clone)]
pub(super) enum Login {
    None,
    Fixed(Token),
    Client(Arc<Issuer>),
}

impl Login {
    pub(super) fn new(
        system: &'static str,
        client: &Client,
        login: &HttpLogin,
    ) -> Result<Self, DriverError> {
        let refused =
            |why: String| DriverError::new(ErrorKind::Refused, system, "read its login", why);
        match login {
            HttpLogin::None => Ok(Self::None),
            HttpLogin::Bearer(secret) => {
                Token::new(secret.expose()).map(Self::Fixed).ok_or_else(|| {
                    refused("the token holds a character that a header cannot carry".into())
                })
            }
            HttpLogin::ClientCredentials { token_url, client_id, client_secret } => {
                let url = service_url(token_url).map_err(|e| refused(format!("token URL: {e}")))?;
                Ok(Self::Client(Arc::new(Issuer {
                    system,
                    client: client.clone(),
                    url,
                    id: client_id.clone(),
                    secret: client_secret.clone(),
                    held: Mutex::default(),
                })))
            }
        }
    }

    /// The token to show now; `None` where there is no login.
    pub(super) async fn token(&self) -> Result<Option<Token>, DriverError> {
        match self {
            Self::None => Ok(None),
            Self::Fixed(token) => Ok(Some(token.clone())),
            Self::Client(issuer) => issuer.token().await.map(Some),
        }
    }

    /// Whether a refused token can be replaced.
    pub(super) fn renews(&self) -> bool {
        matches!(self, Self::Client(_))
    }

    /// The service refused this token: the next one is a new one.
    pub(super) async fn refused(&self, token: &Token) {
        if let Self::Client(issuer) = self {
            issuer.forget(token).await;
        }
    }
}

/// Fetches tokens for a client (RFC 6749, section 4.4), one request at a time.
#[derive(Debug)]
pub(super) struct Issuer {
    system: &'static str,
    client: Client,
    url: Url,
    id: String,
    secret: Secret,
    held: Mutex<Option<Held>>,
}

#[derive(Debug)]
struct Held {
    token: Token,
    renew_at: Option<Instant>,
}

/// What an authorisation server answers. Not `Debug`: it holds the token.
#[derive(Deserialize)]
struct Issued {
    access_token: String,
    token_type: String,
    expires_in: Option<u64>,
}

/// Why it refuses (RFC 6749, section 5.2): a code, never a secret.
#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl Issuer {
    async fn token(&self) -> Result<Token, DriverError> {
        let mut held = self.held.lock().await;
        if let Some(held) =
            held.as_ref().filter(|h| h.renew_at.is_none_or(|at| Instant::now() < at))
        {
            return Ok(held.token.clone());
        }
        let issued = self.fetch().await?;
        let token = issued.token.clone();
        *held = Some(issued);
        Ok(token)
    }

    async fn forget(&self, token: &Token) {
        let mut held = self.held.lock().await;
        // Another request may have renewed it meanwhile.
        if held.as_ref().is_some_and(|h| h.token == *token) {
            *held = None;
        }
    }

    async fn fetch(&self) -> Result<Held, DriverError> {
        let operation = "fetch a token";
        let asked_at = Instant::now();
        let failed = |e| http_error(self.system, operation, ISSUE_TIMEOUT, e);
        let response = self
            .client
            .post(self.url.clone())
            .timeout(ISSUE_TIMEOUT)
            // Section 2.3.1: both are form-encoded before they become user name and password.
            .basic_auth(form_encoded(&self.id), Some(form_encoded(self.secret.expose())))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body("grant_type=client_credentials")
            .send()
            .await
            .map_err(failed)?;
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(failed)?;
        if status != 200 {
            let code = serde_json::from_slice::<Refusal>(&body).map_or(String::new(), |r| r.error);
            let reason =
                format!("the token URL answered HTTP {status} {code}; check client id and secret");
            return Err(DriverError::new(ErrorKind::Refused, self.system, operation, reason));
        }
        let wrong = |why: &str| DriverError::wrong_answer(self.system, operation, why);
        // The parser's own error could quote the token.
        let issued: Issued = serde_json::from_slice(&body)
            .map_err(|_| wrong("the token URL's answer is not a token"))?;
        if !issued.token_type.eq_ignore_ascii_case("bearer") {
            return Err(wrong("the token is not of type bearer"));
        }
        let token = Token::new(&issued.access_token)
            .ok_or_else(|| wrong("the token holds a character that a header cannot carry"))?;
        let renew_at = issued.expires_in.map(|seconds| {
            let life = Duration::from_secs(seconds.min(u64::from(u32::MAX)));
            asked_at + life.mul_f64(RENEW_AFTER)
        });
        Ok(Held { token, renew_at })
    }
}

/// `application/x-www-form-urlencoded`, of one value.
fn form_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => {
                char::from(byte).to_string()
            }
            b' ' => "+".to_owned(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
