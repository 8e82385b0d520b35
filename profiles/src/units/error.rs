//! What can be wrong with a unit, in one line.

use std::fmt;

/// What the text was meant to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitKind {
    /// A number of bytes.
    ByteSize,
    /// Bytes per day.
    Volume,
    /// A length of time.
    Duration,
    /// Kubernetes CPU.
    Cpu,
    /// Kubernetes memory.
    Memory,
}

impl UnitKind {
    fn noun(self) -> &'static str {
        match self {
            Self::ByteSize => "a size",
            Self::Volume => "a daily volume",
            Self::Duration => "a duration",
            Self::Cpu => "a CPU quantity",
            Self::Memory => "a memory quantity",
        }
    }

    /// A text that is one.
    pub fn example(self) -> &'static str {
        match self {
            Self::ByteSize => "8MiB",
            Self::Volume => "1TB/day",
            Self::Duration => "1m30s",
            Self::Cpu => "500m",
            Self::Memory => "4Gi",
        }
    }
}

/// Why the text was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitFault {
    /// Nothing was given.
    Empty,
    /// It does not start with a number.
    NoNumber,
    /// It is below zero.
    Negative,
    /// It is zero where something must flow.
    Zero,
    /// The unit is missing.
    NoUnit,
    /// The unit is not one of ours.
    UnknownUnit,
    /// It does not come out as a whole number of the smallest unit.
    NotWhole,
    /// It is larger than can be held.
    Overflow,
    /// Units must go from large to small, each at most once.
    Order,
}

impl fmt::Display for UnitFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::NoNumber => "it does not start with a number",
            Self::Negative => "it is negative",
            Self::Zero => "it must be more than zero",
            Self::NoUnit => "its unit is missing",
            Self::UnknownUnit => "its unit is unknown",
            Self::NotWhole => "it is finer than the smallest unit",
            Self::Overflow => "it is too large",
            Self::Order => "its units do not go from large to small",
        })
    }
}

/// A text that is not the quantity it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {}: {fault}; write it like `{}`", kind.noun(), kind.example())]
pub struct UnitError {
    /// What it was meant to be.
    pub kind: UnitKind,
    /// The text, cut at 40 characters, on one line.
    pub text: String,
    /// Why it was refused.
    pub fault: UnitFault,
}

impl UnitError {
    pub(crate) fn new(kind: UnitKind, text: &str, fault: UnitFault) -> Self {
        let mut short: String =
            text.chars().take(40).map(|c| if c.is_control() { ' ' } else { c }).collect();
        if text.chars().nth(40).is_some() {
            short.push('…');
        }
        Self { kind, text: short, fault }
    }
}
