//! From settings to endpoints, component by component.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use odg_workloads::day::Carries;
use odg_workloads::endpoint::{
    Endpoints, HttpEndpoint, HttpLogin, KafkaEndpoint, KafkaLogin, NatsEndpoint, NatsLogin,
    PostgresEndpoint, RedisEndpoint, S3Endpoint, SaslMechanism, SslMode, Tls,
};

use super::error::EndpointsError;
use super::settings::SECTIONS;
use super::source::{Section, Settings};
use super::url::{Url, address, split_port};
use crate::run::Brings;

/// Ports where none is given: those that the servers have by themselves.
const POSTGRES_PORT: u16 = 5432;
const REDIS_PORT: u16 = 6379;
const NATS_PORT: u16 = 4222;
const KAFKA_PORT: u16 = 9092;

/// The endpoints that were given, ready to be connected to.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// Where each component answers; none where it was not given.
    pub endpoints: Endpoints,
    /// Each component as it is called in a record, with its address without credentials.
    pub addresses: Vec<(&'static str, String)>,
    /// Secrets that stand in a file that others may read, such as `postgres.password`.
    pub exposed: Vec<String>,
}

impl Given {
    /// Reads endpoints from a file, where there is one, and from this process's environment. Files that they
    /// name are read; nothing is connected to.
    ///
    /// # Errors
    /// One line that names the file and the line, or the variable.
    pub fn load(file: Option<&Path>) -> Result<Self, EndpointsError> {
        Self::read(file, std::env::vars_os())
    }

