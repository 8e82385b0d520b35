//! Encrypted connections to a real server, and what is said where one cannot be had.

use bytes::Bytes;

use super::{S3Driver, S3Options};
use crate::driver::test_servers::{Authority, minio, minio_tls, prefix, refusal};
use crate::driver::{DriverError, ErrorKind};
use crate::endpoint::{S3Endpoint, Tls};
use crate::secret::Secret;

fn open(endpoint: &S3Endpoint) -> Result<S3Driver, DriverError> {
    S3Driver::new(endpoint, S3Options::default(), prefix("s"))
}

async fn refused(endpoint: &S3Endpoint) -> (ErrorKind, String) {
    refusal(open(endpoint).unwrap().ping().await)
}

#[tokio::test]
async fn objects_go_over_https_in_path_style_and_each_mismatch_is_named() {
    let authority = Authority::new();
    let Some((server, endpoint)) = minio_tls(&authority, &authority.server()).await else { return };
    let driver = open(&endpoint).unwrap();
    driver.ensure_bucket("odgbench-s").await.unwrap();
    let large = Bytes::from(vec![7; 17 << 20]);
    assert_eq!(driver.put("odgbench-s", "large", large.clone()).await.unwrap().value, 3);
    assert!(driver.get("odgbench-s", "large").await.unwrap().value == large);
    assert_eq!(driver.clean_up().await.unwrap(), ["odgbench-s"]);

    let stranger = Authority::new().trusted();
    let (kind, text) = refused(&S3Endpoint { tls: stranger, ..endpoint.clone() }).await;
    assert_eq!(kind, ErrorKind::Certificate, "{text}");
    assert!(text.contains("not trusted"), "{text}");
    let url = format!("https://localhost:{}", server.port);
    let (kind, text) = refused(&S3Endpoint { url, ..endpoint.clone() }).await;
    assert_eq!(kind, ErrorKind::Certificate, "{text}");
    assert!(text.contains("for another host"), "{text}");
    let secret_key = Secret::new("canary-wrong");
    let (kind, text) = refused(&S3Endpoint { secret_key, ..endpoint.clone() }).await;
    assert_eq!(kind, ErrorKind::Refused, "{text}");
    let url = format!("http://127.0.0.1:{}", server.port);
    let (kind, text) = refused(&S3Endpoint { url, ..endpoint.clone() }).await;
    assert_eq!(kind, ErrorKind::Protocol, "{text}");
    assert!(text.contains("https://"), "{text}");
}

#[tokio::test]
async fn an_expired_certificate_and_a_server_without_tls_are_told_apart() {
    let authority = Authority::new();
    let Some((_server, endpoint)) = minio_tls(&authority, &authority.expired_server()).await else {
        return;
    };
    let (kind, text) = refused(&endpoint).await;
    assert_eq!(kind, ErrorKind::Certificate, "{text}");
    assert!(text.contains("has expired"), "{text}");
    let Some((server, plain)) = minio().await else { return };
    let url = format!("https://127.0.0.1:{}", server.port);
    let (kind, text) = refused(&S3Endpoint { url, tls: authority.trusted(), ..plain }).await;
    assert_eq!(kind, ErrorKind::Protocol, "{text}");
    assert!(text.contains("does not speak TLS"), "{text}");
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_sent() {
    let endpoint = |url: &str, tls: Tls| S3Endpoint {
        url: url.to_owned(),
        access_key: "odg-test".to_owned(),
        secret_key: Secret::new("canary-5f1c"),
        region: "us-east-1".to_owned(),
        tls,
    };
    let authority = Authority::new();
    for (endpoint, kind) in [
        (endpoint("ftp://h", Tls::default()), ErrorKind::Refused),
        (endpoint("https://odg:canary-5f1c@h", authority.trusted()), ErrorKind::Refused),
        (endpoint("https://h", authority.trusted_with_client("odg")), ErrorKind::Refused),
        (
            endpoint("https://h", Tls { ca_pem: Some("no".to_owned()), identity: None }),
            ErrorKind::Certificate,
        ),
    ] {
        assert_eq!(refusal(open(&endpoint)).0, kind);
    }
}
