//! Numbers of bytes.

use std::fmt;
use std::str::FromStr;

use super::decimal::Decimal;
use super::error::{UnitError, UnitFault, UnitKind};
use super::{serde_as_text, three_digits};

/// Units that a size is shown in.
const UNITS: [(&str, u64); 11] = [
    ("PB", 1_000_000_000_000_000),
    ("PiB", 1 << 50),
    ("TB", 1_000_000_000_000),
    ("TiB", 1 << 40),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("kB", 1_000),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// A number of bytes.
///
/// Reads `8MiB`, `1.5 GB`, `1TB`, `20Gi`, `64GB` and plain bytes, in any case; a fraction of a byte
/// is rounded. Shown in the unit that needs the smallest whole number, so nothing is lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

impl ByteSize {
    /// From a number of bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// Reads a Kubernetes memory quantity (`4Gi`, `512M`, `1e9`, `1073741824`, `128000m`) exactly.
    ///
    /// # Errors
    /// Where it is none, is negative, is not a whole number of bytes, or exceeds 64 bits.
    pub fn from_quantity(text: &str) -> Result<Self, UnitError> {
        super::quantity::memory(text).map(Self)
    }
}

/// Bytes in one `unit`, in any case. `b` always means byte, never bit.
pub(super) fn unit_bytes(unit: &str) -> Option<u128> {
    let lower = unit.to_ascii_lowercase();
    let prefix = match lower.strip_suffix('b') {
        Some(prefix) => prefix,
        // A lone `m` would be a thousandth in Kubernetes and a million elsewhere.
        None if unit == "m" => return None,
        None => lower.as_str(),
    };
    let (base, letter): (u128, &str) = match prefix.strip_suffix('i') {
        Some(letter) => (1024, letter),
        None => (1000, prefix),
    };
    let power = match letter {
        "" if base == 1000 => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        "e" => 6,
        _ => return None,
    };
    Some(base.pow(power))
}

/// A number and the bytes of its unit.
pub(super) fn parse_bytes(text: &str) -> Result<(Decimal, u128), UnitFault> {
    let (number, unit) = Decimal::take(text)?;
    let factor = unit_bytes(unit.trim()).ok_or(UnitFault::UnknownUnit)?;
    Ok((number, factor))
}

impl FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        parse_bytes(text.trim())
            .and_then(|(number, factor)| number.times_rounded(factor))
            .map(Self)
            .map_err(|fault| UnitError::new(UnitKind::ByteSize, text, fault))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let best = UNITS
            .iter()
            .filter(|(_, bytes)| self.0 != 0 && self.0.is_multiple_of(*bytes))
            .min_by_key(|(_, bytes)| self.0 / bytes);
        match best {
            Some((unit, bytes)) => write!(f, "{}{unit}", self.0 / bytes),
            None => write!(f, "0B"),
        }
    }
}

serde_as_text!(ByteSize, "a size like `8MiB` or `64GB`");

/// A number of bytes for people, in decimal units and three digits: `11.6 MB`.
pub fn format_bytes(bytes: u64) -> String {
    // Three digits need no more precision than a double has.
    scaled(bytes as f64, "")
}

/// A rate in bytes per second for people, in decimal units and three digits: `11.6 MB/s`. `n/a`
/// where it is no number.
pub fn format_rate(bytes_per_second: f64) -> String {
    scaled(bytes_per_second, "/s")
}

fn scaled(value: f64, suffix: &str) -> String {
    if !value.is_finite() || value < 0.0 {
        return "n/a".to_owned();
    }
    if value < 999.5 {
        let whole = value.fract() == 0.0;
        let text = if whole { format!("{value:.0}") } else { three_digits(value) };
        return format!("{text} B{suffix}");
    }
    let mut value = value;
    let mut unit = "B";
    for next in ["kB", "MB", "GB", "TB", "PB", "EB"] {
        value /= 1000.0;
        unit = next;
        if value < 999.5 {
            break;
        }
    }
    format!("{} {unit}{suffix}", three_digits(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(text: &str) -> u64 {
        text.parse::<ByteSize>().unwrap().bytes()
    }

    #[test]
    fn decimal_and_binary_prefixes_are_told_apart() {
        assert_eq!(bytes("8MiB"), 8 << 20);
        assert_eq!(bytes("8Mi"), 8 << 20);
        assert_eq!(bytes("8MB"), 8_000_000);
        assert_eq!(bytes("8M"), 8_000_000);
        assert_eq!(bytes("1.5 GB"), 1_500_000_000);
        assert_eq!(bytes("1TB"), 1_000_000_000_000);
        assert_eq!(bytes("20Gi"), 20 << 30);
        assert_eq!(bytes("64gb"), 64_000_000_000);
        assert_eq!(bytes(" 4096 "), 4096);
        assert_eq!(bytes("12B"), 12);
    }

    #[test]
    fn a_refused_size_names_the_text_the_reason_and_an_example() {
        for (text, fault) in [
            ("", UnitFault::Empty),
            ("-4GB", UnitFault::Negative),
            ("four", UnitFault::NoNumber),
            ("4XB", UnitFault::UnknownUnit),
            ("4m", UnitFault::UnknownUnit),
            ("4i", UnitFault::UnknownUnit),
            ("NaN", UnitFault::NoNumber),
            ("99999999PB", UnitFault::Overflow),
        ] {
            assert_eq!(text.parse::<ByteSize>().unwrap_err().fault, fault, "{text}");
        }
        let message = "4XB".parse::<ByteSize>().unwrap_err().to_string();
        assert_eq!(message, "`4XB` is not a size: its unit is unknown; write it like `8MiB`");
    }

    #[test]
    fn a_size_is_shown_as_the_seed_writes_it() {
        for (text, shown) in
            [("64GB", "64GB"), ("20Gi", "20GiB"), ("5000Gi", "5000GiB"), ("0", "0B")]
        {
            assert_eq!(text.parse::<ByteSize>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn people_get_three_digits() {
        assert_eq!(format_bytes(0), "0 B");
        assert_eq!(format_bytes(999), "999 B");
        assert_eq!(format_bytes(11_574_074), "11.6 MB");
        assert_eq!(format_bytes(999_999), "1.00 MB");
        assert_eq!(format_rate(11_574_074.1), "11.6 MB/s");
        assert_eq!(format_rate(f64::NAN), "n/a");
        assert_eq!(format_bytes(u64::MAX), "18.4 EB");
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_as_the_same_size(bytes: u64) {
            let size = ByteSize::new(bytes);
            prop_assert_eq!(size.to_string().parse::<ByteSize>(), Ok(size));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "[-+0-9.eEkMGTPiB/ ]{0,48}|.{0,20}") {
            let _ = text.parse::<ByteSize>();
            let _ = ByteSize::from_quantity(&text);
        }

        #[test]
        fn a_size_past_64_bits_is_refused(n in 18_447_u64..) {
            let size = format!("{n}PB").parse::<ByteSize>();
            prop_assert!(size.is_err());
        }
    }
}
