//! The generator's ceiling: the whole generator path against a null target that answers at once.
//!
//! Schedule, payload, checksum, ledger and both histograms run exactly as in a run, on one thread. What
//! this reaches is the most that the generator could ever offer on this machine; a run whose offered rate
//! comes near it says more about the generator than about the stack.

use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::ledger::{Hop, Ledger};
use crate::payload::{EventSource, KEYS, Pool};
use crate::recorder::{Lane, Operation, Outcome, Recorder, Span};
use crate::schedule::{Arrivals, Merged, Schedule};

/// Event size of the published ceiling, in bytes.
pub const CEILING_EVENT_BYTES: usize = 1024;

/// The generator path with nothing behind it.
#[derive(Debug)]
pub struct NullRun {
    clock: Clock,
    schedule: Merged,
    source: EventSource,
    ledger: Ledger,
    lane: Lane,
    frame: Vec<u8>,
}

impl NullRun {
    /// A path that is ready to offer events of the pool as fast as it can.
    pub fn new(pool: Pool, seed: u64) -> Self {
        let operation = Operation { name: "null.publish", component: "", description: "" };
        let recorder = Recorder::new(vec![operation], (0, u64::MAX));
        let lane = recorder.operations().next().map(|(id, _)| recorder.lane(id));
        // A rate far above any machine's, so that every arrival is already due.
        let schedule = Schedule::new(Arrivals::Poisson, 1e9, Duration::from_secs(86_400), seed, 0);
        Self {
            clock: Clock::starting_in(Duration::ZERO),
            schedule: Merged::new(vec![schedule]),
            source: EventSource::new(pool, seed),
            ledger: Ledger::new(KEYS),
            lane: lane.unwrap_or_else(|| unreachable!("the recorder has one operation")),
            frame: Vec::new(),
        }
    }

    /// Sends `count` events to the null target.
    pub fn send(&mut self, count: u64) {
        for arrival in self.schedule.by_ref().take(usize::try_from(count).unwrap_or(usize::MAX)) {
            let start_ns = self.clock.now_ns();
            self.lane.offer(arrival.intended_ns);
            self.lane.begin();
            let stamp = self.source.next_into(arrival.intended_ns, start_ns, &mut self.frame);
            self.ledger.reached(Hop::Sent, stamp.key, stamp.sequence);
            let frame = std::hint::black_box(&self.frame);
            self.ledger.reached(Hop::Acknowledged, stamp.key, stamp.sequence);
            let span =
                Span { intended_ns: arrival.intended_ns, start_ns, end_ns: self.clock.now_ns() };
            self.lane.end(span, Outcome::Completed { bytes: frame.len() as u64 }, 0);
        }
    }
}

/// Events per second of the pool that this thread reaches against the null target, measured for about
/// `time`. A run compares its own events with it, so it takes the run's pool.
pub fn ceiling_events_per_s(pool: Pool, time: Duration, seed: u64) -> f64 {
    const BATCH: u64 = 2_000;
    let mut run = NullRun::new(pool, seed);
    run.send(BATCH);
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < time {
        run.send(BATCH);
        sent += BATCH;
    }
    sent as f64 / start.elapsed().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_null_target_keeps_the_same_books_as_a_run() {
        let mut run = NullRun::new(Pool::fixed(CEILING_EVENT_BYTES, 3), 3);
        run.send(3_000);
        let summary = run.ledger.summary();
        assert_eq!(summary.hops[0].reached, 3_000);
        assert_eq!(summary.hops[1].reached, 3_000);
        assert!(ceiling_events_per_s(Pool::day(1), Duration::from_millis(5), 1) > 0.0);
    }
}
