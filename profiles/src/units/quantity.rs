//! Kubernetes quantities, exactly (kubernetes.io, "Resource units in Kubernetes").

use std::fmt;
use std::str::FromStr;

use super::decimal::Decimal;
use super::error::{UnitError, UnitFault, UnitKind};
use super::serde_as_text;

/// CPU in thousandths of a core. Reads `1000m`, `0.5`, `2`; finer than `1m` is refused, as in Kubernetes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cpu(u64);

impl Cpu {
    /// From thousandths of a core.
    pub const fn from_millicores(millicores: u64) -> Self {
        Self(millicores)
    }

    /// Thousandths of a core.
    pub const fn millicores(self) -> u64 {
        self.0
    }

    /// Cores.
    pub fn cores(self) -> f64 {
        self.0 as f64 / 1000.0
    }
}

impl FromStr for Cpu {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        Decimal::take(text.trim())
            .and_then(|(number, unit)| match unit {
                "" => number.times(1000),
                "m" => number.times(1),
                _ => Err(UnitFault::UnknownUnit),
            })
            .map(Self)
            .map_err(|fault| UnitError::new(UnitKind::Cpu, text, fault))
    }
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1000) {
            write!(f, "{}", self.0 / 1000)
        } else {
            write!(f, "{}m", self.0)
        }
    }
}

serde_as_text!(Cpu, "a CPU quantity like `500m` or `2`");

/// Bytes of a memory quantity. Case matters here: `m` is a thousandth, `M` a million, `e9` an
/// exponent and `E` an exabyte.
pub(super) fn memory(text: &str) -> Result<u64, UnitError> {
    Decimal::take(text.trim())
        .and_then(|(number, unit)| {
            let factor: u128 = match unit {
                "" => 1,
                "m" => {
                    let thousandths = number.times(1)?;
                    return if thousandths.is_multiple_of(1000) {
                        Ok(thousandths / 1000)
                    } else {
                        Err(UnitFault::NotWhole)
                    };
                }
                "k" => 1_000,
                "M" => 1_000_000,
                "G" => 1_000_000_000,
                "T" => 1_000_000_000_000,
                "P" => 1_000_000_000_000_000,
                "E" => 1_000_000_000_000_000_000,
                "Ki" => 1 << 10,
                "Mi" => 1 << 20,
                "Gi" => 1 << 30,
                "Ti" => 1 << 40,
                "Pi" => 1 << 50,
                "Ei" => 1 << 60,
                other => exponent(other)?,
            };
            number.times(factor)
        })
        .map_err(|fault| UnitError::new(UnitKind::Memory, text, fault))
}

/// `e9` and `E9` as 10^9.
fn exponent(unit: &str) -> Result<u128, UnitFault> {
    let digits = unit.strip_prefix(['e', 'E']).ok_or(UnitFault::UnknownUnit)?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(UnitFault::UnknownUnit);
    }
    let power: u32 = digits.parse().map_err(|_| UnitFault::Overflow)?;
    10_u128.checked_pow(power).ok_or(UnitFault::Overflow)
}

#[cfg(test)]
mod tests {
    use super::super::ByteSize;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cpu_is_read_to_the_millicore_and_no_finer() {
        for (text, millicores) in [("1000m", 1000), ("0.5", 500), ("2", 2000), ("16000m", 16_000)] {
            assert_eq!(text.parse::<Cpu>().unwrap().millicores(), millicores, "{text}");
        }
        assert_eq!("0.0005".parse::<Cpu>().unwrap_err().fault, UnitFault::NotWhole);
        assert_eq!("0.5m".parse::<Cpu>().unwrap_err().fault, UnitFault::NotWhole);
        assert_eq!("-1".parse::<Cpu>().unwrap_err().fault, UnitFault::Negative);
        assert_eq!("2 cores".parse::<Cpu>().unwrap_err().fault, UnitFault::UnknownUnit);
        assert_eq!("2000m".parse::<Cpu>().unwrap().to_string(), "2");
    }

    #[test]
    fn memory_quantities_keep_kubernetes_case() {
        for (text, bytes) in [
            ("4Gi", 4 << 30),
            ("512M", 512_000_000),
            ("1e9", 1_000_000_000),
            ("1E", 1_000_000_000_000_000_000),
            ("128000m", 128),
            ("1073741824", 1 << 30),
            ("0.5Gi", 1 << 29),
        ] {
            assert_eq!(ByteSize::from_quantity(text).unwrap().bytes(), bytes, "{text}");
        }
        for text in ["4GB", "4g", "1m", "0.1Ki", "16Ei", "1e99", ""] {
            assert!(ByteSize::from_quantity(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_as_the_same_cpu(millicores: u64) {
            let cpu = Cpu::from_millicores(millicores);
            prop_assert_eq!(cpu.to_string().parse::<Cpu>(), Ok(cpu));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,24}") {
            let _ = text.parse::<Cpu>();
        }
    }
}
