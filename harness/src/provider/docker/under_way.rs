//! Requests that make something in the engine. They run to their end whoever stops waiting for them: only then
//! is it certain that nothing comes up late.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::error::DockerError;

/// How many such requests of a run are under way.
#[derive(Debug, Clone)]
pub(super) struct UnderWay {
    count: watch::Sender<usize>,
    /// Whether one was cut off after all, since its runtime ended.
    cut: Arc<AtomicBool>,
}

/// One of them; dropped when it ends.
struct Ticket {
    all: UnderWay,
    ended: bool,
}

impl UnderWay {
    pub(super) fn new() -> Self {
        Self { count: watch::Sender::new(0), cut: Arc::default() }
    }

    /// Runs a request to its end, also where the future of this call is dropped before.
    ///
    /// # Errors
    /// The runtime ends, or the request panicked.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        request: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, DockerError> {
        self.count.send_modify(|count| *count += 1);
        let ticket = Ticket { all: self.clone(), ended: false };
        let task = tokio::spawn(async move {
            let answer = request.await;
            ticket.end();
            answer
        });
        task.await.map_err(|error| DockerError::Refused {
            what: "be asked".to_owned(),
            reason: error.to_string(),
        })
    }

    /// Waits until all have ended; whether they have, none of them cut off.
    pub(super) async fn all_ended(&self, patience: Duration) -> bool {
        let mut count = self.count.subscribe();
        let none = count.wait_for(|count| *count == 0);
        tokio::time::timeout(patience, none).await.is_ok() && !self.cut.load(Ordering::Acquire)
    }
}

impl Ticket {
    /// Its request was answered.
    fn end(mut self) {
        self.ended = true;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.ended {
            self.all.cut.store(true, Ordering::Release);
        }
        self.all.count.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_request_that_nobody_waits_for_any_more_is_waited_for() {
        let under_way = UnderWay::new();
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let waiting = under_way.run(async move { gone.await.is_ok() });
        // Begun, and given up.
        assert!(tokio::time::timeout(Duration::from_millis(50), waiting).await.is_err());
        assert!(!under_way.all_ended(Duration::from_millis(50)).await, "it is still under way");
        go.send(()).unwrap();
        assert!(under_way.all_ended(LONG).await);
    }

    #[test]
    fn a_request_that_ended_with_its_runtime_is_not_taken_for_one_that_was_answered() {
        let runtime =
            || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let under_way = UnderWay::new();
        let first = runtime();
        first.block_on(async {
            let waiting = under_way.run(std::future::pending::<()>());
            let _ = tokio::time::timeout(Duration::from_millis(50), waiting).await;
        });
        drop(first);
        assert!(!runtime().block_on(under_way.all_ended(LONG)));
    }
}
