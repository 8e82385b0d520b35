//! Database connections: what the services may open against what the database takes.

use super::layout::Layout;
use super::yaml::{Node, Place};

/// Connections that one process of a service keeps, unless told otherwise (`DATABASE_POOL_SIZE`).
pub const POOL_SIZE: u64 = 10;
/// Connections that it may open beyond them (`DATABASE_MAX_OVERFLOW`).
pub const POOL_OVERFLOW: u64 = 20;
/// Connections that PostgreSQL takes, unless told otherwise (`max_connections`; three of them are its superuser's).
pub const DEFAULT_CONNECTIONS: u64 = 100;
/// Connections that only a superuser gets (`superuser_reserved_connections`).
const RESERVED: u64 = 3;

/// One service's use of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolUse {
    /// The service.
    pub service: String,
    /// Processes at the most, with autoscaling.
    pub processes: u64,
    /// Connections of one process.
    pub each: u64,
    /// `max_connections` of the database.
    pub limit: u64,
    /// Where the limit is stated; PostgreSQL's own default where it is not.
    pub limit_place: Option<Place>,
}

impl PoolUse {
    /// Connections that may be open at once.
    pub const fn wanted(&self) -> u64 {
        self.processes.saturating_mul(self.each)
    }

    /// Connections that a service can get.
    pub const fn usable(&self) -> u64 {
        self.limit.saturating_sub(RESERVED)
    }
}

/// `max_connections` as values state it.
pub(super) fn limit(root: &Node, layout: Layout) -> Option<(u64, Place)> {
    let stated = |path: &[&str]| {
        let node = root.at(path)?;
        let number = node.whole().or_else(|| node.text()?.trim().parse().ok())?;
        Some((number, node.place.clone()))
    };
    match layout {
        Layout::Page => stated(&["postgres", "maxConnections"]),
        Layout::Chart => {
            let configuration = ["primary", "extendedConfiguration"];
            let text = root.at(&["postgresql", configuration[0], configuration[1]]);
            stated(&["postgresql", "maxConnections"])
                .or_else(|| Some((in_configuration(text?.text()?)?, text?.place.clone())))
        }
    }
}

/// `max_connections = 500` in a configuration file's text or in a server's arguments.
pub fn in_configuration(text: &str) -> Option<u64> {
    // What stands behind a # is a comment, and of two settings PostgreSQL takes the last.
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let stated = lines.flat_map(|line| line.split("max_connections").skip(1)).filter_map(|after| {
        let digits: String = after
            .trim_start_matches([' ', '=', '\t', '\'', '"'])
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        digits.parse().ok()
    });
    stated.last()
}

/// Connections of one process, by the environment of a service.
pub(super) fn each(service: &Node) -> u64 {
    let setting = |name: &str| {
        let env = service.get("env")?;
        let listed = env.items().iter().find(|e| e.get("name").and_then(Node::text) == Some(name));
        let node = env.get(name).or_else(|| listed?.get("value"))?;
        node.scalar()?.trim().parse::<u64>().ok()
    };
    setting("DATABASE_POOL_SIZE")
        .unwrap_or(POOL_SIZE)
        .saturating_add(setting("DATABASE_MAX_OVERFLOW").unwrap_or(POOL_OVERFLOW))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_found_in_configuration_and_arguments() {
        assert_eq!(in_configuration("a = 1\nmax_connections = 500\n"), Some(500));
        assert_eq!(in_configuration("-c max_connections=200 -c x=1"), Some(200));
        assert_eq!(in_configuration("shared_buffers = 1GB"), None);
        assert_eq!(in_configuration("# max_connections = 900\n"), None);
        let both = "# max_connections = 900\nmax_connections = 200 # was max_connections = 50\n";
        assert_eq!(in_configuration(both), Some(200));
    }
}
