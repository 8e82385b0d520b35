//! An event as it travels: a stamped, checksummed frame around a body.
//!
//! Layout (little endian): magic `ODGB` (4) · version (1) · kind (1) · zero (2) · key (4) · body length
//! (4) · sequence (8) · intended start (8) · sent (8) · CRC-32C (4) · body. The checksum covers
//! the first 40 bytes and the body. Frames are self-delimiting, so a bronze object is frames end to end.

use thiserror::Error;

/// Length of the stamp before the body, in bytes.
pub const STAMP_LEN: usize = 44;
/// Largest body that a reader accepts, in bytes.
pub const MAX_BODY: usize = 64 << 20;
const MAGIC: [u8; 4] = *b"ODGB";
const VERSION: u8 = 1;
const CRC_AT: usize = 40;

/// What an event of the data platform is about. Each kind has its own topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum EventKind {
    /// Records written to a dataset: most of the bytes.
    DatasetWrite = 0,
    /// A change of a dataset's lineage.
    Lineage = 1,
    /// The result of a quality run.
    QualityReport = 2,
    /// A governance decision.
    Decision = 3,
}

impl EventKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 4] =
        [Self::DatasetWrite, Self::Lineage, Self::QualityReport, Self::Decision];

    /// Last part of the topic's name; after the platform's `odg.*` topics.
    pub fn topic(self) -> &'static str {
        match self {
            Self::DatasetWrite => "dataset.writes",
            Self::Lineage => "lineage.updates",
            Self::QualityReport => "quality.reports",
            Self::Decision => "governance.decisions",
        }
    }

    /// The kind with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// What identifies an event and times it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Kind.
    pub kind: EventKind,
    /// Ordering key: events of one key are sent, and must arrive, in order of sequence.
    pub key: u32,
    /// Place within the key, from 0.
    pub sequence: u64,
    /// Intended start, in nanoseconds since the run's epoch.
    pub intended_ns: u64,
    /// When the generator handed it to the bus's client, likewise.
    pub sent_ns: u64,
}

/// Why bytes are not an intact event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Corrupt {
    /// Fewer bytes than the stamp or its body length say.
    #[error("frame is cut short")]
    Short,
    /// Not an event at all.
    #[error("frame does not start with an event stamp")]
    Foreign,
    /// Bytes differ from what was sent.
    #[error("checksum does not match")]
    Checksum,
}

impl Stamp {
    /// Writes the stamp over the first [`STAMP_LEN`] bytes of `frame`, with the checksum of the body
    /// that already stands behind it.
    pub fn seal(&self, frame: &mut [u8]) {
        let body_len = (frame.len() - STAMP_LEN) as u32; // bodies stay below MAX_BODY
        frame[0..4].copy_from_slice(&MAGIC);
        frame[4] = VERSION;
        frame[5] = self.kind as u8;
        frame[6..8].fill(0);
        frame[8..12].copy_from_slice(&self.key.to_le_bytes());
        frame[12..16].copy_from_slice(&body_len.to_le_bytes());
        frame[16..24].copy_from_slice(&self.sequence.to_le_bytes());
        frame[24..32].copy_from_slice(&self.intended_ns.to_le_bytes());
        frame[32..40].copy_from_slice(&self.sent_ns.to_le_bytes());
        let crc = checksum(frame);
        frame[40..44].copy_from_slice(&crc.to_le_bytes());
    }
}

fn checksum(frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&frame[..CRC_AT]), &frame[STAMP_LEN..])
}

fn u32_at(frame: &[u8], at: usize) -> u32 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&frame[at..at + 4]);
    u32::from_le_bytes(bytes)
}

fn u64_at(frame: &[u8], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&frame[at..at + 8]);
    u64::from_le_bytes(bytes)
}

/// An intact event at the start of some bytes.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Its stamp.
    pub stamp: Stamp,
    /// The body alone.
    pub body: &'a [u8],
    /// Stamp and body.
    pub bytes: &'a [u8],
}

/// Reads the event at the start of `bytes` and verifies its checksum.
///
/// # Errors
/// [`Corrupt`] where the bytes are not an intact event.
pub fn read_frame(bytes: &[u8]) -> Result<Frame<'_>, Corrupt> {
    if bytes.len() < STAMP_LEN {
        return Err(Corrupt::Short);
    }
    let kind = EventKind::from_number(bytes[5]);
    let (true, true, Some(kind)) = (bytes[0..4] == MAGIC, bytes[4] == VERSION, kind) else {
        return Err(Corrupt::Foreign);
    };
    let body_len = u32_at(bytes, 12) as usize;
    if body_len > MAX_BODY {
        return Err(Corrupt::Foreign);
    }
    let bytes = bytes.get(..STAMP_LEN + body_len).ok_or(Corrupt::Short)?;
    if checksum(bytes) != u32_at(bytes, CRC_AT) {
        return Err(Corrupt::Checksum);
    }
    let stamp = Stamp {
        kind,
        key: u32_at(bytes, 8),
        sequence: u64_at(bytes, 16),
        intended_ns: u64_at(bytes, 24),
        sent_ns: u64_at(bytes, 32),
    };
    Ok(Frame { stamp, body: &bytes[STAMP_LEN..], bytes })
}

/// Reads a bronze object: frames end to end. After a corrupt frame nothing more can be found, so
/// iteration ends with it.
pub fn read_frames(object: &[u8]) -> impl Iterator<Item = Result<Frame<'_>, Corrupt>> {
    let mut rest = object;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let frame = read_frame(rest);
        rest = frame.as_ref().map_or(&[], |f| &rest[f.bytes.len()..]);
        Some(frame)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(stamp: Stamp, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; STAMP_LEN];
        bytes.extend_from_slice(body);
        stamp.seal(&mut bytes);
        bytes
    }

    prop_compose! {
        fn any_stamp()(kind in 0u8..4, key: u32, sequence: u64, intended_ns: u64, sent_ns: u64) -> Stamp {
            Stamp { kind: EventKind::ALL[usize::from(kind)], key, sequence, intended_ns, sent_ns }
        }
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_read_back(stamp in any_stamp(), body in prop::collection::vec(any::<u8>(), 0..2000)) {
            let bytes = frame(stamp, &body);
            let read = read_frame(&bytes).unwrap();
            prop_assert_eq!(read.stamp, stamp);
            prop_assert_eq!(read.body, &body[..]);
        }

        #[test]
        fn any_changed_bit_of_stamp_or_body_is_noticed(stamp in any_stamp(), body in prop::collection::vec(any::<u8>(), 1..200), at: prop::sample::Index, bit in 0u8..8) {
            let mut bytes = frame(stamp, &body);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(read_frame(&bytes).is_err());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read_frame(&bytes);
            let _ = read_frames(&bytes).count();
        }

        #[test]
        fn an_object_of_frames_is_read_back_whole(stamps in prop::collection::vec(any_stamp(), 0..8)) {
            let object: Vec<u8> = stamps.iter().flat_map(|s| frame(*s, b"body")).collect();
            let read: Vec<Stamp> = read_frames(&object).map(|f| f.unwrap().stamp).collect();
            prop_assert_eq!(read, stamps);
        }
    }
}
