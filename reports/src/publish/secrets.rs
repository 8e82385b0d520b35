//! A last look before anything goes out: nothing that reads like a credential.
//!
//! Records hold none; this guards against the day on which one does. It looks for forms, not for values, so it finds
//! what is written in a usual way and cannot promise that nothing else is there.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::PublishError;
use crate::error::RecordError;

/// Names of what must not go out, before `=` or `:` and a value.
const NAMES: [&str; 9] = [
    "password",
    "passwd",
    "passphrase",
    "secret_key",
    "secret_access_key",
    "client_secret",
    "api_key",
    "apikey",
    "token",
];
/// Beginnings of well-known credentials, and how many letters, digits, `_` and `-` follow at least.
const BEGINNINGS: [(&str, usize); 11] = [
    ("ghp_", 20),
    ("gho_", 20),
    ("ghs_", 20),
    ("ghu_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("xoxb-", 10),
    ("xoxp-", 10),
    ("sk_live_", 10),
    ("AKIA", 16),
    ("ASIA", 16),
];
/// Bytes of a line that are looked through at once, so that a file without line ends takes no more memory.
const PART: u64 = 1 << 20;
/// Bytes that two parts of a line share, so that what lies across their border is seen.
const SHARED: usize = 1 << 10;

/// Looks through a text file of a run.
pub(crate) fn none_in(path: &Path) -> Result<(), PublishError> {
    let file = File::open(path).map_err(|e| RecordError::io(path, e))?;
    let mut reader = BufReader::with_capacity(1 << 18, file);
    match first_in(&mut reader, PART).map_err(|e| RecordError::io(path, e))? {
        Some((line, what)) => Err(PublishError::Secret { path: path.to_path_buf(), line, what }),
        None => Ok(()),
    }
}

fn first_in(
    reader: &mut impl BufRead,
    most: u64,
) -> std::io::Result<Option<(usize, &'static str)>> {
    let (mut part, mut number) = (Vec::new(), 1);
    loop {
        if reader.by_ref().take(most).read_until(b'\n', &mut part)? == 0 {
            return Ok(None);
        }
        if let Some(what) = in_line(&String::from_utf8_lossy(&part)) {
            return Ok(Some((number, what)));
        }
        if part.ends_with(b"\n") {
            number += 1;
            part.clear();
        } else {
            part.drain(..part.len().saturating_sub(SHARED));
        }
    }
}

fn in_line(line: &str) -> Option<&'static str> {
    let lower = line.to_ascii_lowercase();
    if line.contains("-----BEGIN ") || has_beginning(line) || has_header(line, &lower) {
        return Some("a key or a token");
    }
    if has_login_in_url(line) {
        return Some("a URL with a login");
    }
    let given = |name: &&str| {
        let mut found = lower.match_indices(*name);
        found.any(|(at, _)| is_given(&line[at + name.len()..]))
    };
    NAMES.iter().any(given).then_some("a password or a key with its value")
}

/// Whether what follows a name gives it a value: `=value`, `": "value"`, or `: value` where that is no word of a
/// sentence.
fn is_given(rest: &str) -> bool {
    let quotes = ['"', '\'', '\\'];
    let (closed, rest) = (rest.starts_with(quotes), rest.trim_start_matches(quotes).trim_start());
    let (sign, value) = match (rest.strip_prefix('='), rest.strip_prefix(':')) {
        (Some(value), _) => ('=', value),
        (_, Some(value)) => (':', value),
        _ => return false,
    };
    let value = value.trim_start();
    let quoted = value.starts_with(quotes);
    let value = value.trim_start_matches(quotes);
    let end = value.find(|c: char| c.is_whitespace() || quotes.contains(&c) || ",;)]}".contains(c));
    let value = &value[..end.unwrap_or(value.len())];
    // Stars and brackets stand where a value was taken out.
    if value.is_empty() || value.starts_with(['*', '<', '[', '{', '%']) {
        return false;
    }
    match sign {
        '=' => true,
        // Of JSON a text, not a count.
        _ if closed => quoted,
        _ => quoted || value.contains(|c: char| c.is_ascii_digit() || "/$+=_@!#".contains(c)),
    }
}

fn has_beginning(line: &str) -> bool {
    let in_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    BEGINNINGS.iter().any(|(beginning, least)| {
        line.match_indices(beginning).any(|(at, _)| {
            let alone = !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
            let rest = line[at + beginning.len()..].chars();
            alone && rest.take_while(|c| in_word(*c)).take(*least).count() == *least
        })
    })
}

/// `Bearer …` and `Basic …` in any case, with something long that is no word.
fn has_header(line: &str, lower: &str) -> bool {
    ["bearer ", "basic "].iter().any(|scheme| {
        lower.match_indices(scheme).any(|(at, _)| {
            let in_value = |c: &char| c.is_ascii_alphanumeric() || "-._~+/=".contains(*c);
            let value: String =
                line[at + scheme.len()..].chars().take_while(in_value).take(64).collect();
            let no_word = |c: char| c.is_ascii_digit() || c == '=';
            (value.len() >= 8 && value.contains(no_word)) || value.starts_with("ey")
        })
    })
}

/// `scheme://user:password@host`.
fn has_login_in_url(line: &str) -> bool {
    line.match_indices("://").any(|(at, _)| {
        let host = &line[at + 3..];
        let end = host.find(['/', '"', ' ', '<', '\\', '?']).unwrap_or(host.len());
        host[..end].split_once('@').is_some_and(|(login, _)| login.contains(':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_like_a_credential_is_seen_and_a_record_is_not() {
        for bad in [
            r#""endpoint": "postgres://odg:hunter2@db:5432""#,
            r#""command": ["--set", "password=hunter2"]"#,
            r#"{"text":"secret_access_key\": \"abc"}"#,
            "-----BEGIN PRIVATE KEY-----",
            "password=/hunter2",
            "POSTGRES_PASSWORD=$ecret",
            "password: hunter2",
            r#""client_secret": "abcdef""#,
            "https://host/path?token=abcdef",
            "ghp_0123456789abcdefghijABCDEFGHIJ012345",
            "AKIAIOSFODNN7EXAMPLE",
            "authorization: bearer 0123456789abcdef",
            "Authorization: Basic dXNlcjpwYXNzd29yZA==",
        ] {
            assert!(in_line(bad).is_some(), "{bad}");
        }
        for good in [
            r#""endpoint": "http://127.0.0.1:25808""#,
            "asked for its password, and a wrong password was refused",
            "asked for its password: refused",
            r#""keycloak.token": 12, "token": "#,
            "password=*** and password=<redacted>",
            "a bearer token that had expired was refused",
            "basic features",
            "user@example.org sees http://host:80/a@b:c",
        ] {
            assert_eq!(in_line(good), None, "{good}");
        }
        // Across the border of two parts of a line without an end.
        let long = format!("{}password=hunter2{}", "x".repeat(2_040), "y".repeat(5_000));
        let found = first_in(&mut long.as_bytes(), 2_048).unwrap();
        assert_eq!(found.map(|(line, _)| line), Some(1));
        let record = serde_json::to_string_pretty(&crate::testing::record()).unwrap();
        assert!(record.lines().all(|line| in_line(line).is_none()));
    }
}
