//! Kubernetes quantities without floating point (`k8s.io/apimachinery`, `resource.Quantity`).

use std::fmt;
use std::str::FromStr;

/// Billionths in one: the finest suffix is `n`.
const ONE: i128 = 1_000_000_000;
/// Largest magnitude, in billionths: far past the 2^63 that Kubernetes takes, far from 128 bits, so that sums and
/// products with replicas fit.
const MOST: i128 = 1_000_000_000_000_000_000_000_000_000_000;

/// An exact amount: `1000m` equals `1`, `0.5Gi` equals `512Mi`, `1e3` equals `1k`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(i128);

/// A text that is no quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no Kubernetes quantity: {reason}; write it like `500m`, `2` or `4Gi`")]
pub struct QuantityError {
    text: String,
    reason: &'static str,
}

impl Quantity {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// A whole number.
    pub const fn whole(number: u64) -> Self {
        Self(number as i128 * ONE)
    }

    /// Thousandths.
    pub const fn millis(number: u64) -> Self {
        Self(number as i128 * (ONE / 1000))
    }

    /// The whole number that it is; none where it has a fraction, is negative or exceeds 64 bits.
    pub fn to_whole(self) -> Option<u64> {
        if self.0 % ONE == 0 { u64::try_from(self.0 / ONE).ok() } else { None }
    }

    /// Thousandths, a finer rest counted as one more, as Kubernetes rounds.
    pub fn to_millis(self) -> i128 {
        let step = ONE / 1000;
        self.0.div_euclid(step) + i128::from(self.0.rem_euclid(step) != 0)
    }

    /// Below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// This and another, at most `MOST`.
    pub const fn plus(self, other: Self) -> Self {
        let sum = self.0.saturating_add(other.0);
        Self(if sum > MOST { MOST } else { sum })
    }

    /// This many times, at most `MOST`.
    pub const fn times(self, count: u64) -> Self {
        let product = self.0.saturating_mul(count as i128);
        Self(if product > MOST { MOST } else { product })
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        read(text).map(Self).map_err(|reason| QuantityError {
            text: text.chars().take(40).map(|c| if c.is_control() { ' ' } else { c }).collect(),
            reason,
        })
    }
}

fn read(text: &str) -> Result<i128, &'static str> {
    let (negative, rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        Some(_) => (false, text),
        None => return Err("it is empty"),
    };
    let (mut mantissa, mut scale, mut digits, mut point) = (0_i128, 0_i32, 0_u32, false);
    let mut end = rest.len();
    for (at, c) in rest.char_indices() {
        match c.to_digit(10) {
            Some(digit) => {
                let next = mantissa.checked_mul(10).and_then(|m| m.checked_add(i128::from(digit)));
                mantissa = next.filter(|m| *m <= MOST).ok_or("it is too large or too fine")?;
                digits += 1;
                scale += i32::from(point);
            }
            None if c == '.' && !point => point = true,
            None => {
                end = at;
                break;
            }
        }
    }
    if digits == 0 {
        return Err("it does not start with a number");
    }
    let unit = &rest[end..];
    let amount = match binary(unit) {
        Some(factor) => over_ten(mantissa.checked_mul(factor), scale)?,
        None => shifted(mantissa, decimal(unit)? - scale)?,
    };
    let signed = if negative { -amount } else { amount };
    if signed.abs() > MOST { Err("it is too large") } else { Ok(signed) }
}

/// Billionths in one of a binary suffix.
fn binary(unit: &str) -> Option<i128> {
    let power = match unit {
        "Ki" => 10,
        "Mi" => 20,
        "Gi" => 30,
        "Ti" => 40,
        "Pi" => 50,
        "Ei" => 60,
        _ => return None,
    };
    Some(ONE << power)
}

/// Power of ten of a decimal suffix or an exponent. Case matters: `m` is a thousandth, `M` a million, a lone `E`
/// 10^18 and `E3` an exponent.
fn decimal(unit: &str) -> Result<i32, &'static str> {
    Ok(match unit {
        "n" => -9,
        "u" => -6,
        "m" => -3,
        "" => 0,
        "k" => 3,
        "M" => 6,
        "G" => 9,
        "T" => 12,
        "P" => 15,
        "E" => 18,
        _ => {
            let digits = unit.strip_prefix(['e', 'E']).ok_or("its unit is unknown")?;
            let bare = digits.strip_prefix(['-', '+']).unwrap_or(digits);
            if bare.is_empty() || !bare.bytes().all(|b| b.is_ascii_digit()) {
                return Err("its unit is unknown");
            }
            let power: i32 = digits.parse().map_err(|_| "it is too large or too fine")?;
            if power.abs() > 60 {
                return Err("it is too large or too fine");
            }
            power
        }
    })
}

