//! Which release of Kafka a broker is, by the features that it says it supports.
//!
//! Kafka 4 no longer has `inter.broker.protocol.version`, and librdkafka keeps the features to itself. They stand in
//! the answer to `ApiVersions`, which a broker gives before any login. The cluster's finalized level may be lower
//! than the software's: what is read here is the most that this broker supports.
//! <https://kafka.apache.org/protocol#The_Messages_ApiVersions>

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::endpoint::{KafkaEndpoint, Tls};

/// Time for all servers of the list together.
const WITHIN: Duration = Duration::from_secs(3);
/// Largest answer that is read, in bytes; real ones have about 600.
const MOST_BYTES: usize = 1 << 16;
const API_VERSIONS: i16 = 18;
/// The first version of the request that brings the features (Kafka 2.4).
const VERSION: i16 = 3;
/// The tag of the supported features in the answer.
const SUPPORTED_FEATURES: u32 = 0;
/// The last level of `metadata.version` of each release, of its `MetadataVersion`.
const RELEASES: [(i16, &str); 9] = [
    (8, "3.4"),
    (11, "3.5"),
    (14, "3.6"),
    (19, "3.7"),
    (20, "3.8"),
    (21, "3.9"),
    (25, "4.0"),
    (27, "4.1"),
    (29, "4.2"),
];

/// The release of the first server of the list that answers; `None` where none does, or says nothing of it.
/// Blocks.
pub(super) fn of(endpoint: &KafkaEndpoint) -> Option<String> {
    let until = Instant::now() + WITHIN;
    let level = endpoint.bootstrap.split(',').find_map(|server| {
        let answer = ask(server.trim(), endpoint.tls.as_ref(), until).ok()?;
        level_in(&answer)
    })?;
    Some(match RELEASES.iter().find(|(last, _)| level <= *last) {
        Some((_, release)) => format!("{release} (metadata.version {level})"),
        None => format!("later than 4.2 (metadata.version {level})"),
    })
}

/// The answer to `ApiVersions`, without its length.
fn ask(server: &str, tls: Option<&Tls>, until: Instant) -> io::Result<Vec<u8>> {
    // A time-out of 0 is none at all.
    let left = || match until.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::Error::from(io::ErrorKind::TimedOut)),
        left => Ok(left),
    };
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let address = server.to_socket_addrs()?.next().ok_or_else(|| invalid("no address"))?;
    let stream = TcpStream::connect_timeout(&address, left()?)?;
    stream.set_read_timeout(Some(left()?))?;
    stream.set_write_timeout(Some(left()?))?;
    let Some(tls) = tls else { return converse(stream) };
    let config = tls.client_config().map_err(io::Error::other)?;
    let host = server.rsplit_once(':').map_or(server, |(host, _)| host).trim_matches(['[', ']']);
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    converse(StreamOwned::new(connection, stream))
}

