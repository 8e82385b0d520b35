//! MinIO, from what `ci/setup` fetched.

use super::{Authority, Issued, PASSWORD, Server, command, find, free_port, password, prefix};
use crate::driver::s3::{S3Driver, S3Options};
use crate::endpoint::{S3Endpoint, Tls};

/// A server without TLS.
pub(crate) async fn minio() -> Option<(Server, S3Endpoint)> {
    start(None, s3_endpoint).await
}

/// A server with TLS only.
pub(crate) async fn minio_tls(
    authority: &Authority,
    certificate: &Issued,
) -> Option<(Server, S3Endpoint)> {
    start(Some(certificate), |port| S3Endpoint {
        url: format!("https://127.0.0.1:{port}"),
        tls: authority.trusted(),
        ..s3_endpoint(port)
    })
    .await
}

async fn start(
    certificate: Option<&Issued>,
    endpoint: impl FnOnce(u16) -> S3Endpoint,
) -> Option<(Server, S3Endpoint)> {
    let minio = find::program("minio", "ODG_BENCH_MINIO")?;
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let certificates = dir.path().join("certs");
    std::fs::create_dir(&certificates).unwrap();
    if let Some(certificate) = certificate {
        std::fs::write(certificates.join("public.crt"), &certificate.certificate).unwrap();
        std::fs::write(certificates.join("private.key"), &certificate.key).unwrap();
    }
    let mut command = command(&minio);
    command.arg("server").arg(dir.path().join("data")).arg("--certs-dir").arg(&certificates);
    command.args(["--quiet", "--address", &format!("127.0.0.1:{port}")]);
    command.args(["--console-address", &format!("127.0.0.1:{}", free_port())]);
    command.env("MINIO_ROOT_USER", "odg-test").env("MINIO_ROOT_PASSWORD", PASSWORD.as_str());
    let server = Server::spawn(command, dir, port);
    let endpoint = endpoint(port);
    let driver = S3Driver::new(&endpoint, S3Options::default(), prefix("ready")).unwrap();
    server.ready_or_untrusted(|| driver.ping()).await;
    Some((server, endpoint))
}

pub(crate) fn s3_endpoint(port: u16) -> S3Endpoint {
    S3Endpoint {
        url: format!("http://127.0.0.1:{port}"),
        access_key: "odg-test".to_owned(),
        secret_key: password(),
        region: "us-east-1".to_owned(),
        tls: Tls::default(),
    }
}
