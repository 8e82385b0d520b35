//! A container engine behind a socket of the test's own: the real one, until it is told to hang.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Where the real one is.
const ENGINE: &str = "/var/run/docker.sock";
/// How often a connection looks whether it is to hang.
const LOOK: Duration = Duration::from_millis(50);

/// Passes every byte on to the real engine.
pub struct EngineProxy {
    path: PathBuf,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    hangs: AtomicBool,
    slow_creates: AtomicBool,
    creates: AtomicUsize,
}

impl EngineProxy {
    /// Listens at a socket in this directory.
    pub fn start(dir: &Path) -> Self {
        let path = dir.join("engine.sock");
        let listener =
            UnixListener::bind(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let shared = Arc::new(Shared::default());
        let of_all = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&of_all);
                thread::spawn(move || {
                    // A client that goes away is what is tested here.
                    let _ = pass(client, &shared);
                });
            }
        });
        Self { path, shared }
    }

    /// As `DOCKER_HOST` takes it.
    pub fn address(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    /// From now on it accepts and never answers, also on connections that are open.
    pub fn hang(&self) {
        self.shared.hangs.store(true, Ordering::Release);
    }

    /// From now on requests that create a container wait for this long before they reach the engine, which then
    /// works on them whether or not their client still waits.
    pub fn slow_creates(&self) {
        self.shared.slow_creates.store(true, Ordering::Release);
    }

    /// Requests to create a container so far.
    pub fn creates(&self) -> usize {
        self.shared.creates.load(Ordering::Acquire)
    }
}

/// How long a slow request to create a container waits: longer than anybody looks for what comes up late.
pub const SLOW: Duration = Duration::from_secs(8);

fn pass(mut client: UnixStream, shared: &Arc<Shared>) -> io::Result<()> {
    let mut engine = UnixStream::connect(ENGINE)?;
    let (mut back, mut to_client) = (engine.try_clone()?, client.try_clone()?);
    let of_answers = Arc::clone(shared);
    thread::spawn(move || copy(&mut back, &mut to_client, &of_answers, |_| {}));
    copy(&mut client, &mut engine, shared, |bytes| {
        if bytes.starts_with(b"POST ") && find(bytes, b"/containers/create") {
            shared.creates.fetch_add(1, Ordering::AcqRel);
            if shared.slow_creates.load(Ordering::Acquire) {
                thread::sleep(SLOW);
            }
        }
    });
    Ok(())
}

/// Copies until either end closes; stands still while it hangs.
fn copy(from: &mut UnixStream, to: &mut UnixStream, shared: &Shared, look_at: impl Fn(&[u8])) {
    let mut buffer = vec![0; 64 << 10];
    let _ = from.set_read_timeout(Some(LOOK));
    loop {
        let read = from.read(&mut buffer);
        while shared.hangs.load(Ordering::Acquire) {
            thread::sleep(LOOK);
        }
        match read {
            Ok(0) => break,
            Ok(n) => {
                look_at(&buffer[..n]);
                if to.write_all(&buffer[..n]).is_err() {
                    break;
                }
            }
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn find(text: &[u8], words: &[u8]) -> bool {
    text.windows(words.len()).any(|part| part == words)
}
