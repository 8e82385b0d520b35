//! The HTTP clients against scripted servers: what a real service answers rarely, and must be noticed.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use super::{GovernanceClient, NewDecision};
use crate::driver::platform::{DecisionType, QualityClient};
use crate::driver::test_proxy::CuttingProxy;
use crate::driver::{DriverError, ErrorKind};
use crate::endpoint::{HttpEndpoint, HttpLogin, Tls};
use crate::secret::Secret;

const CANARY: &str = "canary-secret-c81e";

/// A server that gives the n-th request the n-th answer, one request to a connection.
struct Scripted {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    async fn new(answers: Vec<(u16, String)>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let requests = Arc::clone(&seen);
        tokio::spawn(async move {
            for (status, body) in answers {
                let (mut client, _) = listener.accept().await.unwrap();
                let request = read_request(&mut client).await;
                requests.lock().unwrap().push(request);
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status} x\r\nlocation: http://127.0.0.1:1/\r\n\
                     content-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                let _ = client.write_all(answer.as_bytes()).await;
                let _ = client.shutdown().await;
            }
        });
        Self { port, seen }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// Head and body of a request.
async fn read_request(client: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = client.read_u8().await else { break };
        head.push(byte);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    client.read_exact(&mut body).await.unwrap();
    head + &String::from_utf8_lossy(&body)
}

fn endpoint(port: u16, login: HttpLogin) -> HttpEndpoint {
    HttpEndpoint { url: format!("http://127.0.0.1:{port}"), login, tls: Tls::default() }
}

fn bearer() -> HttpLogin {
    HttpLogin::Bearer(Secret::new(CANARY))
}

fn client(port: u16) -> GovernanceClient {
    GovernanceClient::new(&endpoint(port, bearer())).unwrap()
}

fn decision(id: Uuid, status: &str) -> String {
    format!(
        r#"{{"id":"{id}","decision_type":"schema_change","title":"t","description":"","status":"{status}",
        "domain_id":"d","created_by":"u","created_at":"2026-02-07T12:00:00.5Z",
        "updated_at":"2026-02-07T12:00:00Z","promotion":null}}"#
    )
}

fn new_decision() -> NewDecision {
    NewDecision {
        decision_type: DecisionType::SchemaChange,
        title: "t".into(),
        description: String::new(),
        domain_id: "d".into(),
        created_by: "u".into(),
        promotion: None,
    }
}

