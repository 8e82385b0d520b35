//! The prefix that marks what a run created, and that clean-up insists on.

use super::{DriverError, ErrorKind};

/// Start of every name that odg-bench creates in a shared system.
const HOUSE: &str = "odgbench";

/// Whether a name is one that a run of odg-bench gave.
pub(crate) fn of_the_house(name: &str) -> bool {
    name.strip_prefix(HOUSE).is_some_and(|rest| rest.starts_with(['-', '_']))
}

/// A run's prefix. Everything a driver creates starts with it; clean-up touches nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// A prefix such as `odgbench-7f3a` (buckets, topics, streams) or `odgbench_7f3a` (schemas).
    ///
    /// # Errors
    /// Refused unless it is `odgbench`, then `-` or `_`, then 1 to 40 lower-case letters, digits, `-` or `_`.
    pub fn new(prefix: impl Into<String>) -> Result<Self, DriverError> {
        let prefix = prefix.into();
        let valid = prefix
            .strip_prefix(HOUSE)
            .and_then(|rest| rest.strip_prefix(['-', '_']))
            .is_some_and(|run| {
                (1..=40).contains(&run.len())
                    && run.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
            });
        if valid {
            Ok(Self(prefix))
        } else {
            Err(DriverError::new(
                ErrorKind::Refused,
                "odg-bench",
                format!("prefix {prefix:?}"),
                "use odgbench-RUN or odgbench_RUN with lower-case letters and digits in RUN",
            ))
        }
    }

    /// The prefix itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `name` is the prefix, or goes on after it with one of `-_./:`.
    pub fn owns(&self, name: &str) -> bool {
        name.strip_prefix(self.0.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_', '.', '/', ':']))
    }

    /// `Ok` if this run owns `name`.
    pub(crate) fn check(&self, system: &'static str, name: &str) -> Result<(), DriverError> {
        if self.owns(name) {
            return Ok(());
        }
        Err(DriverError::new(
            ErrorKind::Refused,
            system,
            format!("name {name:?}"),
            format!("not this run's: it must start with {:?}", self.0),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::Prefix;

    #[test]
    fn a_foreign_name_is_never_owned() {
        let prefix = Prefix::new("odgbench-a1").unwrap();
        for own in ["odgbench-a1", "odgbench-a1-bronze", "odgbench-a1.lineage", "odgbench-a1:s:4"] {
            assert!(prefix.owns(own), "{own}");
        }
        for foreign in ["odgbench-a12", "odgbench-a", "odg-bronze-default", "", "xodgbench-a1"] {
            assert!(!prefix.owns(foreign), "{foreign}");
            assert!(prefix.check("s3", foreign).is_err(), "{foreign}");
        }
    }

    #[test]
    fn a_prefix_that_could_match_other_peoples_names_is_refused() {
        for bad in
            ["", "odgbench", "odgbench-", "odg", "odgbench-A", "odgbench-x y", "odgbench-x\"; --"]
        {
            assert!(Prefix::new(bad).is_err(), "{bad}");
        }
    }
}
