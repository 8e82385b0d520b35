//! A lane of asynchronous operations: arrivals wait in a queue, a bounded number is in flight.
//!
//! The queue keeps each arrival's intended start, so that waiting shows in response time. It is bounded
//! only to protect memory: an arrival that finds it full is dropped and counted, which makes the run
//! INVALID.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::driver::{Done, DriverError};
use crate::recorder::{Lane, Outcome, Span};

/// Arrivals that may wait in one lane's queue: 16 MiB of them.
pub const MAX_BACKLOG: u64 = 1 << 20;

/// The end at which arrivals enter a lane. Any thread may offer.
#[derive(Debug, Clone)]
pub struct LaneQueue {
    lane: Lane,
    arrivals: mpsc::UnboundedSender<u64>,
    dropped: Arc<AtomicU64>,
}

impl LaneQueue {
    /// An operation is intended to start at `intended_ns`. Never blocks.
    pub fn offer(&self, intended_ns: u64) {
        if self.lane.backlog() >= MAX_BACKLOG {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.lane.offer(intended_ns);
        if self.arrivals.send(intended_ns).is_err() {
            // The lane has ended: the run is being stopped.
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Arrivals dropped so far.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Starts a lane that runs `operation` for every arrival, at most `in_flight` at once. `operation` is
/// given the intended start and answers the payload bytes it moved. The task ends when every
/// [`LaneQueue`] is gone and all operations have ended.
pub fn spawn<F, Fut>(
    runtime: &Handle,
    lane: Lane,
    clock: Clock,
    in_flight: usize,
    operation: F,
) -> (LaneQueue, JoinHandle<()>)
where
    F: Fn(u64) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Done<u64>, DriverError>> + Send + 'static,
{
    let (arrivals, mut queue) = mpsc::unbounded_channel::<u64>();
    let entry = LaneQueue { lane: lane.clone(), arrivals, dropped: Arc::default() };
    let task = runtime.spawn(async move {
        let slots = Arc::new(Semaphore::new(in_flight));
        let operation = Arc::new(operation);
        while let Some(intended_ns) = queue.recv().await {
            // The semaphore is never closed.
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { break };
            let (lane, operation) = (lane.clone(), Arc::clone(&operation));
            tokio::spawn(async move {
                lane.begin();
                let start_ns = clock.now_ns();
                let result = operation(intended_ns).await;
                let span = Span { intended_ns, start_ns, end_ns: clock.now_ns() };
                record(&lane, span, &result);
                drop(slot);
            });
        }
        let all = u32::try_from(in_flight).unwrap_or(u32::MAX);
        let _ended = slots.acquire_many(all).await;
    });
    (entry, task)
}

/// Enters the end of an operation that answered payload bytes or an error.
pub fn record<E: std::borrow::Borrow<DriverError>>(
    lane: &Lane,
    span: Span,
    result: &Result<Done<u64>, E>,
) {
    match result.as_ref().map_err(std::borrow::Borrow::borrow) {
        Ok(done) => lane.end(span, Outcome::Completed { bytes: done.value }, done.retries),
        Err(error) => {
            tracing::debug!(%error, "operation failed");
            lane.end(span, Outcome::Failed { kind: error.kind().label() }, error.retries());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::recorder::{Operation, Recorder};

    fn recorder() -> Recorder {
        let operation = Operation { name: "x", component: "", description: "" };
        Recorder::new(vec![operation], (0, u64::MAX))
    }

    #[tokio::test]
    async fn a_lane_never_exceeds_its_bound_and_loses_no_arrival() {
        let recorder = recorder();
        let id = recorder.find("x").unwrap();
        let clock = Clock::starting_in(Duration::ZERO);
        let now = Arc::new(AtomicU64::new(0));
        let most = Arc::new(AtomicU64::new(0));
        let (n, m) = (Arc::clone(&now), Arc::clone(&most));
        let (queue, task) = spawn(&Handle::current(), recorder.lane(id), clock, 3, move |_| {
            let (n, m) = (Arc::clone(&n), Arc::clone(&m));
            async move {
                m.fetch_max(n.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(2)).await;
                n.fetch_sub(1, Ordering::SeqCst);
                Ok(Done { value: 1, retries: 0 })
            }
        });
        for _ in 0..50 {
            queue.offer(0);
        }
        drop(queue);
        task.await.unwrap();
        let tally = &recorder.collect()[0].measured;
        assert_eq!((tally.offered, tally.completed), (50, 50));
        assert!(most.load(Ordering::SeqCst) <= 3);
        assert_eq!(now.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_stall_shows_in_response_time_of_those_that_wait() {
        let recorder = recorder();
        let id = recorder.find("x").unwrap();
        let clock = Clock::starting_in(Duration::ZERO);
        let (queue, task) =
            spawn(&Handle::current(), recorder.lane(id), clock, 1, move |intended| async move {
                if intended == 0 {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Ok(Done { value: 0, retries: 0 })
            });
        for i in 0..100 {
            queue.offer(i * 1_000);
        }
        drop(queue);
        task.await.unwrap();
        let tally = &recorder.collect()[0].measured;
        assert!(tally.response.value_at_quantile(0.5) > 150_000_000);
        // Ninety-nine of a hundred were served at once: only their wait was long.
        assert!(tally.service.value_at_quantile(0.5) < tally.response.value_at_quantile(0.5) / 2);
    }
}