fn token(text: &str) -> (u16, String) {
    (200, format!(r#"{{"access_token":"{text}","token_type":"bearer","expires_in":300}}"#))
}

fn with_client_credentials(port: u16) -> GovernanceClient {
    let login = HttpLogin::ClientCredentials {
        token_url: format!("http://127.0.0.1:{port}/token"),
        client_id: "odg bench".into(),
        client_secret: Secret::new(CANARY),
    };
    GovernanceClient::new(&endpoint(port, login)).unwrap()
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_counted() {
    let id = Uuid::from_u128(7);
    let server = Scripted::new(vec![
        token("first"),
        (401, String::new()),
        token("second"),
        (200, decision(id, "pending")),
        (200, decision(id, "pending")),
    ])
    .await;
    let client = with_client_credentials(server.port);
    assert_eq!(client.get(id).await.unwrap().retries, 1);
    assert_eq!(client.get(id).await.unwrap().retries, 0, "the new token is kept");
    let seen = server.seen();
    assert!(
        seen[0].starts_with("post /token") && seen[0].contains("grant_type=client_credentials")
    );
    assert!(seen[1].contains("bearer first") && seen[3].contains("bearer second"));
    assert!(seen[4].contains("bearer second"));
}

#[tokio::test]
async fn a_login_that_stays_refused_is_an_error_and_no_loop() {
    let refusals = vec![token("a"), (401, String::new()), token("b"), (401, String::new())];
    let server = Scripted::new(refusals).await;
    let error = with_client_credentials(server.port).get(Uuid::nil()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert_eq!(server.seen().len(), 4);

    let server = Scripted::new(vec![(401, r#"{"error":"invalid_client"}"#.into())]).await;
    let error = with_client_credentials(server.port).get(Uuid::nil()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("invalid_client"), "{error}");
}

#[tokio::test]
async fn a_dead_connection_is_tried_again_only_where_that_does_nothing_twice() {
    let id = Uuid::from_u128(7);
    let server = Scripted::new(vec![(200, decision(id, "approved"))]).await;
    let proxy = CuttingProxy::to(server.port).await;
    proxy.close_next(1);
    assert_eq!(client(proxy.port).get(id).await.unwrap().retries, 1);

    // The connection was open: whether the decision was created, nobody can tell.
    proxy.close_next(1);
    let error = client(proxy.port).create(&new_decision()).await.unwrap_err();
    assert_eq!((error.kind(), error.retries()), (ErrorKind::Connection, 0), "{error}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn an_answer_that_cannot_be_is_an_error() {
    let id = Uuid::from_u128(7);
    let other = Uuid::from_u128(8);
    let wrong = [
        (200, decision(id, "half_approved")),
        (200, decision(other, "pending")),
        (200, decision(id, "pending").replace("12:00:00.5Z", "12:00:00.5")),
        (200, "<html>welcome</html>".to_owned()),
        (200, "x".repeat((8 << 20) + 1)),
        (302, String::new()),
    ];
    for (status, body) in wrong {
        let shown = body.chars().take(80).collect::<String>();
        let server = Scripted::new(vec![(status, body)]).await;
        let error = client(server.port).get(id).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{shown}: {error}");
    }
    // Created, but as something else than what was asked for.
    let server = Scripted::new(vec![(201, decision(id, "approved"))]).await;
    let error = client(server.port).create(&new_decision()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
}

#[tokio::test]
async fn statuses_are_counted_by_what_they_mean() {
    for (status, kind) in [
        (400, ErrorKind::Refused),
        (403, ErrorKind::Refused),
        (404, ErrorKind::NotFound),
        (429, ErrorKind::Throttled),
        (500, ErrorKind::Server),
        (504, ErrorKind::Timeout),
    ] {
        // Throttled requests are tried again.
        let answers = vec![(status, r#"{"detail":"why"}"#.to_owned()); 3];
        let server = Scripted::new(answers).await;
        let error = client(server.port).get(Uuid::nil()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains("why"), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_accepts_and_never_answers_is_given_up() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let error = client(port).health().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
}

#[tokio::test]
async fn no_secret_is_printed_and_none_goes_into_an_error() {
    let server = Scripted::new(vec![(401, String::new()), (401, "no".into())]).await;
    let clients = [client(server.port), with_client_credentials(server.port)];
    for client in clients {
        let error = client.get(Uuid::nil()).await.unwrap_err();
        let printed = format!("{client:?} {error} {error:?}");
        assert!(!printed.contains(CANARY), "{printed}");
    }
    let url = format!("http://user:{CANARY}@127.0.0.1:1");
    let endpoint = HttpEndpoint { url, login: HttpLogin::None, tls: Tls::default() };
    let error = QualityClient::new(&endpoint).unwrap_err().to_string();
    assert!(error.contains("holds a login") && !error.contains(CANARY), "{error}");
}

/// An authority and a server certificate of it for 127.0.0.1, as PEM and key.
fn certificates() -> (String, rustls::pki_types::CertificateDer<'static>, KeyPair) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap();
    let server = server.signed_by(&key, &authority).unwrap();
    (authority.pem(), server.der().clone(), key)
}

/// Answers every TLS connection with a decision.
fn tls_server(certificate: rustls::pki_types::CertificateDer<'static>, key: &KeyPair) -> u16 {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = rustls::ServerConnection::new(Arc::new(config.clone())).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream);
            let mut request = [0; 4096];
            if stream.read(&mut request).is_ok() {
                let body = decision(Uuid::nil(), "pending");
                let length = body.len();
                let head = format!("HTTP/1.1 200 x\r\ncontent-length: {length}\r\n\r\n");
                let _ = stream.write_all((head + &body).as_bytes());
                let _ = stream.flush();
            }
        }
    });
    port
}

#[tokio::test]
async fn a_service_is_trusted_by_the_given_authority_and_no_other() {
    let (ca, certificate, key) = certificates();
    let (other_ca, ..) = certificates();
    let port = tls_server(certificate, &key);
    let ask = |ca_pem: String| async move {
        let endpoint = HttpEndpoint {
            url: format!("https://127.0.0.1:{port}"),
            login: bearer(),
            tls: Tls { ca_pem: Some(ca_pem), identity: None },
        };
        GovernanceClient::new(&endpoint)?.get(Uuid::nil()).await
    };
    assert_eq!(ask(ca).await.unwrap().value.id, Uuid::nil());
    let error: DriverError = ask(other_ca).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Certificate, "{error}");
    assert!(error.to_string().contains("not trusted"), "{error}");
    let error = ask("no certificate".into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Certificate);
    assert!(error.to_string().contains("not a PEM certificate"), "{error}");
}
