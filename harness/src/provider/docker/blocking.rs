//! From places that cannot wait asynchronously: dropping, signals, the command line.

use std::thread;

/// Runs a future to its end on a thread and a runtime of its own, whatever runtime the caller is in, or none.
/// `None` where the system gives no thread, or the future panicked.
pub(super) fn block_on<T, F>(future: F) -> Option<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        Some(runtime.block_on(future))
    };
    thread::Builder::new().name("docker-blocking".into()).spawn(run).ok()?.join().ok()?
}
