//! One encoded histogram of the interval log, decoded to what it counted.
//!
//! The library's own decoder builds the whole array of an interval's histogram (a quarter of a
//! megabyte for a handful of values, 2 million times in a day's log of seconds), takes the length
//! that a file claims at its word (up to 4 GiB), and stops the process on one number that only a
//! damaged file holds. This one reads the same encoding into pairs of value and count, refuses what
//! does not add up, and is tested against the library's encoder.
//!
//! Format: the V2 encoding of HdrHistogram (<https://github.com/HdrHistogram/HdrHistogram>,
//! `AbstractHistogram.encodeIntoByteBuffer`), deflated or not: cookie, length, normalising offset,
//! digits, lowest and highest value, ratio; then ZigZag LEB128-64b9B numbers, of which a negative one
//! is a run of zeroes.

use std::io::Read;

use flate2::read::ZlibDecoder;

use crate::stats::Counts;

const V2: u32 = 0x1c84_9303 | 0x10;
const V2_DEFLATED: u32 = 0x1c84_9304 | 0x10;
const HEADER: usize = 40;
/// Counts in the largest array there is: 64 powers of two in 2¹⁷ parts each, for five digits.
const MOST_COUNTS: u64 = 64 << 17;
/// Most bytes of one inflated histogram. With the three digits that are written here it has at most
/// 55,000 counts.
const MOST_BYTES: u64 = 8 << 20;

/// Decodes one histogram after the other into the same buffer.
#[derive(Default)]
pub(crate) struct Decoder {
    inflated: Vec<u8>,
}

impl Decoder {
    /// Values and how often each was recorded, in ascending order; a value is the highest that its
    /// bucket can hold.
    pub(crate) fn decode(&mut self, bytes: &[u8]) -> Result<Counts, &'static str> {
        match be32(bytes, 0)? {
            V2 => counts(bytes),
            V2_DEFLATED => {
                let length = be32(bytes, 4)? as usize;
                let deflated = bytes.get(8..).and_then(|b| b.get(..length)).ok_or("cut short")?;
                self.inflated.clear();
                ZlibDecoder::new(deflated)
                    .take(MOST_BYTES)
                    .read_to_end(&mut self.inflated)
                    .map_err(|_| "not deflated data")?;
                counts(&self.inflated)
            }
            _ => Err("another encoding than V2"),
        }
    }
}

fn be32(bytes: &[u8], at: usize) -> Result<u32, &'static str> {
    let four = bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).ok_or("cut short")?;
    Ok(u32::from_be_bytes(four))
}

fn be64(bytes: &[u8], at: usize) -> Result<u64, &'static str> {
    let eight = bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).ok_or("cut short")?;
    Ok(u64::from_be_bytes(eight))
}

fn counts(bytes: &[u8]) -> Result<Counts, &'static str> {
    if be32(bytes, 0)? != V2 {
        return Err("another encoding than V2");
    }
    let length = be32(bytes, 4)? as usize;
    if be32(bytes, 8)? != 0 || f64::from_bits(be64(bytes, 32)?) != 1.0 {
        return Err("a shifted or scaled histogram");
    }
    let buckets = Buckets::new(be32(bytes, 12)?, be64(bytes, 16)?)?;
    let numbers = bytes.get(HEADER..).filter(|n| n.len() == length).ok_or("another length")?;

    let mut counts = Counts::new();
    let (mut rest, mut index) = (numbers, 0u64);
    while let Some(number) = next_number(&mut rest)? {
        if number < 0 {
            let after = index.checked_add(number.unsigned_abs());
            index = after.filter(|i| *i <= MOST_COUNTS).ok_or("a value out of range")?;
        } else {
            if number > 0 {
                let value = buckets.highest(index).ok_or("a value out of range")?;
                counts.push((value, number.unsigned_abs()));
            }
            index += 1;
        }
    }
    Ok(counts)
}

