//! The settings of each component: the names that a file and the environment may use.

use std::fs;
use std::path::{Path, PathBuf};

use odg_workloads::endpoint::{ClientIdentity, Tls};
use odg_workloads::secret::Secret;
use odg_workloads::tls::{Part, TlsError};

use super::error::EndpointsError;
use super::source::{Place, Section, Setting, text_of};

/// Components, and the settings that each has. Of a secret there are three: itself, the variable that holds it
/// and the file that holds it.
pub(super) const SECTIONS: [(&str, &[&str]); 8] = [
    (
        "postgres",
        &[
            "url",
            "host",
            "port",
            "user",
            "password",
            "password_env",
            "password_file",
            "database",
            "sslmode",
            "ca_file",
            "cert_file",
            "key_file",
        ],
    ),
    (
        "redis",
        &[
            "url",
            "host",
            "port",
            "user",
            "password",
            "password_env",
            "password_file",
            "tls",
            "ca_file",
            "cert_file",
            "key_file",
        ],
    ),
    (
        "nats",
        &[
            "url",
            "user",
            "password",
            "password_env",
            "password_file",
            "token",
            "token_env",
            "token_file",
            "creds",
            "creds_env",
            "creds_file",
            "tls",
            "ca_file",
            "cert_file",
            "key_file",
        ],
    ),
    (
        "kafka",
        &[
            "bootstrap",
            "security",
            "mechanism",
            "user",
            "password",
            "password_env",
            "password_file",
            "ca_file",
            "cert_file",
            "key_file",
        ],
    ),
    (
        "s3",
        &[
            "url",
            "region",
            "access_key",
            "secret_key",
            "secret_key_env",
            "secret_key_file",
            "ca_file",
            "cert_file",
            "key_file",
        ],
    ),
    ("governance_engine", SERVICE),
    ("lakehouse_agent", SERVICE),
    ("quality_gate", SERVICE),
];

/// Settings of one of the platform's own services.
const SERVICE: &[&str] = &[
    "url",
    "auth",
    "token",
    "token_env",
    "token_file",
    "token_url",
    "client_id",
    "client_secret",
    "client_secret_env",
    "client_secret_file",
    "ca_file",
    "cert_file",
    "key_file",
];

/// Whether a setting is itself a secret.
pub(super) fn is_secret(field: &str) -> bool {
    matches!(field, "password" | "token" | "creds" | "secret_key" | "client_secret")
}

impl Section {
    /// An error about what is missing, or does not fit together.
    pub(super) fn wrong(&self, message: &str) -> EndpointsError {
        self.place.wrong(format!("{}: {message}", self.name))
    }

    /// An error about one setting.
    pub(super) fn wrong_at(&self, field: &str, setting: &Setting, message: &str) -> EndpointsError {
        setting.place.wrong(format!("{}.{field}: {message}", self.name))
    }

