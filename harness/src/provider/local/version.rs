//! The version that an installed program prints.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// A program that does not answer `--version` by then is not asked again.
const LIMIT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(2);

/// What `program --version` prints; `None` where it fails or takes too long.
pub(super) fn printed(program: &Path) -> Option<String> {
    printed_within(program, LIMIT)
}

fn printed_within(program: &Path, limit: Duration) -> Option<String> {
    let mut child = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .ok()?;
    let deadline = Instant::now() + limit;
    // A few lines fit into the pipe, so it can be read after the end.
    let status = loop {
        if let Some(status) = child.try_wait().ok()? {
            break status;
        }
        if Instant::now() >= deadline {
            let _ = killpg(Pid::from_raw(i32::try_from(child.id()).ok()?), Signal::SIGKILL);
            let _ = child.wait();
            return None;
        }
        thread::sleep(POLL);
    };
    let mut text = Vec::new();
    child.stdout.take()?.take(4096).read_to_end(&mut text).ok()?;
    status.success().then(|| String::from_utf8_lossy(&text).into_owned())
}

/// The first word of a text that is a version: a digit, or `v` and a digit, and a dot in it.
pub(super) fn version_in(text: &str) -> Option<String> {
    text.split(|c: char| c.is_whitespace() || c == '=')
        .map(|word| word.strip_prefix('v').unwrap_or(word).trim_end_matches([',', ';']))
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::tests::script;
    use super::*;

    #[test]
    fn versions_are_found_in_what_the_servers_print() {
        let version = |text| version_in(text).unwrap();
        assert_eq!(version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), "15.18");
        assert_eq!(version("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0"), "7.0.15");
        assert_eq!(version("nats-server: v2.9.10"), "2.9.10");
        assert_eq!(version_in("no version here"), None);
    }

    #[test]
    fn a_program_that_hangs_or_fails_has_no_version_and_does_not_stop_us() {
        let dir = tempfile::tempdir().unwrap();
        let printed = |body: &str, limit| printed_within(&script(dir.path(), body), limit);
        assert_eq!(printed("sleep 1000; :", Duration::from_millis(100)), None);
        assert_eq!(printed("echo 1.2.3; exit 1", Duration::from_secs(60)), None);
        assert_eq!(printed("echo 1.2.3", Duration::from_secs(60)).as_deref(), Some("1.2.3\n"));
    }
}
