//! The HTTP client: plain or TLS, and whom it trusts.

use std::time::Duration;

use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore};

use super::classify::SYSTEM;
use crate::driver::{DriverError, ErrorKind};
use crate::endpoint::S3Endpoint;

/// Idle connections kept. More than any lane keeps in flight, so that none is opened per request.
const MAX_IDLE: usize = 64;
/// Idle connections are dropped before common servers and balancers drop theirs (MinIO 30 s, ALB 60 s).
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// A client for the endpoint's scheme and certificates.
pub(super) fn http_client(endpoint: &S3Endpoint) -> Result<SharedHttpClient, DriverError> {
    if endpoint.url.contains('@') {
        // Not repeated in the error: it holds a password.
        let reason = "a login in the URL; give it as access key and secret key";
        return Err(DriverError::new(ErrorKind::Refused, SYSTEM, "read the URL", reason));
    }
    let operation = format!("open {}", endpoint.url);
    let http = aws_smithy_http_client::Builder::new()
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(MAX_IDLE);
    if endpoint.url.starts_with("http://") {
        return Ok(http.build_http());
    }
    if !endpoint.url.starts_with("https://") {
        let reason = "give a URL that starts with http:// or https://";
        return Err(DriverError::new(ErrorKind::Refused, SYSTEM, operation, reason));
    }
    if endpoint.tls.identity.is_some() {
        let reason = "client certificates are not supported for S3; log in by access key";
        return Err(DriverError::new(ErrorKind::Refused, SYSTEM, operation, reason));
    }
    // The client takes the text as it is and panics on one that is no certificate.
    endpoint
        .tls
        .check()
        .map_err(|e| DriverError::new(ErrorKind::Certificate, SYSTEM, &operation, e))?;
    let trusted = match &endpoint.tls.ca_pem {
        Some(ca) => TrustStore::empty().with_pem_certificate(ca.as_bytes()),
        None => TrustStore::default(),
    };
    let context = TlsContext::builder()
        .with_trust_store(trusted)
        .build()
        .map_err(|e| DriverError::new(ErrorKind::Certificate, SYSTEM, &operation, e))?;
    Ok(http
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .tls_context(context)
        .build_https())
}