    /// As [`Given::load`], with these variables.
    ///
    /// # Errors
    /// As for [`Given::load`].
    pub fn read(
        file: Option<&Path>,
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, EndpointsError> {
        let settings = Settings::read(file, variables)?;
        let mut given = Self { exposed: settings.exposed, ..Self::default() };
        // In the order of the list, whatever the file's is.
        for (name, _) in SECTIONS {
            if let Some(section) = settings.sections.iter().find(|section| section.name == name) {
                given.enter(section)?;
            }
        }
        if given.addresses.is_empty() {
            return Err(EndpointsError::Nothing);
        }
        Ok(given)
    }

    fn enter(&mut self, section: &Section) -> Result<(), EndpointsError> {
        let endpoints = &mut self.endpoints;
        let (component, shown) = match section.name {
            "postgres" => {
                let at = endpoints.postgres.insert(postgres(section)?);
                ("postgresql", address(&at.host, at.port))
            }
            "redis" => {
                let at = endpoints.redis.insert(redis(section)?);
                ("redis", address(&at.host, at.port))
            }
            "nats" => ("nats", endpoints.nats.insert(nats(section)?).address.clone()),
            "kafka" => ("kafka", endpoints.kafka.insert(kafka(section)?).bootstrap.clone()),
            "s3" => ("minio", endpoints.s3.insert(s3(section)?).url.clone()),
            service => {
                let platform = &mut endpoints.platform;
                let (component, place) = match service {
                    "governance_engine" => ("governance-engine", &mut platform.governance_engine),
                    "lakehouse_agent" => ("lakehouse-agent", &mut platform.lakehouse_agent),
                    _ => ("quality-gate", &mut platform.quality_gate),
                };
                (component, place.insert(http(section)?).url.clone())
            }
        };
        self.addresses.push((component, shown));
        Ok(())
    }

    /// What can carry load.
    pub fn brings(&self) -> Brings {
        let platform = &self.endpoints.platform;
        let services = platform.governance_engine.is_some()
            || platform.lakehouse_agent.is_some()
            || platform.quality_gate.is_some();
        Brings::Only { carries: Carries::of(&self.endpoints), services }
    }

    /// Address of a component, without credentials.
    pub fn address(&self, component: &str) -> Option<&str> {
        self.addresses.iter().find(|(name, _)| *name == component).map(|(_, at)| at.as_str())
    }

    /// Whether every endpoint is on this machine: then servers and generator share it.
    pub fn is_local(&self) -> bool {
        self.addresses.iter().all(|(_, at)| at.split(',').all(is_loopback))
    }
}

/// Whether `[scheme://]host[:port][/path]` is this machine.
fn is_loopback(at: &str) -> bool {
    let at = at.split_once("://").map_or(at, |(_, rest)| rest);
    let at = at.split('/').next().unwrap_or_default().trim();
    let Some((host, _)) = split_port(at) else { return false };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The section's URL, where it has one.
fn url(section: &Section, schemes: &[&str]) -> Result<Option<Url>, EndpointsError> {
    let Some(setting) = section.settings.get("url") else { return Ok(None) };
    Url::parse(setting.value.expose(), schemes)
        .map(Some)
        .map_err(|message| section.wrong_at("url", setting, &message))
}

/// Where user and password are written.
const LOGIN: &str = "`user` and `password_env` or `password_file`";

/// Refuses a login where an address belongs: addresses are shown. `instead` says where it is written.
fn no_login(section: &Section, field: &str, instead: &str) -> Result<(), EndpointsError> {
    match section.settings.get(field) {
        Some(setting) if setting.value.expose().contains('@') => {
            let message = format!("a login has no place here: give it as {instead}");
            Err(section.wrong_at(field, setting, &message))
        }
        _ => Ok(()),
    }
}

/// A host name or address alone.
fn host(section: &Section) -> Result<Option<String>, EndpointsError> {
    no_login(section, "host", LOGIN)?;
    let Some(setting) = section.settings.get("host") else { return Ok(None) };
    let host = setting.value.expose();
    if !is_plain(host) {
        return Err(section.wrong_at("host", setting, "this must be a name or an address alone"));
    }
    // The zone of an IPv6 address, such as %eth0, is no part of what is parsed.
    let address = host.split('%').next().unwrap_or_default();
    if host.contains(':') && address.parse::<Ipv6Addr>().is_err() {
        let message = "this must be a name or an address alone; give the port as `port`";
        return Err(section.wrong_at("host", setting, message));
    }
    Ok(Some(host.to_owned()).filter(|host| !host.is_empty()))
}

/// Whether this may stand in an address: addresses are shown, so that nothing in them may move a terminal.
fn is_plain(host: &str) -> bool {
    !host.contains(|c: char| c == '/' || c.is_whitespace() || c.is_control())
}

/// A value that may stand in the URL and in a setting of its own. Where they differ the file's is taken; two that
/// come from the same place contradict each other.
fn either<T: PartialEq>(
    section: &Section,
    field: &str,
    own: Option<T>,
    in_url: Option<T>,
) -> Result<Option<T>, EndpointsError> {
    let (own, in_url) = match (own, in_url) {
        (Some(own), Some(in_url)) if own != in_url => (own, in_url),
        (own, in_url) => return Ok(own.or(in_url)),
    };
    match (section.is_of_file(field), section.is_of_file("url")) {
        (true, false) => Ok(Some(own)),
        (false, true) => Ok(Some(in_url)),
        _ => Err(contradicts(section, field, &format!("`{field}`"))),
    }
}

/// An error about a setting that says another thing than the URL.
fn contradicts(section: &Section, field: &str, said: &str) -> EndpointsError {
    let message = format!("{said} contradicts the URL");
    match section.settings.get(field) {
        Some(setting) => section.wrong_at(field, setting, &message),
        None => section.wrong(&message),
    }
}

fn postgres(section: &Section) -> Result<PostgresEndpoint, EndpointsError> {
    const MODES: [(&str, SslMode); 5] = [
        ("disable", SslMode::Disable),
        ("prefer", SslMode::Prefer),
        ("require", SslMode::Require),
        ("verify-ca", SslMode::VerifyCa),
        ("verify-full", SslMode::VerifyFull),
    ];
    let url = url(section, &["postgres", "postgresql"])?;
    let mut mode_in_url = None;
    for (key, value) in url.iter().flat_map(|url| &url.query) {
        let found = MODES.iter().find(|(word, _)| key == "sslmode" && word == value);
        let Some((_, mode)) = found else {
            let message = "of a URL's parameters only a valid sslmode is understood here";
            return Err(section.wrong(message));
        };
        mode_in_url = Some(*mode);
    }
    let text = |field| section.text(field).filter(|text| !text.is_empty()).map(str::to_owned);
    let in_url = |part: fn(&Url) -> Option<String>| url.as_ref().and_then(part);
    let database = in_url(Url::database);
    let password = section.secret("password")?;
    let tls = section.tls()?;
    let missing = |field: &str| section.wrong(&format!("the key `{field}` (or `url`) is missing"));
    let user = either(section, "user", text("user"), in_url(|url| url.user.clone()))?;
    let ssl_mode = either(section, "sslmode", section.word("sslmode", &MODES)?, mode_in_url)?;
    let ssl_mode = match (ssl_mode, &tls) {
        (Some(SslMode::Disable), Some(_)) => {
            return Err(section.wrong("certificates are of no use with `sslmode: disable`"));
        }
        (Some(mode), _) => mode,
        // libpq's own: encrypted where the server can. With an authority, as strict as there is.
        (None, Some(_)) => SslMode::VerifyFull,
        (None, None) => SslMode::Prefer,
    };
    let user = user.ok_or_else(|| missing("user"))?;
    let host = either(section, "host", host(section)?, in_url(|url| Some(url.host.clone())))?;
    let port = either(section, "port", section.port()?, url.as_ref().and_then(|url| url.port))?;
    let database = either(section, "database", text("database"), database)?;
    Ok(PostgresEndpoint {
        host: host.ok_or_else(|| missing("host"))?,
        port: port.unwrap_or(POSTGRES_PORT),
        password: password.ok_or_else(|| {
            section.wrong("a password is missing: give `password_env` or `password_file`")
        })?,
        database: database.unwrap_or_else(|| user.clone()),
        user,
        ssl_mode,
        tls: tls.unwrap_or_default(),
    })
}

/// Certificates where the connection is to be encrypted. A URL whose scheme says that it is, is never taken back:
/// the password would go out in clear.
fn encrypted(
    section: &Section,
    by_url: bool,
    tls: Option<Tls>,
) -> Result<Option<Tls>, EndpointsError> {
    let own = section.flag("tls")?;
    if by_url && own == Some(false) {
        return Err(contradicts(section, "tls", "`tls: false`"));
    }
    match (own.or(by_url.then_some(true)), tls) {
        (Some(false), Some(_)) => {
            Err(section.wrong("certificates are of no use with `tls: false`"))
        }
        (Some(true), tls) => Ok(Some(tls.unwrap_or_default())),
        // Whoever names certificates wants them used.
        (None, Some(tls)) => Ok(Some(tls)),
        (Some(false) | None, None) => Ok(None),
    }
}

fn redis(section: &Section) -> Result<RedisEndpoint, EndpointsError> {
    let url = url(section, &["redis", "rediss"])?;
    if url.as_ref().is_some_and(|url| !matches!(url.path.trim_matches('/'), "" | "0")) {
        return Err(section.wrong("only database 0 is used; leave the number out of the URL"));
    }
    let text = |field| section.text(field).filter(|text| !text.is_empty()).map(str::to_owned);
    let by_url = url.as_ref().is_some_and(|url| url.scheme == "rediss");
    let host_in_url = url.as_ref().map(|url| url.host.clone());
    let host = either(section, "host", host(section)?, host_in_url)?;
    let port = either(section, "port", section.port()?, url.as_ref().and_then(|url| url.port))?;
    let password = section.secret("password")?;
    let user_in_url = url.as_ref().and_then(|url| url.user.clone());
    let user = either(section, "user", text("user"), user_in_url)?;
    if user.is_some() && password.is_none() {
        return Err(
            section.wrong("`user` wants a password: give `password_env` or `password_file`")
        );
    }
    Ok(RedisEndpoint {
        host: host.ok_or_else(|| section.wrong("the key `host` (or `url`) is missing"))?,
        port: port.unwrap_or(REDIS_PORT),
        user,
        password,
        tls: encrypted(section, by_url, section.tls()?)?,
    })
}

fn nats(section: &Section) -> Result<NatsEndpoint, EndpointsError> {
    section.required("url")?;
    let url = url(section, &["nats", "tls"])?.ok_or_else(|| section.wrong("`url` is missing"))?;
    let user = section.text("user").map(str::to_owned);
    let user = either(section, "user", user, url.user.clone())?;
    let logins =
        (user, section.secret("password")?, section.secret("token")?, section.secret("creds")?);
    let login = match logins {
        (None, None, None, None) => NatsLogin::None,
        (Some(user), Some(password), None, None) => NatsLogin::Password { user, password },
        (None, None, Some(token), None) => NatsLogin::Token(token),
        (None, None, None, Some(creds)) => NatsLogin::Credentials(creds),
        _ => {
            let message =
                "give `user` and its password, or a token, or `creds_file`, and only one of them";
            return Err(section.wrong(message));
        }
    };
    let tls = encrypted(section, url.scheme == "tls", section.tls()?)?;
    Ok(NatsEndpoint { address: url.address(NATS_PORT), login, tls })
}

fn kafka(section: &Section) -> Result<KafkaEndpoint, EndpointsError> {
    const SECURITY: [(&str, (bool, bool)); 4] = [
        ("plaintext", (false, false)),
        ("ssl", (true, false)),
        ("sasl_plaintext", (false, true)),
        ("sasl_ssl", (true, true)),
    ];
    const MECHANISMS: [(&str, SaslMechanism); 3] = [
        ("plain", SaslMechanism::Plain),
        ("scram-sha-256", SaslMechanism::ScramSha256),
        ("scram-sha-512", SaslMechanism::ScramSha512),
    ];
    let mut bootstrap = Vec::new();
    no_login(section, "bootstrap", LOGIN)?;
    for server in section.required("bootstrap")?.split(',').map(str::trim) {
        match split_port(server) {
            Some((host, port)) if !host.is_empty() && is_plain(host) => {
                bootstrap.push(address(host, port.unwrap_or(KAFKA_PORT)));
            }
            _ => return Err(section.wrong("`bootstrap` must be like host:9092,host:9092")),
        }
    }
    let mechanism = section.word("mechanism", &MECHANISMS)?;
    let (user, password) = (section.text("user"), section.secret("password")?);
    let tls = section.tls()?;
    let (encrypted, login) = section
        .word("security", &SECURITY)?
        .unwrap_or((tls.is_some(), user.is_some() || password.is_some()));
    let login = match (login, user, password) {
        (false, None, None) => None,
        (true, Some(user), Some(password)) => {
            let mechanism = mechanism.unwrap_or_default();
            Some(KafkaLogin { mechanism, user: user.to_owned(), password })
        }
        (true, _, _) => {
            let message =
                "a login wants `user` and a password: give `password_env` or `password_file`";
            return Err(section.wrong(message));
        }
        (false, _, _) => {
            return Err(
                section.wrong("`user` and password want `security: sasl_ssl` or sasl_plaintext")
            );
        }
    };
    let tls = match (encrypted, tls) {
        (true, tls) => Some(tls.unwrap_or_default()),
        (false, None) => None,
        (false, Some(_)) => {
            return Err(section.wrong("certificates want `security: ssl` or sasl_ssl"));
        }
    };
    Ok(KafkaEndpoint { bootstrap: bootstrap.join(","), admin: true, login, tls })
}

/// `http` or `https`, without a login in it: `instead` says where that is written.
fn http_url(section: &Section, instead: &str) -> Result<Url, EndpointsError> {
    section.required("url")?;
    no_login(section, "url", instead)?;
    let url = url(section, &["https", "http"])?.ok_or_else(|| section.wrong("`url` is missing"))?;
    if !url.query.is_empty() {
        return Err(section.wrong("`url` must be like https://host:port, without parameters"));
    }
    Ok(url)
}

fn s3(section: &Section) -> Result<S3Endpoint, EndpointsError> {
    let url = http_url(section, "`access_key` and `secret_key_env` or `secret_key_file`")?;
    let secret_key = section.secret("secret_key")?.ok_or_else(|| {
        section.wrong("a secret key is missing: give `secret_key_env` or `secret_key_file`")
    })?;
    Ok(S3Endpoint {
        url: url.shown(),
        access_key: section.required("access_key")?.to_owned(),
        secret_key,
        region: section.text("region").unwrap_or("us-east-1").to_owned(),
        tls: certificates_of(section, &url)?,
    })
}

fn certificates_of(section: &Section, url: &Url) -> Result<Tls, EndpointsError> {
    match section.tls()? {
        Some(_) if url.scheme == "http" => {
            Err(section.wrong("certificates are of no use with a URL of http"))
        }
        tls => Ok(tls.unwrap_or_default()),
    }
}

fn http(section: &Section) -> Result<HttpEndpoint, EndpointsError> {
    enum Auth {
        None,
        Bearer,
        ClientCredentials,
    }
    let url = http_url(section, "`token_env`, or `client_id` and `client_secret_env`")?;
    let (token, client_secret) = (section.secret("token")?, section.secret("client_secret")?);
    let words = [("none", 0), ("bearer", 1), ("client_credentials", 2)];
    let auth = match section.word("auth", &words)? {
        Some(0) => Auth::None,
        Some(1) => Auth::Bearer,
        Some(_) => Auth::ClientCredentials,
        None if client_secret.is_some() => Auth::ClientCredentials,
        None if token.is_some() => Auth::Bearer,
        None => Auth::None,
    };
    let login = match (auth, token, client_secret) {
        (Auth::None, None, None) => HttpLogin::None,
        (Auth::Bearer, Some(token), None) => HttpLogin::Bearer(token),
        (Auth::ClientCredentials, None, Some(client_secret)) => {
            let token_url = section.required("token_url")?;
            no_login(section, "token_url", "`client_id` and `client_secret_env`")?;
            let setting = section.settings.get("token_url");
            if let (Err(message), Some(at)) = (Url::parse(token_url, &["https", "http"]), setting) {
                return Err(section.wrong_at("token_url", at, &message));
            }
            HttpLogin::ClientCredentials {
                token_url: token_url.to_owned(),
                client_id: section.required("client_id")?.to_owned(),
                client_secret,
            }
        }
        (Auth::None, _, _) => return Err(section.wrong("a token or a client secret wants `auth`")),
        (Auth::Bearer, _, _) => {
            return Err(
                section.wrong("`auth: bearer` wants `token_env` or `token_file`, and no other")
            );
        }
        (Auth::ClientCredentials, _, _) => {
            let message = "`auth: client_credentials` wants `token_url`, `client_id` and `client_secret_env` \
                           or `client_secret_file`, and no token";
            return Err(section.wrong(message));
        }
    };
    Ok(HttpEndpoint { url: url.shown(), login, tls: certificates_of(section, &url)? })
}
