//! URLs of servers, as far as endpoints need them.

/// The parts of `scheme://user@host:port/path?query`. A password has no place in it: URLs are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Url {
    pub scheme: String,
    pub user: Option<String>,
    /// Without the brackets of an IPv6 address.
    pub host: String,
    pub port: Option<u16>,
    /// With its leading `/`, and as it was written: decoded it would be another address. Empty where there is none.
    pub path: String,
    pub query: Vec<(String, String)>,
}

/// What is said where a URL has a password in it.
const PASSWORD: &str =
    "a password has no place in a URL: give it as `password_env`, `password_file` or `password`";

impl Url {
    /// Reads a URL with one of these schemes.
    ///
    /// # Errors
    /// What is wrong, without a piece of the URL: it may hold a password.
    pub(super) fn parse(text: &str, schemes: &[&str]) -> Result<Self, String> {
        let wrong = |what: &str| format!("{what}; this must be like {}://host:port", schemes[0]);
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("this is no URL"))?;
        let scheme = scheme.to_ascii_lowercase();
        if !schemes.contains(&scheme.as_str()) {
            return Err(wrong("this URL has another scheme"));
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(wrong("this URL has white space in it"));
        }
        let after = rest;
        let rest = rest.split('#').next().unwrap_or_default();
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        // The end of a password with a / in it: what stands before it would be taken for the host, and shown.
        if after.contains('@') && !authority.contains('@') {
            return Err(wrong(PASSWORD));
        }
        let (login, address) = match authority.rsplit_once('@') {
            Some((login, address)) => (Some(login), address),
            None => (None, authority),
        };
        let decoded =
            |text: &str| decode(text).ok_or_else(|| wrong("a % in this URL is no escape"));
        if login.is_some_and(|login| login.contains(':')) {
            return Err(wrong(PASSWORD));
        }
        let user = login.map(decoded).transpose()?.filter(|name| !name.is_empty());
        let (host, port) = split_port(address).ok_or_else(|| wrong("this URL has a wrong port"))?;
        if host.is_empty() {
            return Err(wrong("this URL has no host"));
        }
        let mut pairs = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.push((decoded(key)?, decoded(value)?));
        }
        decoded(path)?;
        let (host, path) = (host.to_owned(), path.to_owned());
        Ok(Self { scheme, user, host, port, path, query: pairs })
    }

    /// The path as the name of a database; `None` where it is empty.
    pub(super) fn database(&self) -> Option<String> {
        decode(self.path.trim_matches('/')).filter(|name| !name.is_empty())
    }

    /// `host:port`, with brackets where the host is an IPv6 address.
    pub(super) fn address(&self, default_port: u16) -> String {
        address(&self.host, self.port.unwrap_or(default_port))
    }

    /// `scheme://host[:port][/path]`: what may be shown.
    pub(super) fn shown(&self) -> String {
        let host = match self.port {
            Some(port) => address(&self.host, port),
            None if self.host.contains(':') => format!("[{}]", self.host),
            None => self.host.clone(),
        };
        format!("{}://{host}{}", self.scheme, self.path.trim_end_matches('/'))
    }
}

/// `host:port`, with brackets where the host is an IPv6 address.
pub(super) fn address(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Host and port of `host`, `host:port`, `[v6]` or `[v6]:port`.
pub(super) fn split_port(address: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, tail) = rest.split_once(']')?;
            (host, if tail.is_empty() { None } else { Some(tail.strip_prefix(':')?) })
        }
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    match port {
        Some(port) => port.parse().ok().filter(|port| *port > 0).map(|port| (host, Some(port))),
        None => Some((host, None)),
    }
}

/// Percent-decoding; `None` where a `%` is no escape or the result no UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_as_people_write_them() {
        let url = Url::parse("postgres://od%40g@db:5433/odg?sslmode=require", &["postgres"]);
        let url = url.unwrap();
        assert_eq!((url.host.as_str(), url.port, url.path.as_str()), ("db", Some(5433), "/odg"));
        assert_eq!(url.user.as_deref(), Some("od@g"));
        assert_eq!(url.query, [("sslmode".to_owned(), "require".to_owned())]);
        let v6 = Url::parse("redis://[::1]:6380", &["redis"]).unwrap();
        assert_eq!((v6.host.as_str(), v6.user.as_deref()), ("::1", None));
        assert_eq!(v6.address(1), "[::1]:6380");
        let s3 = Url::parse("https://minio.example/base/", &["http", "https"]).unwrap();
        assert_eq!(s3.shown(), "https://minio.example/base");
        let escaped = Url::parse("https://h/a%2Fb%0Ac", &["https"]).unwrap();
        assert_eq!(escaped.shown(), "https://h/a%2Fb%0Ac", "decoded it would be another address");
        assert_eq!(escaped.database().as_deref(), Some("a/b\nc"));
    }

    #[test]
    fn a_wrong_url_is_refused_without_a_piece_of_it() {
        for bad in [
            "canary",
            "http://canary:canary@h",
            "redis://canary:canary@h:port",
            "redis://%zz@canary",
            "redis://canary@",
            "redis://canary canary",
            "redis://canary:c@[::1",
            "redis://u:canary@h",
            "redis://:canary@h:6379",
            // With an unescaped / or ? or #, the first half would be host and port.
            "redis://canary:1234/5@h",
            "redis://canary:1234?5@h",
            "redis://canary:1234#5@h",
        ] {
            let error = Url::parse(bad, &["redis"]).unwrap_err();
            assert!(!error.contains("canary") && !error.contains('\n'), "{error}");
            assert!(!error.contains("1234"), "{error}");
        }
        let error = Url::parse("redis://u:canary@h", &["redis"]).unwrap_err();
        assert!(error.contains("`password_env`"), "{error}");
    }
}
