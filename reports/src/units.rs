//! Figures as people read them: durations, sizes, rates and counts with their units.

/// Nanoseconds with three significant digits and the unit that fits (`870 ns`, `12.3 ms`, `4.00 s`).
#[must_use]
pub fn duration_ns(ns: f64) -> String {
    scaled(ns, &[(1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s")])
}

/// Reads what [`duration_ns`] writes (`12.3 ms`); `None` for anything else.
pub(crate) fn parse_duration_ns(text: &str) -> Option<f64> {
    let (number, unit) = text.trim().split_once(' ')?;
    let factor = match unit {
        "ns" => 1.0,
        "µs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor).filter(|ns| ns.is_finite() && *ns >= 0.0)
}

const BYTES: [(f64, &str); 6] =
    [(1.0, "B"), (1e3, "kB"), (1e6, "MB"), (1e9, "GB"), (1e12, "TB"), (1e15, "PB")];

/// Bytes in decimal units (`11.6 MB`).
#[must_use]
pub fn bytes(n: f64) -> String {
    scaled(n, &BYTES)
}

/// Bytes per second in decimal units (`11.6 MB/s`).
#[must_use]
pub fn bytes_per_s(n: f64) -> String {
    format!("{}/s", bytes(n))
}

/// A rate and the one it should have been, in the latter's unit, which comes third, and with enough
/// digits to tell them apart (`11.46`, `11.57`, `MB/s`).
#[must_use]
pub fn bytes_per_s_beside(realised: f64, planned: f64) -> (String, String, String) {
    let (factor, unit) = unit_of(planned, &BYTES);
    let digits = |n: f64| {
        let n = n / factor;
        match n.abs() {
            _ if !n.is_finite() => "–".to_owned(),
            m if m >= 999.5 => count(n.round().max(0.0) as u64),
            m if m >= 99.95 => format!("{n:.1}"),
            m if m >= 9.995 => format!("{n:.2}"),
            _ => format!("{n:.3}"),
        }
    };
    (digits(realised), digits(planned), format!("{unit}/s"))
}

/// Memory in binary units (`512 MiB`).
#[must_use]
pub fn memory(n: u64) -> String {
    const KI: f64 = 1024.0;
    let (ki, mi, gi, ti) = (KI, KI * KI, KI * KI * KI, KI * KI * KI * KI);
    scaled(n as f64, &[(1.0, "B"), (ki, "KiB"), (mi, "MiB"), (gi, "GiB"), (ti, "TiB")])
}

/// A rate with three significant digits and no unit (`11,600`, `0.483`).
#[must_use]
pub fn rate(n: f64) -> String {
    if !n.is_finite() {
        return "–".to_owned();
    }
    if n.abs() >= 1000.0 { count(n.round() as u64) } else { significant(n) }
}

/// A count with the words that go with it: `1 run was`, `1,200 runs were`.
pub(crate) fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// A count with thousands separated (`1,234,567`).
#[must_use]
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Seconds as people say them (`42 s`, `10 min`, `1 h 5 min`).
#[must_use]
pub fn seconds(s: f64) -> String {
    if !s.is_finite() || s < 0.0 {
        return "–".to_owned();
    }
    if s < 60.0 && s.fract() == 0.0 {
        return format!("{s:.0} s");
    }
    if s < 60.0 {
        return format!("{} s", significant(s));
    }
    let total = s.round() as u64;
    let (h, m, s) = (total / 3600, total / 60 % 60, total % 60);
    match (h, m, s) {
        (0, m, 0) => format!("{m} min"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, 0, _) => format!("{h} h"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

/// A share as per cent, with more digits near 100 (`99.97 %`).
#[must_use]
pub fn percent(share: f64) -> String {
    if !share.is_finite() {
        return "–".to_owned();
    }
    let p = share * 100.0;
    if p > 0.0 && p < 0.1 {
        "< 0.1 %".to_owned()
    // 99.996 must not be printed as 100: a reader takes 100 % to mean all of it.
    } else if (99.0..100.0).contains(&p) {
        format!("{:.2} %", (p * 100.0).floor() / 100.0)
    } else {
        format!("{p:.1} %")
    }
}

/// The name of a percentile given as a share (`p99`, `p99.9`).
#[must_use]
pub fn percentile_name(share: f64) -> String {
    // Rounded to 1e-9 so that 0.999 × 100 does not print as 99.90000000000001.
    let p = (share * 100.0 * 1e9).round() / 1e9;
    format!("p{p}")
}

/// The unit that a value is best told in.
fn unit_of<'a>(value: f64, units: &[(f64, &'a str)]) -> (f64, &'a str) {
    let magnitude = value.abs();
    // 999.6 would print as 1000 of the smaller unit, so it moves up.
    let fitting = units.iter().rev().find(|(factor, _)| magnitude >= factor * 0.9995);
    fitting.or(units.first()).copied().unwrap_or((1.0, ""))
}

fn scaled(value: f64, units: &[(f64, &str)]) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let (factor, unit) = unit_of(value, units);
    let scaled = value / factor;
    let number = if factor == 1.0 && scaled.fract() == 0.0 {
        format!("{scaled:.0}")
    } else {
        significant(scaled)
    };
    format!("{number} {unit}")
}

/// Three significant digits without an exponent.
fn significant(n: f64) -> String {
    let magnitude = n.abs();
    if n == 0.0 {
        "0".to_owned()
    } else if magnitude >= 99.95 {
        format!("{n:.0}")
    } else if magnitude >= 9.995 {
        format!("{n:.1}")
    } else if magnitude >= 0.9995 {
        format!("{n:.2}")
    } else if magnitude >= 0.0005 {
        format!("{n:.3}")
    } else {
        format!("{n:.1e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_take_the_unit_that_fits() {
        assert_eq!(duration_ns(0.0), "0 ns");
        assert_eq!(duration_ns(870.0), "870 ns");
        assert_eq!(duration_ns(999_700.0), "1.00 ms");
        assert_eq!(duration_ns(12_345_678.0), "12.3 ms");
        assert_eq!(duration_ns(4e9), "4.00 s");
        assert_eq!(duration_ns(f64::NAN), "–");
    }

    #[test]
    fn a_duration_is_read_back_as_it_was_written() {
        for ns in [0.0, 870.0, 12_300_000.0, 4e9] {
            assert_eq!(parse_duration_ns(&duration_ns(ns)), Some(ns));
        }
        for foreign in ["", "ms", "3", "3 h", "NaN ms", "inf s", "-1 ms"] {
            assert_eq!(parse_duration_ns(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn sizes_and_rates_carry_their_units() {
        assert_eq!(bytes_per_s(11_574_074.0), "11.6 MB/s");
        let beside = |realised, planned| {
            let (realised, planned, unit) = bytes_per_s_beside(realised, planned);
            format!("{realised} of {planned} {unit}")
        };
        assert_eq!(beside(11_463_000.0, 11_574_074.0), "11.46 of 11.57 MB/s");
        assert_eq!(beside(0.0, 999_900.0), "0.000 of 1.000 MB/s");
        assert_eq!(beside(f64::INFINITY, 0.0), "– of 0.000 B/s");
        assert_eq!(memory(536_870_912), "512 MiB");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(123), "123");
        assert_eq!(rate(11_600.4), "11,600");
        assert_eq!(rate(0.4833), "0.483");
    }

    #[test]
    fn a_share_just_under_one_never_reads_as_all_of_it() {
        assert_eq!(percent(0.999_96), "99.99 %");
        assert_eq!(percent(1.0), "100.0 %");
        assert_eq!(percent(0.5), "50.0 %");
    }

    #[test]
    fn a_small_share_never_reads_as_none_of_it() {
        assert_eq!(percent(0.000_384), "< 0.1 %");
        assert_eq!(percent(0.001), "0.1 %");
        assert_eq!(percent(0.0), "0.0 %");
    }

    #[test]
    fn percentile_names_have_no_rounding_dust() {
        assert_eq!(percentile_name(0.99), "p99");
        assert_eq!(percentile_name(0.999), "p99.9");
        assert_eq!(percentile_name(0.5), "p50");
    }

    #[test]
    fn seconds_read_as_people_say_them() {
        assert_eq!(seconds(42.0), "42 s");
        assert_eq!(seconds(0.5), "0.500 s");
        assert_eq!(seconds(600.0), "10 min");
        assert_eq!(seconds(3900.0), "1 h 5 min");
        assert_eq!(seconds(61.0), "1 min 1 s");
    }
}
