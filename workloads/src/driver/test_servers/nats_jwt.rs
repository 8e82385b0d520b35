//! A NATS server that knows its users by signed tokens (operator mode), with keys and tokens of the test's own.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use serde_json::{Value, json};

use super::{Server, nats};
use crate::endpoint::{NatsEndpoint, NatsLogin};
use crate::secret::Secret;

/// An account whose users the server lets in.
pub(crate) struct Account(KeyPair);

/// What is not limited.
const NONE: i64 = -1;

/// A server in operator mode, the account that it trusts, and the credentials of a user of that account.
pub(crate) async fn nats_operator() -> Option<(Server, Account, NatsEndpoint)> {
    let (operator, system, account) =
        (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_account());
    let config = format!(
        "operator: \"{}\"\nsystem_account: {}\nresolver: MEMORY\nresolver_preload {{ {}: \"{}\", {}: \"{}\" }}\n",
        token(&operator, &operator, "operator", json!({})),
        system.public_key(),
        system.public_key(),
        token(&operator, &system, "account", account_limits(0)),
        account.public_key(),
        token(&operator, &account, "account", account_limits(NONE)),
    );
    let account = Account(account);
    let login = account.user();
    let (server, endpoint) = nats::start(|_| config, login, None).await?;
    Some((server, account, endpoint))
}

impl Account {
    /// An account that no server knows.
    pub(crate) fn unknown() -> Self {
        Self(KeyPair::new_account())
    }

    /// The credentials of a new user, as `nsc` writes them.
    pub(crate) fn user(&self) -> NatsLogin {
        let user = KeyPair::new_user();
        let claims = json!({ "pub": {}, "sub": {}, "subs": NONE, "data": NONE, "payload": NONE });
        let jwt = token(&self.0, &user, "user", claims);
        NatsLogin::Credentials(Secret::new(format!(
            "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
            user.seed().unwrap()
        )))
    }
}

/// Nothing is limited; `storage` is what JetStream may keep, in bytes. The system's account may have none.
fn account_limits(storage: i64) -> Value {
    json!({
        "limits": {
            "subs": NONE, "data": NONE, "payload": NONE, "imports": NONE, "exports": NONE,
            "wildcards": true, "conn": NONE, "leaf": NONE,
            "mem_storage": storage, "disk_storage": storage, "streams": storage, "consumer": storage,
        },
        "default_permissions": { "pub": {}, "sub": {} },
    })
}

/// A token about `subject`, signed by `issuer`.
fn token(issuer: &KeyPair, subject: &KeyPair, kind: &str, mut nats: Value) -> String {
    nats["type"] = kind.into();
    nats["version"] = 2.into();
    let claims = json!({
        "jti": uuid::Uuid::new_v4().simple().to_string(),
        "iat": 1_700_000_000,
        "iss": issuer.public_key(),
        "name": kind,
        "sub": subject.public_key(),
        "nats": nats,
    });
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let signed = format!("{}.{}", encoded(&header), encoded(&claims));
    let signature = issuer.sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}
