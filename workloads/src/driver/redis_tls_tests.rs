//! Encrypted connections to a real server, and what is said where one cannot be had.

use super::RedisDriver;
use crate::driver::test_servers::{Authority, prefix, redis, redis_tls, refusal};
use crate::driver::{DriverError, ErrorKind};
use crate::endpoint::RedisEndpoint;
use crate::secret::Secret;

async fn connect(endpoint: &RedisEndpoint) -> Result<RedisDriver, DriverError> {
    RedisDriver::connect(endpoint, prefix("r")).await
}

async fn refused(endpoint: &RedisEndpoint) -> (ErrorKind, String) {
    refusal(connect(endpoint).await)
}

#[tokio::test]
async fn an_acl_user_works_over_tls_and_each_mismatch_is_named() {
    let authority = Authority::new();
    let Some((_server, endpoint)) = redis_tls(&authority, &authority.server(), false).await else {
        return;
    };
    let driver = connect(&endpoint).await.unwrap();
    driver.put("odgbench-r:k", b"x", 60).await.unwrap();
    assert_eq!(driver.get("odgbench-r:k").await.unwrap().value.as_deref(), Some(&b"x"[..]));

    let stranger = Some(Authority::new().trusted());
    let (kind, text) = refused(&RedisEndpoint { tls: stranger, ..endpoint.clone() }).await;
    assert_eq!(kind, ErrorKind::Certificate, "{text}");
    assert!(text.contains("not trusted"), "{text}");
    let host = "localhost".to_owned();
    let (kind, text) = refused(&RedisEndpoint { host, ..endpoint.clone() }).await;
    assert_eq!(kind, ErrorKind::Certificate, "{text}");
    assert!(text.contains("for another host"), "{text}");
    let password = Some(Secret::new("canary-wrong"));
    let (kind, text) = refused(&RedisEndpoint { password, ..endpoint.clone() }).await;
    assert_eq!(kind, ErrorKind::Refused, "{text}");
    let (kind, text) = refused(&RedisEndpoint { user: None, ..endpoint.clone() }).await;
    assert_eq!(kind, ErrorKind::Refused, "{text}");
    let (_, text) = refused(&RedisEndpoint { tls: None, ..endpoint.clone() }).await;
    assert!(text.contains("switch TLS on"), "{text}");
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_the_server_asks_for_one() {
    let authority = Authority::new();
    let Some((_server, endpoint)) = redis_tls(&authority, &authority.server(), true).await else {
        return;
    };
    connect(&endpoint).await.unwrap().ping().await.unwrap();
    let (kind, text) =
        refused(&RedisEndpoint { tls: Some(authority.trusted()), ..endpoint.clone() }).await;
    // TLS 1.3 tells the client after its first request: the alert may go down with the connection.
    assert!(matches!(kind, ErrorKind::Certificate | ErrorKind::Connection), "{text}");
}

#[tokio::test]
async fn an_expired_certificate_and_a_server_without_tls_are_told_apart() {
    let authority = Authority::new();
    let expired = authority.expired_server();
    let Some((_server, endpoint)) = redis_tls(&authority, &expired, false).await else { return };
    let (kind, text) = refused(&endpoint).await;
    assert_eq!(kind, ErrorKind::Certificate, "{text}");
    assert!(text.contains("has expired"), "{text}");
    let Some((_server, plain)) = redis().await else { return };
    let (kind, text) =
        refused(&RedisEndpoint { tls: Some(authority.trusted()), ..plain.clone() }).await;
    // Redis takes the greeting for the beginning of a command, and waits for the rest of it.
    assert_eq!(kind, ErrorKind::Timeout, "{text}");
    assert!(text.contains("switch TLS off"), "{text}");
}