    /// A setting as text; `None` where it is not set.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.settings.get(field).map(|setting| setting.value.expose())
    }

    /// Whether a setting stands in the file, and not in a variable.
    pub(super) fn is_of_file(&self, field: &str) -> bool {
        self.settings.get(field).is_some_and(|setting| matches!(setting.place, Place::Line(..)))
    }

    /// A setting that must be there.
    pub(super) fn required(&self, field: &str) -> Result<&str, EndpointsError> {
        match self.text(field) {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(self.wrong(&format!("the key `{field}` is missing"))),
        }
    }

    /// A TCP port.
    pub(super) fn port(&self) -> Result<Option<u16>, EndpointsError> {
        let Some(setting) = self.settings.get("port") else { return Ok(None) };
        match setting.value.expose().parse() {
            Ok(port) if port > 0 => Ok(Some(port)),
            _ => Err(self.wrong_at("port", setting, "this must be a number from 1 to 65535")),
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, field: &str) -> Result<Option<bool>, EndpointsError> {
        self.word(field, &[("true", true), ("false", false)])
    }

    /// One of some words.
    pub(super) fn word<T: Copy>(
        &self,
        field: &str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, EndpointsError> {
        let Some(setting) = self.settings.get(field) else { return Ok(None) };
        let asked = setting.value.expose().to_ascii_lowercase();
        match words.iter().find(|(word, _)| *word == asked) {
            Some((_, value)) => Ok(Some(*value)),
            None => {
                let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                let message = format!("this must be one of {}", all.join(", "));
                Err(self.wrong_at(field, setting, &message))
            }
        }
    }

    /// A secret, given in one of three ways: itself, in a variable, in a file.
    pub(super) fn secret(&self, field: &str) -> Result<Option<Secret>, EndpointsError> {
        let (in_variable, in_file) = (format!("{field}_env"), format!("{field}_file"));
        let ways = [field, &in_variable, &in_file];
        let given: Vec<&str> =
            ways.into_iter().filter(|way| self.settings.contains_key(way)).collect();
        if given.len() > 1 {
            let message = format!("give `{}` or `{}`, not both", given[0], given[1]);
            return Err(self.wrong(&message));
        }
        if let Some(setting) = self.settings.get(field) {
            return Ok(Some(setting.value.clone()));
        }
        if let Some(setting) = self.settings.get(in_variable.as_str()) {
            return match std::env::var(setting.value.expose()) {
                Ok(value) if !value.is_empty() => Ok(Some(Secret::new(value))),
                _ => Err(self.wrong_at(&in_variable, setting, "that variable is not set")),
            };
        }
        match self.file(&in_file)? {
            // A file that an editor wrote ends with a newline that is no part of the secret.
            Some(text) => Ok(Some(Secret::new(text.expose().trim_end_matches(['\n', '\r'])))),
            None => Ok(None),
        }
    }

    /// The text of a file that a setting names; a relative path starts at the file that names it.
    fn file(&self, field: &str) -> Result<Option<Secret>, EndpointsError> {
        let Some(setting) = self.settings.get(field) else { return Ok(None) };
        let path = self.beside(setting);
        match text_of(&path) {
            Ok(text) if text.trim().is_empty() => {
                Err(self.wrong_at(field, setting, "that file is empty"))
            }
            Ok(text) => Ok(Some(Secret::new(text))),
            Err(reason) => {
                // Only a path that is there, or may be, is shown: what is no path may be the secret itself.
                let is_path = path.parent().is_some_and(|dir| fs::metadata(dir).is_ok())
                    && setting.value.expose().contains('/');
                let shown = if is_path { format!("{}: ", path.display()) } else { String::new() };
                Err(self.wrong_at(field, setting, &format!("{shown}cannot be read: {reason}")))
            }
        }
    }

    fn beside(&self, setting: &Setting) -> PathBuf {
        let path = Path::new(setting.value.expose());
        match &setting.place {
            Place::Line(file, _) => {
                file.parent().map_or_else(|| path.to_path_buf(), |dir| dir.join(path))
            }
            Place::Variable(_) => path.to_path_buf(),
        }
    }

    /// The certificates, read and checked; `None` where none is named.
    pub(super) fn tls(&self) -> Result<Option<Tls>, EndpointsError> {
        let ca_pem = self.pem("ca_file", "CERTIFICATE-----")?;
        let certificate = self.pem("cert_file", "CERTIFICATE-----")?;
        let key = self.pem("key_file", "PRIVATE KEY-----")?;
        let identity = match (certificate, key) {
            (Some(certificate), Some(key_pem)) => {
                let certificate_pem = certificate.expose().to_owned();
                Some(ClientIdentity { certificate_pem, key_pem })
            }
            (None, None) => None,
            (Some(_), None) => return Err(self.wrong("`cert_file` wants its `key_file` as well")),
            (None, Some(_)) => return Err(self.wrong("`key_file` wants its `cert_file` as well")),
        };
        if ca_pem.is_none() && identity.is_none() {
            return Ok(None);
        }
        let ca_pem = ca_pem.map(|pem| pem.expose().to_owned());
        let tls = Tls { ca_pem, identity };
        tls.check().map_err(|error| self.wrong_certificate(&error))?;
        Ok(Some(tls))
    }

    /// Points at the setting that named the file.
    fn wrong_certificate(&self, error: &TlsError) -> EndpointsError {
        let field = match error {
            TlsError::NoCertificate(Part::Authority)
            | TlsError::BadCertificate(Part::Authority, _) => "ca_file",
            TlsError::NoCertificate(Part::ClientCertificate)
            | TlsError::BadCertificate(Part::ClientCertificate, _) => "cert_file",
            TlsError::NoKey
            | TlsError::EncryptedKey
            | TlsError::BadKey(_)
            | TlsError::KeyMismatch => "key_file",
            TlsError::NoSystemAuthorities | TlsError::Setup(_) => {
                return self.wrong(&error.to_string());
            }
        };
        match self.settings.get(field) {
            Some(setting) => self.wrong_at(field, setting, &error.to_string()),
            None => self.wrong(&error.to_string()),
        }
    }

    fn pem(&self, field: &str, kind: &str) -> Result<Option<Secret>, EndpointsError> {
        let Some(pem) = self.file(field)? else { return Ok(None) };
        if pem.expose().lines().any(|line| line.starts_with("-----BEGIN") && line.ends_with(kind)) {
            return Ok(Some(pem));
        }
        let what = kind.trim_end_matches('-').to_lowercase();
        match self.settings.get(field) {
            Some(setting) => Err(self.wrong_at(
                field,
                setting,
                &format!("that file holds no {what} in PEM form"),
            )),
            None => Ok(None),
        }
    }
}
