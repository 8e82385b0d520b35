//! Decimal numbers without floating point.

use super::error::UnitFault;

/// `mantissa ÷ 10^scale`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decimal {
    mantissa: u128,
    scale: u32,
}

impl Decimal {
    /// Reads the number that `text` starts with; returns it and the rest.
    pub(super) fn take(text: &str) -> Result<(Self, &str), UnitFault> {
        if text.is_empty() {
            return Err(UnitFault::Empty);
        }
        if let Some(rest) = text.strip_prefix('-') {
            let number = rest.starts_with(|c: char| c.is_ascii_digit() || c == '.');
            return Err(if number { UnitFault::Negative } else { UnitFault::NoNumber });
        }
        let (mut mantissa, mut scale, mut digits, mut point) = (0_u128, 0_u32, 0_u32, false);
        let mut end = text.len();
        for (at, c) in text.char_indices() {
            match c.to_digit(10) {
                Some(digit) => {
                    mantissa = mantissa
                        .checked_mul(10)
                        .and_then(|m| m.checked_add(u128::from(digit)))
                        .ok_or(UnitFault::Overflow)?;
                    digits += 1;
                    scale += u32::from(point);
                }
                None if c == '.' && !point => point = true,
                None => {
                    end = at;
                    break;
                }
            }
        }
        if digits == 0 {
            return Err(UnitFault::NoNumber);
        }
        Ok((Self { mantissa, scale }, &text[end..]))
    }

    /// The number times `factor`, where that is whole and fits.
    pub(super) fn times(self, factor: u128) -> Result<u64, UnitFault> {
        self.scaled(factor, true)
    }

    /// The number times `factor`, rounded half up to a whole one.
    pub(super) fn times_rounded(self, factor: u128) -> Result<u64, UnitFault> {
        self.scaled(factor, false)
    }

    fn scaled(self, factor: u128, exact: bool) -> Result<u64, UnitFault> {
        let product = self.mantissa.checked_mul(factor).ok_or(UnitFault::Overflow)?;
        let divisor = 10_u128.checked_pow(self.scale).ok_or(UnitFault::Overflow)?;
        let (quotient, rest) = (product / divisor, product % divisor);
        if exact && rest != 0 {
            return Err(UnitFault::NotWhole);
        }
        let rounded = quotient + u128::from(rest >= divisor - rest && rest != 0);
        u64::try_from(rounded).map_err(|_| UnitFault::Overflow)
    }
}