/// The next ZigZag LEB128-64b9B number: seven bits a byte, low ones first, eight in the ninth.
fn next_number(rest: &mut &[u8]) -> Result<Option<i64>, &'static str> {
    let Some((first, tail)) = rest.split_first() else { return Ok(None) };
    // Most counts and runs fit a byte.
    if first & 0x80 == 0 {
        *rest = tail;
        return Ok(Some(unzigzag(u64::from(*first))));
    }
    let mut value = 0u64;
    for at in 0..9 {
        let (byte, tail) = rest.split_first().ok_or("a number cut short")?;
        *rest = tail;
        let bits = if at == 8 { *byte } else { byte & 0x7f };
        value |= u64::from(bits) << (7 * at);
        if at == 8 || byte & 0x80 == 0 {
            break;
        }
    }
    Ok(Some(unzigzag(value)))
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// From a place in the array to a value: each power of two is divided into equal parts, so many that
/// a part is never more than the stated digits allow.
struct Buckets {
    /// log2 of the parts of a power of two.
    parts: u32,
    /// log2 of the smallest unit.
    unit: u32,
}

impl Buckets {
    fn new(digits: u32, lowest: u64) -> Result<Self, &'static str> {
        if digits > 5 || lowest == 0 {
            return Err("digits or lowest value out of range");
        }
        let single = 2 * 10u64.pow(digits);
        Ok(Self { parts: single.next_power_of_two().ilog2() - 1, unit: lowest.ilog2() })
    }

    /// The highest value that is counted at this place.
    fn highest(&self, index: u64) -> Option<u64> {
        let power = index >> self.parts;
        let part = index & ((1 << self.parts) - 1);
        // The first two powers share a unit: it is counted from zero there.
        let (part, shift) = match power {
            0 => (part, 0),
            power => (part + (1 << self.parts), u32::try_from(power - 1).ok()?),
        };
        let shift = shift.checked_add(self.unit).filter(|shift| *shift < u64::BITS)?;
        (part <= u64::MAX >> shift).then(|| part << shift | ((1 << shift) - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::{Serializer, V2DeflateSerializer, V2Serializer};
    use proptest::prelude::*;

    fn expected(h: &Histogram<u64>) -> Counts {
        h.iter_recorded().map(|v| (v.value_iterated_to(), v.count_since_last_iteration())).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_the_library_encodes_is_read_as_the_library_counts_it(
            values in prop::collection::vec((0u32..62, any::<u64>(), 1u64..1 << 40), 0..60),
            digits in 0u8..=4, lowest in 1u64..5_000,
        ) {
            let mut h = Histogram::<u64>::new_with_bounds(lowest, 1 << 62, digits).unwrap();
            for (power, noise, n) in values {
                h.record_n((1 << power) | (noise & ((1 << power) - 1)), n).unwrap();
            }
            let (mut plain, mut deflated) = (Vec::new(), Vec::new());
            V2Serializer::new().serialize(&h, &mut plain).unwrap();
            V2DeflateSerializer::new().serialize(&h, &mut deflated).unwrap();
            let mut decoder = Decoder::default();
            prop_assert_eq!(decoder.decode(&plain).unwrap(), expected(&h));
            prop_assert_eq!(decoder.decode(&deflated).unwrap(), expected(&h));
        }

        #[test]
        fn any_bytes_give_counts_in_order_or_an_error(
            numbers in prop::collection::vec(any::<u8>(), 0..200), digits in 0u32..8, lowest: u64,
        ) {
            let mut bytes = V2.to_be_bytes().to_vec();
            bytes.extend((numbers.len() as u32).to_be_bytes());
            bytes.extend(0u32.to_be_bytes());
            bytes.extend(digits.to_be_bytes());
            bytes.extend(lowest.to_be_bytes());
            bytes.extend(u64::MAX.to_be_bytes());
            bytes.extend(1f64.to_be_bytes());
            bytes.extend(numbers);
            if let Ok(counts) = Decoder::default().decode(&bytes) {
                prop_assert!(counts.windows(2).all(|w| w[0].0 < w[1].0));
            }
        }
    }

    #[test]
    fn a_length_that_is_not_there_is_refused_and_takes_no_memory() {
        let mut h = Histogram::<u64>::new(3).unwrap();
        h.record(42).unwrap();
        let mut plain = Vec::new();
        V2Serializer::new().serialize(&h, &mut plain).unwrap();
        plain[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(Decoder::default().decode(&plain), Err("another length"));
        assert_eq!(Decoder::default().decode(&[]), Err("cut short"));
        // The number that stops the library's decoder in a debug build.
        plain.truncate(HEADER);
        plain[4..8].copy_from_slice(&9u32.to_be_bytes());
        plain.extend([0xff; 9]);
        assert_eq!(Decoder::default().decode(&plain), Err("a value out of range"));
    }
}
