//! A last look before anything goes out: nothing that reads like a credential.
//!
//! Records hold none; this guards against the day on which one does. It looks for forms, not for values.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use super::PublishError;
use crate::error::RecordError;

/// Words before `=` or `:` and a value.
const NAMES: [&str; 6] =
    ["password", "passwd", "secret_key", "secret_access_key", "api_key", "access_token"];
/// Beginnings of well-known credentials.
const BEGINNINGS: [&str; 3] = ["-----BEGIN ", "Bearer ey", "Authorization: "];

/// Looks through a text file of a run.
pub(crate) fn none_in(path: &Path) -> Result<(), PublishError> {
    let file = File::open(path).map_err(|e| RecordError::io(path, e))?;
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let (mut line, mut number) = (Vec::new(), 0);
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(|e| RecordError::io(path, e))? == 0 {
            return Ok(());
        }
        number += 1;
        if let Some(what) = in_line(&String::from_utf8_lossy(&line)) {
            return Err(PublishError::Secret { path: path.to_path_buf(), line: number, what });
        }
    }
}

fn in_line(line: &str) -> Option<&'static str> {
    if BEGINNINGS.iter().any(|beginning| line.contains(beginning)) {
        return Some("a key or a token");
    }
    if has_login_in_url(line) {
        return Some("a URL with a login");
    }
    let lower = line.to_ascii_lowercase();
    let given = |name: &&str| {
        lower.match_indices(*name).any(|(at, _)| {
            let rest = lower[at + name.len()..].trim_start_matches(['"', '\'', '\\', ' ']);
            let value =
                rest.strip_prefix(['=', ':']).map(|v| v.trim_start_matches(['"', '\'', '\\', ' ']));
            value.and_then(|v| v.chars().next()).is_some_and(|c| c.is_ascii_alphanumeric())
        })
    };
    NAMES.iter().any(given).then_some("a password or a key with its value")
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
        ] {
            assert!(in_line(bad).is_some(), "{bad}");
        }
        for good in [
            r#""endpoint": "http://127.0.0.1:25808""#,
            "asked for its password, and a wrong password was refused",
            "user@example.org sees http://host:80/a@b:c",
        ] {
            assert_eq!(in_line(good), None, "{good}");
        }
        let record = serde_json::to_string_pretty(&crate::testing::record()).unwrap();
        assert!(record.lines().all(|line| in_line(line).is_none()));
    }
}
