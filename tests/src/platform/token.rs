//! Who may write: one fixed token, and those issued to one client.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::PgPool;

use super::http::{Answer, Asked};

/// The fixed token.
pub const TOKEN: &str = "canary-bearer-token-4a1f";
/// The client that may ask for tokens.
pub const CLIENT_ID: &str = "odg-bench-test";
/// Its secret, of characters that need no encoding.
pub const CLIENT_SECRET: &str = "canary-client-secret-77d0";
/// Life of an issued token.
const LIFE: Duration = Duration::from_secs(2);

/// Tokens and when they end.
#[derive(Clone)]
pub(super) struct Tokens {
    basic: String,
    issued: Arc<Mutex<HashMap<String, Instant>>>,
}

impl Tokens {
    pub(super) async fn new(pool: &PgPool) -> Self {
        let encode = "SELECT encode(convert_to($1, 'UTF8'), 'base64')";
        let login = format!("{CLIENT_ID}:{CLIENT_SECRET}");
        let basic: String = sqlx::query_scalar(encode).bind(login).fetch_one(pool).await.unwrap();
        Self { basic: format!("Basic {basic}"), issued: Arc::default() }
    }

    pub(super) fn issued(&self) -> usize {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(super) fn issue(&self, asked: &Asked) -> Answer {
        if asked.authorization.as_deref() != Some(self.basic.as_str()) {
            return (401, json!({"error": "invalid_client"}));
        }
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        let token = format!("canary-issued-token-{}", issued.len());
        issued.insert(token.clone(), Instant::now() + LIFE);
        let answer =
            json!({"access_token": token, "token_type": "Bearer", "expires_in": LIFE.as_secs()});
        (200, answer)
    }

    /// Whether the request shows a token that is valid now.
    pub(super) fn accepts(&self, asked: &Asked) -> bool {
        let shown = asked.authorization.as_deref().and_then(|a| a.strip_prefix("Bearer "));
        let Some(shown) = shown else { return false };
        let issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        shown == TOKEN || issued.get(shown).is_some_and(|end| Instant::now() < *end)
    }
}
