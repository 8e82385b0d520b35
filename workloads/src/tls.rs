//! Encrypted connections: certificates checked before anything starts, and TLS failures in plain words.

mod trouble;

use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, InconsistentKeys, RootCertStore};

use crate::endpoint::{ClientIdentity, Tls};

pub use trouble::TlsTrouble;
pub(crate) use trouble::{explain, try_handshake};

/// What is wrong with given certificates. Which file or field they came from is the caller's to say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// No certificate in the text.
    #[error("{0}: not a PEM certificate: no -----BEGIN CERTIFICATE----- in it")]
    NoCertificate(Part),
    /// A certificate that cannot be read.
    #[error("{0}: not a PEM certificate: {1}")]
    BadCertificate(Part, String),
    /// No private key in the text.
    #[error("client key: not a PEM private key: no -----BEGIN PRIVATE KEY----- in it")]
    NoKey,
    /// A key behind a passphrase, for which there is no field.
    #[error("client key: encrypted with a passphrase; give it unencrypted (openssl pkey -in KEY)")]
    EncryptedKey,
    /// A private key that cannot be read.
    #[error("client key: not a usable PEM private key: {0}")]
    BadKey(String),
    /// A certificate and the key of another one.
    #[error("the client key does not fit the client certificate")]
    KeyMismatch,
    /// No authority was given, and the system has none.
    #[error("no authority is given and this system trusts none; give a CA certificate")]
    NoSystemAuthorities,
    /// The crypto library does not support what was asked.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// A part of [`Tls`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Authorities to trust.
    Authority,
    /// The client's own certificate.
    ClientCertificate,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Authority => "CA certificate",
            Self::ClientCertificate => "client certificate",
        })
    }
}

impl Tls {
    /// Reads every certificate and the key, and compares the key with its certificate. Nothing is sent.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), TlsError> {
        self.client_config().map(drop)
    }

    /// A client's configuration: these authorities or the system's, this identity or none.
    ///
    /// # Errors
    /// As [`Tls::check`].
    pub fn client_config(&self) -> Result<ClientConfig, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| TlsError::Setup(e.to_string()))?
            .with_root_certificates(self.authorities()?);
        let Some(identity) = &self.identity else {
            return Ok(builder.with_no_client_auth());
        };
        let (chain, key) = identity.parts()?;
        builder.with_client_auth_cert(chain, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TlsError::KeyMismatch,
            rustls::Error::InvalidCertificate(reason) => {
                TlsError::BadCertificate(Part::ClientCertificate, reason.to_string())
            }
            other => TlsError::BadKey(other.to_string()),
        })
    }

    fn authorities(&self) -> Result<RootCertStore, TlsError> {
        let mut store = RootCertStore::empty();
        match &self.ca_pem {
            Some(pem) => {
                for certificate in certificates(pem, Part::Authority)? {
                    store
                        .add(certificate)
                        .map_err(|e| TlsError::BadCertificate(Part::Authority, e.to_string()))?;
                }
            }
            None => {
                // A system's store may hold one that cannot be read; the others still count.
                store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                if store.is_empty() {
                    return Err(TlsError::NoSystemAuthorities);
                }
            }
        }
        Ok(store)
    }
}

impl ClientIdentity {
    fn parts(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
        let chain = certificates(&self.certificate_pem, Part::ClientCertificate)?;
        let text = self.key_pem.expose();
        // Both ways of writing an encrypted key: PKCS #8, and OpenSSL's older header.
        if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
            return Err(TlsError::EncryptedKey);
        }
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| match error {
            pem::Error::NoItemsFound => TlsError::NoKey,
            // The library's text may quote what it read, which is a key.
            _ => TlsError::BadKey("damaged PEM text".to_owned()),
        })?;
        Ok((chain, key))
    }
}

fn certificates(pem: &str, part: Part) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|e| TlsError::BadCertificate(part, e.to_string()))?;
    if found.is_empty() { Err(TlsError::NoCertificate(part)) } else { Ok(found) }
}

/// Makes ring the process's crypto library, for clients that ask rustls for a default one. May be called
/// any number of times.
pub fn install_provider() {
    // An error means that one is there already, which is what is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod tests;
