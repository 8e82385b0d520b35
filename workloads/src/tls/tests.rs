use super::{Part, TlsError};
use crate::driver::test_servers::Authority;
use crate::endpoint::{ClientIdentity, Tls};
use crate::secret::Secret;

fn with(authority: &Authority, certificate: &str, key: &str) -> Result<(), TlsError> {
    let identity = ClientIdentity {
        certificate_pem: certificate.to_owned(),
        key_pem: Secret::new(key.to_owned()),
    };
    Tls { identity: Some(identity), ..authority.trusted() }.check()
}

#[test]
fn what_is_wrong_with_a_certificate_or_key_is_said() {
    let authority = Authority::new();
    let (one, other) = (authority.client("one"), authority.client("other"));
    assert_eq!(with(&authority, &one.certificate, &one.key), Ok(()));
    assert_eq!(with(&authority, &one.certificate, &other.key), Err(TlsError::KeyMismatch));
    assert_eq!(with(&authority, &one.certificate, "no key"), Err(TlsError::NoKey));
    assert_eq!(with(&authority, &one.certificate, &one.certificate), Err(TlsError::NoKey));
    assert_eq!(
        with(&authority, &one.key, &one.key),
        Err(TlsError::NoCertificate(Part::ClientCertificate))
    );
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----";
    assert_eq!(with(&authority, &one.certificate, encrypted), Err(TlsError::EncryptedKey));
    let authority_of = |text: &str| Tls { ca_pem: Some(text.to_owned()), identity: None }.check();
    assert_eq!(authority_of("half a fi"), Err(TlsError::NoCertificate(Part::Authority)));
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let cut = &authority.pem()[..authority.pem().len() / 2];
    for bad in [garbage, cut] {
        let found = authority_of(bad);
        assert!(
            matches!(
                found,
                Err(TlsError::BadCertificate(Part::Authority, _) | TlsError::NoCertificate(_))
            ),
            "{found:?}"
        );
    }
    assert_eq!(authority_of(&format!("{}{}", authority.pem(), Authority::new().pem())), Ok(()));
}

#[test]
fn no_error_and_no_debug_text_repeats_a_key() {
    let authority = Authority::new();
    let issued = authority.client("one");
    let damaged = issued.key.replace("-----END", "!canary-5f1c!\n-----END");
    let error = with(&authority, &issued.certificate, &damaged).unwrap_err();
    let half = "-----BEGIN PRIVATE KEY-----\ncanary-5f1c\n";
    let unfinished = with(&authority, &issued.certificate, half).unwrap_err();
    let tls = Tls { identity: Some(issued.identity()), ..authority.trusted() };
    let printed = format!("{error} {error:?} {unfinished} {unfinished:?} {tls:?}");
    assert!(!printed.contains("canary"), "{printed}");
    let key_line = issued.key.lines().nth(1).unwrap();
    assert!(!printed.contains(key_line), "{printed}");
}
