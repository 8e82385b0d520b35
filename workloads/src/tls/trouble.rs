//! Why a TLS handshake failed, in words that say what to do.

use std::fmt;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, ClientConnection, Error};

use crate::driver::ErrorKind;
use crate::endpoint::Tls;

/// A failed handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsTrouble {
    /// The server's certificate is too old.
    Expired(String),
    /// The server's certificate is not valid yet.
    NotYet(String),
    /// The server's certificate is signed by nobody who is trusted here.
    Untrusted,
    /// The server's certificate is for other hosts.
    OtherHost(String),
    /// Anything else about the server's certificate.
    Server(String),
    /// The server wants a client certificate, and got none or one that it does not accept.
    Client(String),
    /// What answers does not speak TLS.
    NotTls,
    /// Both speak TLS, and have no version or cipher in common.
    NothingInCommon(String),
}

impl TlsTrouble {
    /// The kind under which it is counted.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotTls | Self::NothingInCommon(_) => ErrorKind::Protocol,
            _ => ErrorKind::Certificate,
        }
    }
}

impl fmt::Display for TlsTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired(detail) => write!(
                f,
                "the server's certificate has expired ({detail}); renew it on the server, or set this clock"
            ),
            Self::NotYet(detail) => write!(
                f,
                "the server's certificate is not valid yet ({detail}); set this clock or the server's"
            ),
            Self::Untrusted => f.write_str(
                "the server's certificate is not trusted: its authority is unknown here; give the CA that signed it",
            ),
            Self::OtherHost(detail) => write!(
                f,
                "the server's certificate is for another host ({detail}); use a name that is in it"
            ),
            Self::Server(detail) => write!(f, "the server's certificate is not accepted: {detail}"),
            Self::Client(detail) => write!(
                f,
                "the server does not accept this client without another certificate ({detail}); give a client certificate that it trusts"
            ),
            Self::NotTls => f.write_str(
                "what answers does not speak TLS; switch TLS off for it, or use the server's TLS port",
            ),
            Self::NothingInCommon(detail) => {
                write!(f, "no TLS version or cipher in common with the server ({detail})")
            }
        }
    }
}

/// What a rustls error means to the user, where it is about certificates or about the wrong protocol.
pub(crate) fn explain(error: &Error) -> Option<TlsTrouble> {
    Some(match error {
        Error::InvalidCertificate(error) => of_certificate(error),
        Error::NoCertificatesPresented => TlsTrouble::Server("it showed none".to_owned()),
        Error::InvalidMessage(_) => TlsTrouble::NotTls,
        Error::PeerIncompatible(detail) => TlsTrouble::NothingInCommon(format!("{detail:?}")),
        Error::AlertReceived(alert) => match alert {
            AlertDescription::HandshakeFailure
            | AlertDescription::ProtocolVersion
            | AlertDescription::InsufficientSecurity => {
                TlsTrouble::NothingInCommon(format!("{alert:?}"))
            }
            AlertDescription::NoCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::CertificateRequired => TlsTrouble::Client(format!("{alert:?}")),
            _ => return None,
        },
        _ => return None,
    })
}

fn of_certificate(error: &CertificateError) -> TlsTrouble {
    use CertificateError as C;
    match error {
        C::Expired | C::ExpiredContext { .. } => TlsTrouble::Expired(error.to_string()),
        C::NotValidYet | C::NotValidYetContext { .. } => TlsTrouble::NotYet(error.to_string()),
        C::UnknownIssuer => TlsTrouble::Untrusted,
        // Its issuer has the right name and another key: an authority made anew.
        C::BadSignature => TlsTrouble::Untrusted,
        C::NotValidForName | C::NotValidForNameContext { .. } => {
            TlsTrouble::OtherHost(error.to_string())
        }
        other => TlsTrouble::Server(other.to_string()),
    }
}

/// One handshake with a server that begins with TLS, to learn what a client library does not say.
/// `None` where it succeeds, or fails for a reason that is not about TLS. Blocks up to `within` per step.
pub(crate) fn try_handshake(
    host: &str,
    port: u16,
    tls: &Tls,
    within: Duration,
) -> Option<TlsTrouble> {
    let config = Arc::new(tls.client_config().ok()?);
    let name = ServerName::try_from(host.to_owned()).ok()?;
    let mut connection = ClientConnection::new(config, name).ok()?;
    let address = (host, port).to_socket_addrs().ok()?.next()?;
    let mut stream = TcpStream::connect_timeout(&address, within).ok()?;
    stream.set_read_timeout(Some(within)).ok()?;
    stream.set_write_timeout(Some(within)).ok()?;
    while connection.is_handshaking() {
        if let Err(error) = connection.complete_io(&mut stream) {
            return error.get_ref()?.downcast_ref().and_then(explain);
        }
    }
    // Since TLS 1.3 a server judges the client's certificate after the client has finished: the answer is
    // an alert, or silence, which is consent.
    match connection.complete_io(&mut stream) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            error.get_ref()?.downcast_ref().and_then(explain)
        }
        _ => None,
    }
}
