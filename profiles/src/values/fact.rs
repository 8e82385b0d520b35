//! What one place says about one promise, with its type.

use std::fmt;

use super::quantity::Quantity;
use super::yaml::{Node, Value};
use crate::units::{ByteSize, format_duration_ns, parse_duration};

/// Unit of an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A plain number.
    Count,
    /// CPU cores.
    Cores,
    /// Bytes.
    Bytes,
    /// Percent.
    Percent,
}

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// Is it there, is it switched on.
    Flag(bool),
    /// A number with its unit.
    Amount(Quantity, Unit),
    /// A length of time, in nanoseconds.
    Nanos(u64),
    /// A word.
    Text(String),
    /// Names: zones, regions, routes.
    Names(Vec<String>),
}

impl Fact {
    /// A plain number.
    pub const fn count(number: u64) -> Self {
        Self::Amount(Quantity::whole(number), Unit::Count)
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(true) => f.write_str("yes"),
            Self::Flag(false) => f.write_str("no"),
            Self::Amount(amount, Unit::Bytes) => match amount.to_whole() {
                Some(bytes) => write!(f, "{}", ByteSize::new(bytes)),
                None => write!(f, "{amount}B"),
            },
            Self::Amount(percent, Unit::Percent) => match percent.to_whole() {
                Some(whole) => write!(f, "{whole} %"),
                None => write!(f, "{} %", percent.to_millis() as f64 / 1000.0),
            },
            Self::Amount(amount, Unit::Count | Unit::Cores) => write!(f, "{amount}"),
            Self::Nanos(ns) => f.write_str(&format_duration_ns(*ns)),
            Self::Text(text) => f.write_str(text),
            Self::Names(names) if names.is_empty() => f.write_str("none"),
            Self::Names(names) => f.write_str(&names.join(", ")),
        }
    }
}

/// How a value under a key is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// Switched on: `true`, or a map that is not switched off by its own `enabled: false`.
    Block,
    /// A whole number.
    Whole,
    /// A Kubernetes quantity in this unit.
    Amount(Unit),
    /// A length of time, as `100ms`.
    Time,
    /// A scalar, as it is written.
    Text,
    /// A list of names.
    Names,
    /// A list of maps, each with its `id`.
    Ids,
    /// A map of switches: the names of those that are on.
    Switches,
    /// A number of replicas beside one that is always there (`readReplicas` beside the primary).
    Beside,
    /// The word that says `distributed`.
    Distributed,
}

impl Kind {
    /// Reads a value.
    ///
    /// # Errors
    /// What it is and what it must be.
    pub fn read(self, node: &Node) -> Result<Fact, String> {
        let wrong = |must: &str| {
            let shown = node.scalar().map_or_else(String::new, |text| format!(" (`{text}`)"));
            Err(format!("this is {}{shown}, but it must be {must}", node.value.noun()))
        };
        match self {
            Self::Flag => node.flag().map_or_else(|| wrong("true or false"), |b| Ok(Fact::Flag(b))),
            Self::Block => match &node.value {
                Value::Bool(b) => Ok(Fact::Flag(*b)),
                Value::Map(_) => match node.get("enabled") {
                    Some(enabled) => Self::Flag.read(enabled),
                    None => Ok(Fact::Flag(true)),
                },
                _ => wrong("true, false or a map"),
            },
            Self::Whole => {
                node.whole().map_or_else(|| wrong("a whole number"), |n| Ok(Fact::count(n)))
            }
            Self::Beside => node
                .whole()
                .map_or_else(|| wrong("a whole number"), |n| Ok(Fact::count(n.saturating_add(1)))),
            Self::Amount(unit) => {
                let Some(text) = node.scalar().filter(|_| node.flag().is_none()) else {
                    return wrong("a quantity like `500m` or `4Gi`");
                };
                let amount: Quantity =
                    text.parse().map_err(|e: super::QuantityError| e.to_string())?;
                if amount.is_negative() {
                    return wrong("zero or more");
                }
                Ok(Fact::Amount(amount, unit))
            }
            Self::Time => match node.scalar() {
                Some(text) => parse_duration(&text)
                    .map_err(|e| e.to_string())
                    .map(|d| Fact::Nanos(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))),
                None => wrong("a length of time like `100ms`"),
            },
            Self::Text => node.scalar().map_or_else(|| wrong("a word"), |t| Ok(Fact::Text(t))),
            Self::Names => match &node.value {
                Value::List(items) => items
                    .iter()
                    .map(|item| item.scalar())
                    .collect::<Option<Vec<_>>>()
                    .map_or_else(|| wrong("a list of words"), |names| Ok(Fact::Names(names))),
                _ => wrong("a list of words"),
            },
            Self::Ids => match &node.value {
                Value::List(items) => items
                    .iter()
                    .map(|item| item.get("id").and_then(Node::scalar))
                    .collect::<Option<Vec<_>>>()
                    .map_or_else(|| wrong("a list of maps with an `id`"), |n| Ok(Fact::Names(n))),
                _ => wrong("a list of maps with an `id`"),
            },
            Self::Switches => match &node.value {
                Value::Map(entries) => {
                    let on = entries.iter().filter(|e| e.node.flag() == Some(true));
                    Ok(Fact::Names(on.map(|e| e.key.clone()).collect()))
                }
                _ => wrong("a map of switches"),
            },
            Self::Distributed => match &node.value {
                Value::Bool(b) => Ok(Fact::Flag(*b)),
                Value::Text(text) => Ok(Fact::Flag(text == "distributed")),
                _ => wrong("`distributed`"),
            },
        }
    }
}
