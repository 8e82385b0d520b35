//! Certificates for tests: an authority of one's own, and what it signs.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};

use crate::endpoint::{ClientIdentity, Tls};
use crate::secret::Secret;

/// Where test servers answer. Their certificates are for this address and nothing else, so that a client that
/// calls the same server `localhost` meets a certificate for another host.
const HOST: &str = "127.0.0.1";

/// A certificate and its key, as PEM text.
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Issued {
    pub(crate) fn identity(&self) -> ClientIdentity {
        ClientIdentity {
            certificate_pem: self.certificate.clone(),
            key_pem: Secret::new(self.key.clone()),
        }
    }
}

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "odg-bench test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// What a client that trusts this authority is given.
    pub(crate) fn trusted(&self) -> Tls {
        Tls { ca_pem: Some(self.pem()), identity: None }
    }

    /// The same, for a client that shows a certificate for `name`.
    pub(crate) fn trusted_with_client(&self, name: &str) -> Tls {
        Tls { identity: Some(self.client(name).identity()), ..self.trusted() }
    }

    pub(crate) fn server(&self) -> Issued {
        self.sign(&Self::server_params())
    }

    pub(crate) fn expired_server(&self) -> Issued {
        let mut params = Self::server_params();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.sign(&params)
    }

    pub(crate) fn client(&self, name: &str) -> Issued {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params)
    }

    fn server_params() -> CertificateParams {
        let mut params = CertificateParams::new(vec![HOST.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "odg-bench test server");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params
    }

    fn sign(&self, params: &CertificateParams) -> Issued {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Issued { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}
