//! Encrypted connections to a real server, and what is said where one cannot be had.

use super::{PoolSize, PostgresDriver};
use crate::driver::test_servers::{
    Authority, CERTIFICATE_ONLY, postgres, postgres_tls, prefix_, refusal,
};
use crate::driver::{DriverError, ErrorKind};
use crate::endpoint::{PostgresEndpoint, SslMode};
use crate::secret::Secret;

async fn connect(endpoint: &PostgresEndpoint) -> Result<PostgresDriver, DriverError> {
    PostgresDriver::connect(endpoint, PoolSize { min: 0, max: 2 }, &prefix_("p")).await
}

async fn refused(endpoint: &PostgresEndpoint) -> (ErrorKind, String) {
    refusal(connect(endpoint).await)
}

#[tokio::test]
async fn every_sslmode_checks_what_libpq_documents_for_it() {
    let authority = Authority::new();
    let Some((_server, endpoint)) = postgres_tls(&authority, &authority.server()).await else {
        return;
    };
    let driver = connect(&endpoint).await.unwrap();
    driver.prepare().await.unwrap();
    driver.drop_schema().await.unwrap();
    let with = |ssl_mode, host: &str, tls: &crate::endpoint::Tls| PostgresEndpoint {
        ssl_mode,
        host: host.to_owned(),
        tls: tls.clone(),
        ..endpoint.clone()
    };
    let (right, wrong) = (authority.trusted(), Authority::new().trusted());
    let none = crate::endpoint::Tls::default();
    for accepted in [
        with(SslMode::Prefer, "127.0.0.1", &wrong),
        with(SslMode::Require, "127.0.0.1", &none),
        with(SslMode::Require, "localhost", &right),
        with(SslMode::VerifyCa, "localhost", &right),
        with(SslMode::VerifyFull, "127.0.0.1", &right),
    ] {
        connect(&accepted).await.unwrap().ping().await.unwrap();
    }
    for (rejected, words) in [
        (with(SslMode::Require, "127.0.0.1", &wrong), "not trusted"),
        (with(SslMode::VerifyCa, "127.0.0.1", &wrong), "not trusted"),
        (with(SslMode::VerifyFull, "127.0.0.1", &wrong), "not trusted"),
        (with(SslMode::VerifyFull, "localhost", &right), "for another host"),
    ] {
        let (kind, text) = refused(&rejected).await;
        assert_eq!(kind, ErrorKind::Certificate, "{text}");
        assert!(text.contains(words), "{text}");
    }
    let (kind, text) = refused(&with(SslMode::Disable, "127.0.0.1", &none)).await;
    assert_eq!(kind, ErrorKind::Refused, "{text}");
    assert!(text.contains("sslmode require"), "{text}");
    let password = Secret::new("canary-wrong");
    let (kind, text) = refused(&PostgresEndpoint { password, ..endpoint.clone() }).await;
    assert_eq!(kind, ErrorKind::Refused, "{text}");
    assert!(text.contains("password"), "{text}");
}

#[tokio::test]
async fn a_client_certificate_logs_in_where_the_server_asks_for_one() {
    let authority = Authority::new();
    let Some((_server, mut endpoint)) = postgres_tls(&authority, &authority.server()).await else {
        return;
    };
    endpoint.database = CERTIFICATE_ONLY.to_owned();
    endpoint.password = Secret::new("not asked for");
    let (kind, text) = refused(&endpoint).await;
    assert_eq!(kind, ErrorKind::Refused, "{text}");
    endpoint.tls = authority.trusted_with_client("odg");
    connect(&endpoint).await.unwrap().ping().await.unwrap();
    endpoint.tls = authority.trusted_with_client("somebody");
    assert_eq!(refused(&endpoint).await.0, ErrorKind::Refused);
    // A key that does not belong to the certificate is found before anything is sent.
    let mut identity = authority.client("odg").identity();
    identity.key_pem = authority.client("odg").identity().key_pem;
    endpoint.tls.identity = Some(identity);
    let (kind, text) = refused(&endpoint).await;
    assert_eq!(kind, ErrorKind::Certificate, "{text}");
    assert!(text.contains("does not fit"), "{text}");
}

#[tokio::test]
async fn an_expired_certificate_and_a_server_without_tls_are_told_apart() {
    let authority = Authority::new();
    let Some((_server, endpoint)) = postgres_tls(&authority, &authority.expired_server()).await
    else {
        return;
    };
    let (kind, text) = refused(&endpoint).await;
    assert_eq!(kind, ErrorKind::Certificate, "{text}");
    assert!(text.contains("has expired"), "{text}");
    let Some((_server, plain)) = postgres().await else { return };
    let asked = PostgresEndpoint {
        ssl_mode: SslMode::VerifyFull,
        tls: authority.trusted(),
        ..plain.clone()
    };
    let (kind, text) = refused(&asked).await;
    assert_eq!(kind, ErrorKind::Protocol, "{text}");
    assert!(text.contains("does not offer TLS"), "{text}");
    connect(&PostgresEndpoint { ssl_mode: SslMode::Prefer, ..plain }).await.unwrap();
}

/// Port and password of a server whose authority only `PGSSLROOTCERT` names, for a process of its own: what a
/// client library reads from its environment cannot be set in this one.
const IN_CHILD: &str = "ODG_BENCH_TEST_TLS_SERVER";

#[tokio::test]
async fn an_authority_in_the_environment_is_not_trusted() {
    if let Some(at) = std::env::var(IN_CHILD).ok().filter(|at| !at.is_empty()) {
        let (port, password) = at.split_once(' ').unwrap();
        let (kind, text) = refused(&PostgresEndpoint {
            host: "127.0.0.1".to_owned(),
            port: port.parse().unwrap(),
            user: "odg".to_owned(),
            password: Secret::new(password),
            database: "postgres".to_owned(),
            ssl_mode: SslMode::VerifyFull,
            tls: crate::endpoint::Tls::default(),
        })
        .await;
        assert_eq!(kind, ErrorKind::Certificate, "{text}");
        return;
    }
    let authority = Authority::new();
    let Some((_server, endpoint)) = postgres_tls(&authority, &authority.server()).await else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["an_authority_in_the_environment_is_not_trusted", "--nocapture"])
        .env(IN_CHILD, format!("{} {}", endpoint.port, endpoint.password.expose()))
        .env("PGSSLROOTCERT", &file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout).into_owned();
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}
