//! Signals that ask a run to end.

use nix::sys::signal::Signal;

/// Ctrl-C, SIGTERM and SIGHUP since [`Interrupts::listen`].
pub struct Interrupts {
    count: tokio::sync::watch::Receiver<u32>,
}

impl Interrupts {
    /// Takes these signals over from now on; wants a runtime.
    pub fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let (sender, count) = tokio::sync::watch::channel(0);
        let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
        if !hang_up_is_ignored() {
            kinds.push(SignalKind::hangup());
        }
        for kind in kinds {
            let sender = sender.clone();
            match signal(kind) {
                Ok(mut stream) => {
                    tokio::spawn(async move {
                        while stream.recv().await.is_some() {
                            sender.send_modify(|n| *n += 1);
                        }
                    });
                }
                Err(error) => tracing::warn!(%error, "cannot listen for signals"),
            }
        }
        Self { count }
    }

    /// How many came.
    pub fn count(&self) -> u32 {
        *self.count.borrow()
    }

    /// Waits for the first.
    pub async fn first(&self) {
        let mut count = self.count.clone();
        if count.wait_for(|n| *n > 0).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Whether this process was started to outlive its terminal, as `nohup` does: then it stays so.
fn hang_up_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (Signal::SIGHUP as u32 - 1)) != 0)
}
