//! Passwords that everybody knows.

/// Published defaults of the components and of the platform's own pages.
const KNOWN: [&str; 24] = [
    "admin",
    "administrator",
    "airflow",
    "changeme",
    "datahub",
    "dev_password",
    "dev_redis",
    "grafana",
    "guest",
    "keycloak",
    "minio",
    "minio123",
    "minioadmin",
    "odg",
    "pass",
    "password",
    "postgres",
    "prom-operator",
    "redis",
    "root",
    "secret",
    "superset",
    "token",
    "123456",
];

/// Marks of a value that somebody was meant to replace.
const PLACEHOLDERS: [&str; 6] =
    ["changeme", "change-me", "change_me", "use_vault", "replace-me", "replace_me"];

/// Why a secret under this key is weak. The value is quoted only where it is a published default.
pub fn weakness(key: &str, value: &str) -> Option<String> {
    let name = key.to_ascii_lowercase();
    let inside = ["password", "passwd", "pwd"];
    let behind = ["secret", "token", "apikey", "accesskey", "secretkey", "-key", "_key", "pass"];
    let one = name.trim_end_matches('s');
    let is_secret = inside.iter().any(|word| name.contains(word))
        || behind.iter().any(|word| one.ends_with(word) || name.ends_with(word));
    // What names a secret, or says where it is, is none itself.
    let reference = ["existing", "secretname", "secretref", "_file", "passwordkey", "policy"];
    if !is_secret || reference.iter().any(|word| name.contains(word)) {
        return None;
    }
    let lower = value.trim().to_ascii_lowercase();
    if lower.is_empty() {
        return Some("it is empty".to_owned());
    }
    if KNOWN.contains(&lower.as_str()) {
        return Some(format!("it is the published default `{lower}`"));
    }
    let placeholder = PLACEHOLDERS.iter().find(|mark| lower.contains(*mark))?;
    Some(format!("it is a placeholder with `{placeholder}` in it"))
}

/// Why the password in a `scheme://user:password@host` is weak; the first that is.
pub fn url_weakness(text: &str) -> Option<String> {
    text.split("://").skip(1).find_map(|rest| {
        let ends = |c: char| c.is_whitespace() || ['/', '?', '#', '"', '\'', '`', '<'].contains(&c);
        let authority = rest.split(ends).next()?;
        let (user, _) = authority.rsplit_once('@')?;
        let (_, password) = user.split_once(':')?;
        // `$(PASSWORD)` is filled in from elsewhere.
        if password.is_empty() || password.starts_with(['$', '{', '%']) {
            return None;
        }
        weakness("password", password).map(|why| format!("the password in a URL: {why}"))
    })
}

#[cfg(test)]
mod tests {
    use super::{url_weakness, weakness};

    #[test]
    fn a_default_password_in_a_url_is_weak_and_a_strong_one_or_none_is_not() {
        for text in ["postgresql://odg:postgres@db:5432/x", "a redis://:changeme@r/0 b"] {
            assert!(url_weakness(text).is_some(), "{text}");
        }
        for text in [
            "postgresql://odg:q8Xn2vLr9tYw@db/x",
            "http://admin@h",
            "https://h:80/a",
            "p://a:$(P)@h",
        ] {
            assert_eq!(url_weakness(text), None, "{text}");
        }
    }

    #[test]
    fn published_defaults_and_placeholders_are_weak_and_no_other_value_is_quoted() {
        for (key, value) in [
            ("postgres-password", "postgres"),
            ("rootPassword", "minioadmin"),
            ("POSTGRES_PASSWORD", "odg"),
            ("secret-key", ""),
            ("redis-password", "dev_redis"),
        ] {
            assert!(weakness(key, value).is_some(), "{key}");
        }
        let why = weakness("password", "secure_password_change_me").unwrap_or_default();
        assert!(why.contains("change_me") && !why.contains("secure"), "{why}");
    }

    #[test]
    fn strong_values_names_of_users_and_references_are_not() {
        for (key, value) in [
            ("postgres-password", "q8Xn2vLr9tYw"),
            ("username", "admin"),
            ("existingSecret", "postgres"),
            ("POSTGRES_PASSWORD_FILE", "/run/password"),
            ("replicaCount", "3"),
        ] {
            assert_eq!(weakness(key, value), None, "{key}");
        }
    }
}
