//! Lengths of time.

use std::time::Duration;

use super::decimal::Decimal;
use super::error::{UnitError, UnitFault, UnitKind};
use super::three_digits;

/// Nanoseconds in one `unit`.
fn unit_ns(unit: &str) -> Option<u128> {
    Some(match unit {
        "d" => 86_400_000_000_000,
        "h" => 3_600_000_000_000,
        "m" | "min" => 60_000_000_000,
        "s" => 1_000_000_000,
        "ms" => 1_000_000,
        "us" | "µs" | "μs" => 1_000,
        "ns" => 1,
        _ => return None,
    })
}

/// Reads `60s`, `1m30s`, `250ms`, `2h`, `1d`, `1.5s`: parts from large to small, each with a unit of
/// `d h m s ms us ns`. At most 584 years (64 bits of nanoseconds); finer than a nanosecond is refused.
///
/// # Errors
/// Where it is none of these.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    parse(text.trim()).map_err(|fault| UnitError::new(UnitKind::Duration, text, fault))
}

fn parse(text: &str) -> Result<Duration, UnitFault> {
    let mut rest = text;
    let mut total = 0_u64;
    let mut last = u128::MAX;
    loop {
        let (number, tail) = Decimal::take(rest)?;
        let tail = tail.trim_start();
        let end = tail.find(|c: char| !c.is_alphabetic()).unwrap_or(tail.len());
        if end == 0 {
            return Err(UnitFault::NoUnit);
        }
        let unit = unit_ns(&tail[..end]).ok_or(UnitFault::UnknownUnit)?;
        if unit >= last {
            return Err(UnitFault::Order);
        }
        last = unit;
        total = total.checked_add(number.times(unit)?).ok_or(UnitFault::Overflow)?;
        rest = tail[end..].trim_start();
        if rest.is_empty() {
            return Ok(Duration::from_nanos(total));
        }
    }
}

/// A length of time for people, in three digits: `850 ns`, `12.3 µs`, `1.25 ms`, `30.0 s`.
pub fn format_duration_ns(ns: u64) -> String {
    if ns < 1_000 {
        return format!("{ns} ns");
    }
    // Three digits need no more precision than a double has.
    let mut value = ns as f64 / 1e3;
    let mut unit = "µs";
    for next in ["ms", "s"] {
        if value < 999.5 {
            break;
        }
        value /= 1e3;
        unit = next;
    }
    format!("{} {unit}", three_digits(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read_as_people_type_them() {
        for (text, ms) in [
            ("60s", 60_000),
            ("1m30s", 90_000),
            ("250ms", 250),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("1.5s", 1_500),
            ("1h 5 min", 3_900_000),
            ("0s", 0),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        assert_eq!(parse_duration("15us"), Ok(Duration::from_micros(15)));
        assert_eq!(parse_duration("15µs"), Ok(Duration::from_micros(15)));
    }

    #[test]
    fn a_duration_that_cannot_be_is_refused_with_the_reason() {
        for (text, fault) in [
            ("", UnitFault::Empty),
            ("60", UnitFault::NoUnit),
            ("-1s", UnitFault::Negative),
            ("60 parsecs", UnitFault::UnknownUnit),
            ("30s1m", UnitFault::Order),
            ("1s1s", UnitFault::Order),
            ("0.5ns", UnitFault::NotWhole),
            ("999999d", UnitFault::Overflow),
            ("1m30", UnitFault::NoUnit),
        ] {
            assert_eq!(parse_duration(text).unwrap_err().fault, fault, "{text}");
        }
    }

    #[test]
    fn people_get_three_digits_and_the_right_unit() {
        for (ns, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (12_340, "12.3 µs"),
            (999_499, "999 µs"),
            (999_999, "1.00 ms"),
            (1_250_000, "1.25 ms"),
            (100_000_000, "100 ms"),
            (5_000_000_000, "5.00 s"),
            (90_000_000_000, "90.0 s"),
        ] {
            assert_eq!(format_duration_ns(ns), text);
        }
    }

    proptest! {
        #[test]
        fn whole_parts_read_back_as_their_sum(h in 0_u64..1000, m in 0_u64..60, s in 0_u64..60, ms in 0_u64..1000) {
            let total = ((h * 60 + m) * 60 + s) * 1000 + ms;
            prop_assert_eq!(
                parse_duration(&format!("{h}h{m}m{s}s{ms}ms")),
                Ok(Duration::from_millis(total))
            );
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "[-0-9.dhmsnuµ ]{0,48}|.{0,20}") {
            let _ = parse_duration(&text);
        }

        #[test]
        fn every_formatted_duration_reads_back_within_half_a_percent(ns: u64) {
            let shown = format_duration_ns(ns);
            if let Ok(back) = parse_duration(&shown) {
                let back = back.as_nanos() as f64;
                prop_assert!((back - ns as f64).abs() <= ns as f64 * 0.0051, "{}", shown);
            } else {
                // The largest values round up past what 64 bits hold.
                prop_assert!(ns > u64::MAX - 1_000_000_000, "{}", shown);
            }
        }
    }
}
