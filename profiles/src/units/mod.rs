//! Sizes, volumes, durations and Kubernetes quantities as people type them.
//!
//! Every parser works on integers, so `1.5GB` is exactly 1 500 000 000 bytes, and anything that
//! does not fit is refused instead of rounded or wrapped. `kB MB GB TB PB` are powers of 1000 and
//! `KiB MiB GiB TiB PiB` (or `Ki Mi …`) powers of 1024, as in IEC 80000-13.

mod bytes;
mod decimal;
mod duration;
mod error;
mod quantity;
mod volume;

pub use bytes::{ByteSize, format_bytes, format_rate};
pub use duration::{format_duration_ns, parse_duration};
pub use error::{UnitError, UnitFault, UnitKind};
pub use quantity::Cpu;
pub use volume::Volume;

/// Three significant digits, without an exponent: `1.23`, `12.3`, `123`, `1234`.
fn three_digits(value: f64) -> String {
    if value < 9.995 {
        format!("{value:.2}")
    } else if value < 99.95 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

/// Serde as the text that people type; plain numbers are read too.
macro_rules! serde_as_text {
    ($type:ty, $expected:literal) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $type;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($expected)
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }

                    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<$type, E> {
                        self.visit_str(&number.to_string())
                    }

                    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<$type, E> {
                        self.visit_str(&number.to_string())
                    }

                    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<$type, E> {
                        self.visit_str(&number.to_string())
                    }
                }
                deserializer.deserialize_any(Text)
            }
        }
    };
}
pub(crate) use serde_as_text;