/// `number × 10^power` in billionths.
fn shifted(number: i128, power: i32) -> Result<i128, &'static str> {
    let power = power + 9;
    if power < 0 {
        return over_ten(Some(number), -power);
    }
    10_i128
        .checked_pow(power.unsigned_abs())
        .and_then(|factor| number.checked_mul(factor))
        .or((number == 0).then_some(0))
        .ok_or("it is too large")
}

/// `number ÷ 10^scale`, where that is whole.
fn over_ten(number: Option<i128>, scale: i32) -> Result<i128, &'static str> {
    let number = number.ok_or("it is too large")?;
    let Some(divisor) = 10_i128.checked_pow(scale.unsigned_abs()) else {
        return if number == 0 { Ok(0) } else { Err("it is finer than a billionth") };
    };
    if number % divisor != 0 { Err("it is finer than a billionth") } else { Ok(number / divisor) }
}

/// Whole numbers plainly, thousandths with `m`, anything finer with `n`.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 % ONE == 0 {
            write!(f, "{}", self.0 / ONE)
        } else if self.0 % (ONE / 1000) == 0 {
            write!(f, "{}m", self.0 / (ONE / 1000))
        } else {
            write!(f, "{}n", self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn q(text: &str) -> Quantity {
        text.parse().unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn two_ways_to_write_an_amount_are_one_amount() {
        for (a, b) in [
            ("1000m", "1"),
            ("0.5", "500m"),
            ("1e3", "1k"),
            ("1E3", "1k"),
            ("1E", "1000P"),
            ("4Gi", "4096Mi"),
            ("0.5Gi", "512Mi"),
            ("1Ti", "1099511627776"),
            ("1Ei", "1024Pi"),
            ("1.5", "1500m"),
            (".5", "0.5"),
            ("5.", "5"),
            ("+2", "2"),
            ("1e-3", "1m"),
            ("1000000n", "1m"),
            ("1000u", "1m"),
            ("0.1Ki", "102400m"),
            ("0e50", "0"),
        ] {
            assert_eq!(q(a), q(b), "{a} and {b}");
        }
    }

    #[test]
    fn prefixes_of_thousand_and_of_1024_are_in_order() {
        let rising = ["1n", "1u", "1m", "1", "1k", "1Ki", "1M", "1Mi", "1G", "1Gi", "1T", "1Ti"];
        assert!(rising.windows(2).all(|pair| q(pair[0]) < q(pair[1])));
        let rising = ["1Ti", "1P", "1Pi", "1E", "1Ei"];
        assert!(rising.windows(2).all(|pair| q(pair[0]) < q(pair[1])));
    }

    #[test]
    fn what_kubernetes_does_not_take_is_refused() {
        let bad = "|4GB|4g|1K|Gi|four|1 Gi| 1|1e|1ee3|1.2.3|--1|1e999|1Zi|0x10|1_000|1,5|NaN|∞";
        for text in bad.split('|').chain(["1e-30", "99999999999999999999999999999999999999"]) {
            assert!(text.parse::<Quantity>().is_err(), "{text:?}");
        }
        assert!(q("-1").is_negative());
    }

    #[test]
    fn a_finer_rest_counts_as_one_more_thousandth() {
        assert_eq!(q("1n").to_millis(), 1);
        assert_eq!(q("1.5").to_millis(), 1500);
        assert_eq!(q("1.5").to_whole(), None);
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_as_the_same_amount(nano in -1_000_000_000_000_000_000_i128..1_000_000_000_000_000_000) {
            let quantity = Quantity(nano);
            prop_assert_eq!(q(&quantity.to_string()), quantity);
        }

        #[test]
        fn a_thousand_thousandths_are_one(n in 0_u64..1_000_000_000) {
            prop_assert_eq!(q(&format!("{n}000m")), Quantity::whole(n));
            prop_assert_eq!(q(&format!("{n}k")), Quantity::whole(n).times(1000));
            prop_assert_eq!(q(&format!("{n}Ki")), Quantity::whole(n).times(1024));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[-+0-9.eEkMGTPinum ]{0,48}|.{0,20}") {
            let _ = text.parse::<Quantity>();
        }

        #[test]
        fn sums_and_products_never_wrap(a in 0_u64.., b in 0_u64..) {
            let product = Quantity::whole(a).times(b).times(b);
            prop_assert!(product >= Quantity::ZERO && product.plus(product) >= product);
        }
    }
}
