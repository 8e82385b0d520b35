//! Passwords of servers that odg-bench starts.

use odg_workloads::secret::Secret;
use rand::Rng;
use rand::distr::Alphanumeric;

/// A random password: 24 letters and digits, 142 bits.
pub(in crate::provider) fn random_password() -> Secret {
    Secret::new(rand::rng().sample_iter(Alphanumeric).take(24).map(char::from).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_long_random_and_hidden() {
        let (a, b) = (random_password(), random_password());
        assert_ne!(a, b);
        assert_eq!(a.expose().len(), 24);
        assert!(!format!("{a:?}").contains(a.expose()));
    }
}