fn converse(mut stream: impl Read + Write) -> io::Result<Vec<u8>> {
    stream.write_all(&request())?;
    stream.flush()?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MOST_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a broker's answer"));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

fn request() -> Vec<u8> {
    let compact = |text: &str| {
        let length = u8::try_from(text.len() + 1).unwrap_or(1);
        [&[length], text.as_bytes()].concat()
    };
    let client = b"odg-bench";
    let mut body = Vec::new();
    body.extend(API_VERSIONS.to_be_bytes());
    body.extend(VERSION.to_be_bytes());
    body.extend(0_i32.to_be_bytes());
    body.extend((client.len() as i16).to_be_bytes());
    body.extend(client);
    body.push(0);
    body.extend(compact("odg-bench"));
    body.extend(compact(env!("CARGO_PKG_VERSION")));
    body.push(0);
    [&(body.len() as i32).to_be_bytes(), body.as_slice()].concat()
}

/// The highest level of `metadata.version` that the answer says is supported.
fn level_in(answer: &[u8]) -> Option<i16> {
    let mut rest = Rest(answer);
    rest.skip(4)?;
    if rest.i16()? != 0 {
        return None;
    }
    for _ in 0..rest.length()? {
        rest.skip(6)?;
        rest.skip_tags()?;
    }
    rest.skip(4)?;
    for _ in 0..rest.unsigned()? {
        let (tag, size) = (rest.unsigned()?, rest.unsigned()?);
        let mut field = Rest(rest.skip(usize::try_from(size).ok()?)?);
        if tag != SUPPORTED_FEATURES {
            continue;
        }
        for _ in 0..field.length()? {
            let name = field.length()?;
            let name = field.skip(name)?;
            let (_lowest, highest) = (field.i16()?, field.i16()?);
            field.skip_tags()?;
            if name == b"metadata.version" {
                return Some(highest);
            }
        }
    }
    None
}

/// What is left of an answer; `None` where it ends too early.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn skip(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (skipped, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(skipped)
    }

    fn i16(&mut self) -> Option<i16> {
        self.skip(2)?.try_into().ok().map(i16::from_be_bytes)
    }

    /// Seven bits a byte, the lowest first.
    fn unsigned(&mut self) -> Option<u32> {
        let mut value = 0_u32;
        for shift in (0..32).step_by(7) {
            let byte = *self.skip(1)?.first()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// The length of a compact array or text; one that is null has none.
    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.unsigned()?.saturating_sub(1)).ok()
    }

    fn skip_tags(&mut self) -> Option<()> {
        for _ in 0..self.unsigned()? {
            let _tag = self.unsigned()?;
            let size = self.unsigned()?;
            self.skip(usize::try_from(size).ok()?)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::driver::test_servers::kafka;

    /// As a broker of Kafka 4.0 answers: two APIs, and its features behind another tag.
    fn answer(level: i16) -> Vec<u8> {
        let mut features = vec![3];
        for (name, highest) in [("group.version", 1), ("metadata.version", level)] {
            features.push(name.len() as u8 + 1);
            features.extend(name.as_bytes());
            features.extend(1_i16.to_be_bytes());
            features.extend(highest.to_be_bytes());
            features.push(0);
        }
        let mut bytes = vec![0, 0, 0, 0, 0, 0, 3];
        for _ in 0..2 {
            bytes.extend([0, 1, 0, 0, 0, 9, 0]);
        }
        bytes.extend([0, 0, 0, 0, 2, 1, 8, 0, 0, 0, 0, 0, 0, 0, 7, 0, features.len() as u8]);
        bytes.extend(features);
        bytes
    }

    #[test]
    fn the_level_is_found_among_other_features_and_tags() {
        assert_eq!(level_in(&answer(25)), Some(25));
    }

    #[tokio::test]
    async fn a_real_broker_says_its_release_before_any_login() {
        let Some((_server, endpoint)) = kafka().await else { return };
        let asked = tokio::task::spawn_blocking(move || of(&endpoint)).await.unwrap();
        let release = asked.unwrap();
        let known = RELEASES.iter().any(|(_, known)| release.starts_with(known));
        assert!(known && release.contains("metadata.version"), "{release}");
    }

    #[test]
    fn a_broker_that_is_not_there_has_no_release() {
        let port = crate::driver::test_servers::free_port();
        let bootstrap = format!("127.0.0.1:{port}");
        assert_eq!(of(&KafkaEndpoint { bootstrap, admin: true, login: None, tls: None }), None);
    }

    #[test]
    fn servers_that_say_nothing_do_not_take_longer_each() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let bootstrap = [silent.local_addr().unwrap().to_string().as_str(); 4].join(",");
        let began = Instant::now();
        assert_eq!(of(&KafkaEndpoint { bootstrap, admin: true, login: None, tls: None }), None);
        assert!(began.elapsed() < WITHIN * 2, "{:?}", began.elapsed());
    }

    proptest! {
        #[test]
        fn no_answer_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = level_in(&bytes);
        }

        #[test]
        fn an_answer_that_is_cut_off_has_no_level(cut in 0_usize..60) {
            let whole = answer(25);
            prop_assume!(cut < whole.len());
            prop_assert_eq!(level_in(&whole[..cut]), None);
        }
    }
}
