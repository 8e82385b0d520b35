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

#[cfg(test)]
mod tests {
    use super::weakness;

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
