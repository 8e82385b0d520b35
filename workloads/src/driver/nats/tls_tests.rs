//! Encrypted connections to a real server, and what is said where one cannot be had.

use super::NatsDriver;
use crate::driver::test_servers::{
    Account, Authority, NatsTlsAuth, nats, nats_operator, nats_tls, prefix, refusal,
};
use crate::driver::{DriverError, ErrorKind};
use crate::endpoint::{NatsEndpoint, NatsLogin};
use crate::secret::Secret;

async fn connect(endpoint: &NatsEndpoint) -> Result<NatsDriver, DriverError> {
    NatsDriver::connect(endpoint, prefix("n")).await
}

async fn refused(endpoint: &NatsEndpoint) -> (ErrorKind, String) {
    refusal(connect(endpoint).await)
}

#[tokio::test]
async fn a_user_works_over_tls_and_each_mismatch_is_named() {
    let authority = Authority::new();
    let by_password = NatsTlsAuth::Password;
    let Some((_server, endpoint)) = nats_tls(&authority, &authority.server(), by_password).await
    else {
        return;
    };
    connect(&endpoint).await.unwrap().ping().await.unwrap();

    let stranger = Some(Authority::new().trusted());
    let (kind, text) = refused(&NatsEndpoint { tls: stranger, ..endpoint.clone() }).await;
    assert_eq!(kind, ErrorKind::Certificate, "{text}");
    assert!(text.contains("not trusted"), "{text}");
    let address = endpoint.address.replace("127.0.0.1", "localhost");
    let (kind, text) = refused(&NatsEndpoint { address, ..endpoint.clone() }).await;
    assert_eq!(kind, ErrorKind::Certificate, "{text}");
    assert!(text.contains("for another host"), "{text}");
    let login =
        NatsLogin::Password { user: "odg".to_owned(), password: Secret::new("canary-wrong") };
    let (kind, text) = refused(&NatsEndpoint { login, ..endpoint.clone() }).await;
    assert_eq!(kind, ErrorKind::Refused, "{text}");
    // The server insists on TLS; without its authority the client cannot trust it.
    let (kind, text) = refused(&NatsEndpoint { tls: None, ..endpoint.clone() }).await;
    assert_eq!(kind, ErrorKind::Certificate, "{text}");
}

#[tokio::test]
async fn a_token_and_a_client_certificate_are_shown_where_the_server_asks_for_them() {
    let authority = Authority::new();
    let both = NatsTlsAuth::TokenAndCertificate;
    let Some((_server, endpoint)) = nats_tls(&authority, &authority.server(), both).await else {
        return;
    };
    connect(&endpoint).await.unwrap().ping().await.unwrap();
    let login = NatsLogin::Token(Secret::new("canary-wrong"));
    let (kind, text) = refused(&NatsEndpoint { login, ..endpoint.clone() }).await;
    assert_eq!(kind, ErrorKind::Refused, "{text}");
    let (kind, text) =
        refused(&NatsEndpoint { tls: Some(authority.trusted()), ..endpoint.clone() }).await;
    // TLS 1.3 tells the client after its first words: the alert may go down with the connection.
    assert!(matches!(kind, ErrorKind::Certificate | ErrorKind::Connection), "{text}");
}

#[tokio::test]
async fn an_expired_certificate_and_a_server_without_tls_are_told_apart() {
    let authority = Authority::new();
    let expired = authority.expired_server();
    let Some((_server, endpoint)) = nats_tls(&authority, &expired, NatsTlsAuth::Password).await
    else {
        return;
    };
    let (kind, text) = refused(&endpoint).await;
    assert_eq!(kind, ErrorKind::Certificate, "{text}");
    assert!(text.contains("has expired"), "{text}");
    let Some((_server, plain)) = nats().await else { return };
    let (kind, text) = refused(&NatsEndpoint { tls: Some(authority.trusted()), ..plain }).await;
    assert_eq!(kind, ErrorKind::Protocol, "{text}");
    assert!(text.contains("does not speak TLS"), "{text}");
}

#[tokio::test]
async fn a_login_in_the_address_and_damaged_credentials_are_refused_without_being_repeated() {
    let login = NatsLogin::None;
    let address = "odg:canary-5f1c@127.0.0.1:4222".to_owned();
    let (kind, text) = refused(&NatsEndpoint { address, login, tls: None }).await;
    assert_eq!(kind, ErrorKind::Refused);
    assert!(!text.contains("canary"), "{text}");
    let login = NatsLogin::Credentials(Secret::new(
        "-----BEGIN NATS USER JWT-----\ncanary-jwt\n------END NATS USER JWT------\n\
         -----BEGIN USER NKEY SEED-----\ncanary-seed\n------END USER NKEY SEED------\n",
    ));
    let address = "127.0.0.1:4222".to_owned();
    let (kind, text) = refused(&NatsEndpoint { address, login, tls: None }).await;
    assert_eq!(kind, ErrorKind::Refused);
    assert!(!text.contains("canary"), "{text}");
}

#[tokio::test]
async fn signed_credentials_log_in_and_those_of_an_unknown_account_do_not() {
    let Some((_server, account, endpoint)) = nats_operator().await else { return };
    connect(&endpoint).await.unwrap().ping().await.unwrap();
    let another = NatsEndpoint { login: account.user(), ..endpoint.clone() };
    connect(&another).await.unwrap().ping().await.unwrap();
    let login = Account::unknown().user();
    let (kind, text) = refused(&NatsEndpoint { login, ..endpoint.clone() }).await;
    assert_eq!(kind, ErrorKind::Refused, "{text}");
    let (kind, text) = refused(&NatsEndpoint { login: NatsLogin::None, ..endpoint }).await;
    assert_eq!(kind, ErrorKind::Refused, "{text}");
}
