//! Daily volumes.

use std::fmt;
use std::str::FromStr;

use super::bytes::{ByteSize, parse_bytes};
use super::error::{UnitError, UnitFault, UnitKind};
use super::serde_as_text;

/// Seconds in a day.
const DAY_S: u64 = 86_400;

/// Bytes that flow in a day; never zero.
///
/// Reads `1TB/day`, `500GB/day`, `40GB/h`, `11.6MB/s`. A fraction of a byte per day is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Volume(u64);

impl Volume {
    /// From bytes per day.
    ///
    /// # Errors
    /// Where it is zero.
    pub fn from_bytes_per_day(bytes: u64) -> Result<Self, UnitError> {
        if bytes == 0 {
            return Err(UnitError::new(UnitKind::Volume, "0B/day", UnitFault::Zero));
        }
        Ok(Self(bytes))
    }

    /// Bytes per day.
    pub const fn bytes_per_day(self) -> u64 {
        self.0
    }

    /// Mean bytes per second over the day.
    pub fn bytes_per_second(self) -> f64 {
        self.0 as f64 / DAY_S as f64
    }
}

impl FromStr for Volume {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let refuse = |fault| UnitError::new(UnitKind::Volume, text, fault);
        let trimmed = text.trim();
        let Some((amount, per)) = trimmed.split_once('/') else {
            return Err(refuse(parse_bytes(trimmed).err().unwrap_or(UnitFault::NoUnit)));
        };
        let times_a_day = match per.trim().to_ascii_lowercase().as_str() {
            "d" | "day" => 1,
            "h" | "hour" => 24,
            "min" | "minute" => 24 * 60,
            "s" | "sec" | "second" => u128::from(DAY_S),
            _ => return Err(refuse(UnitFault::UnknownUnit)),
        };
        parse_bytes(amount.trim())
            .and_then(|(number, unit)| number.times_rounded(unit * times_a_day))
            .and_then(|bytes| if bytes == 0 { Err(UnitFault::Zero) } else { Ok(Self(bytes)) })
            .map_err(refuse)
    }
}

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/day", ByteSize::new(self.0))
    }
}

serde_as_text!(Volume, "a daily volume like `1TB/day`");

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(text: &str) -> u64 {
        text.parse::<Volume>().unwrap().bytes_per_day()
    }

    #[test]
    fn volumes_are_read_per_day_hour_minute_and_second() {
        assert_eq!(day("1TB/day"), 1_000_000_000_000);
        assert_eq!(day("500 GB / day"), 500_000_000_000);
        assert_eq!(day("40GB/h"), 960_000_000_000);
        assert_eq!(day("11.6MB/s"), 11_600_000 * 86_400);
        assert_eq!(day("1GiB/min"), (1 << 30) * 1440);
    }

    #[test]
    fn one_terabyte_a_day_is_11_6_megabytes_a_second() {
        let rate = "1TB/day".parse::<Volume>().unwrap().bytes_per_second();
        assert!((rate - 11_574_074.07).abs() < 0.01, "{rate}");
    }

    #[test]
    fn a_volume_that_cannot_be_is_refused_with_the_reason() {
        for (text, fault) in [
            ("0TB/day", UnitFault::Zero),
            ("1TB", UnitFault::NoUnit),
            ("1TB/fortnight", UnitFault::UnknownUnit),
            ("-1TB/day", UnitFault::Negative),
            ("NaN", UnitFault::NoNumber),
            ("99999PB/s", UnitFault::Overflow),
            ("1TBx/day", UnitFault::UnknownUnit),
        ] {
            assert_eq!(text.parse::<Volume>().unwrap_err().fault, fault, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_as_the_same_volume(bytes in 1_u64..) {
            let volume = Volume::from_bytes_per_day(bytes).unwrap();
            prop_assert_eq!(volume.to_string().parse::<Volume>(), Ok(volume));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "[-0-9.eEkMGTPiB/days ]{0,48}|.{0,20}") {
            let _ = text.parse::<Volume>();
        }
    }
}
