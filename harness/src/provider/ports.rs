//! Free loopback ports.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};

use rand::Rng;

/// Lowest port that is tried.
const LOWEST: u16 = 20_000;
const ATTEMPTS: usize = 200;

/// Ports already handed out by this process: a server takes some time to bind its own.
static TAKEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// A free port on 127.0.0.1.
///
/// Between this check and the server's own bind somebody else could take the port. Ports that the kernel
/// gives to outgoing connections are therefore left out, and the rest is tried in random order.
///
/// # Errors
/// No free port was found.
pub(in crate::provider) fn free_port() -> io::Result<u16> {
    let range = range(ephemeral().unwrap_or(32_768..=60_999));
    let mut rng = rand::rng();
    for _ in 0..ATTEMPTS {
        let port = rng.random_range(range.clone());
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = taken.get_or_insert_default();
        if !taken.contains(&port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            taken.insert(port);
            return Ok(port);
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AddrInUse,
        format!("no free port on 127.0.0.1 between {} and {}", range.start(), range.end()),
    ))
}

/// Makes ports available again.
pub(in crate::provider) fn release(ports: &[u16]) {
    if let Some(taken) = TAKEN.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        for port in ports {
            taken.remove(port);
        }
    }
}

fn ephemeral() -> Option<RangeInclusive<u16>> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut bounds = text.split_ascii_whitespace().map(str::parse);
    Some(bounds.next()?.ok()?..=bounds.next()?.ok()?)
}

/// The larger part of `LOWEST..=65535` that is not ephemeral, or all of it where hardly any is left.
fn range(ephemeral: RangeInclusive<u16>) -> RangeInclusive<u16> {
    const ENOUGH: u16 = 1_000;
    let below = ephemeral.start().saturating_sub(LOWEST);
    let above = u16::MAX - ephemeral.end();
    if below.max(above) < ENOUGH {
        LOWEST..=u16::MAX
    } else if below >= above {
        LOWEST..=ephemeral.start() - 1
    } else {
        ephemeral.end() + 1..=u16::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_free_and_never_handed_out_twice() {
        let ports: Vec<u16> = (0..20).map(|_| free_port().unwrap()).collect();
        assert_eq!(ports.iter().collect::<HashSet<_>>().len(), ports.len());
        release(&ports);
    }

    #[test]
    fn ports_of_outgoing_connections_are_left_out() {
        assert_eq!(range(32_768..=60_999), 20_000..=32_767);
        assert_eq!(range(15_000..=50_000), 50_001..=65_535);
        assert_eq!(range(1_024..=65_535), 20_000..=65_535);
    }
}
