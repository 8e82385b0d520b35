//! Free loopback ports.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

use rand::Rng;

const LOWEST: u16 = 20_000;
const ATTEMPTS: usize = 200;

/// A free port on 127.0.0.1, outside the range from which the kernel serves outgoing connections: one of
/// those could take it before the server does.
pub(crate) fn free_port() -> u16 {
    let range = range();
    for _ in 0..ATTEMPTS {
        let port = rand::rng().random_range(range.clone());
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port on 127.0.0.1 in {range:?}");
}

fn range() -> Range<u16> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first = text.split_ascii_whitespace().next().and_then(|first| first.parse().ok());
    match first {
        Some(first) if first >= LOWEST + 1000 => LOWEST..first,
        _ => LOWEST..u16::MAX,
    }
}
