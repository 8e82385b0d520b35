//! The pacing thread of the day workload.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::load::Stream;
use super::publish::EventQueue;
use crate::clock::Clock;
use crate::lane::LaneQueue;
use crate::pacer::{lag_histogram, pace, request_realtime};
use crate::schedule::{Merged, Schedule};

/// An arrival handed over within this time of its intended start counts as held.
pub const HELD_WITHIN: Duration = Duration::from_millis(10);

/// How well the schedule was kept.
#[derive(Debug, Clone)]
pub struct Pacing {
    /// Hand-over time − intended start over the measured part, in nanoseconds.
    pub lag: Histogram<u64>,
    /// Lags beyond the histogram's range.
    pub lag_out_of_range: u64,
    /// Arrivals handed over, over the whole run.
    pub dispatched: u64,
    /// Arrivals handed over in the measured part.
    pub measured: u64,
    /// Those of them that were handed over within [`HELD_WITHIN`].
    pub held: u64,
    /// Whether the thread was given a real-time class.
    pub realtime: bool,
}

impl Pacing {
    /// Adds what another thread paced.
    pub fn merge(&mut self, other: &Self) {
        // Same bounds on both sides, so adding cannot fail for range.
        if self.lag.add(&other.lag).is_err() {
            self.lag_out_of_range += other.lag.len();
        }
        self.lag_out_of_range += other.lag_out_of_range;
        self.dispatched += other.dispatched;
        self.measured += other.measured;
        self.held += other.held;
        self.realtime &= other.realtime;
    }

    /// Of a pacer that handed nothing over.
    pub(crate) fn nothing() -> Self {
        Self {
            lag: lag_histogram(),
            lag_out_of_range: 0,
            dispatched: 0,
            measured: 0,
            held: 0,
            realtime: false,
        }
    }
}

/// Where a pacer's arrivals go.
pub(crate) trait Offer: Send + 'static {
    /// An operation of `stream` is intended to start. Never blocks.
    fn offer(&self, stream: usize, intended_ns: u64);
    /// Arrivals dropped because a queue was full.
    fn dropped(&self) -> u64;
}

/// The queues that arrivals go to; a stream that is not offered has none.
#[derive(Debug)]
pub(super) struct Queues {
    pub events: Option<EventQueue>,
    pub gets: Option<LaneQueue>,
    pub lookups: Option<LaneQueue>,
    pub sessions: Option<LaneQueue>,
    pub notifications: Option<LaneQueue>,
}

impl Offer for Queues {
    fn offer(&self, stream: usize, intended_ns: u64) {
        if stream == Stream::Events as usize {
            if let Some(events) = &self.events {
                events.offer(intended_ns);
            }
            return;
        }
        let queue = match stream {
            s if s == Stream::Gets as usize => &self.gets,
            s if s == Stream::Lookups as usize => &self.lookups,
            s if s == Stream::Sessions as usize => &self.sessions,
            _ => &self.notifications,
        };
        if let Some(queue) = queue {
            queue.offer(intended_ns);
        }
    }

    fn dropped(&self) -> u64 {
        let lanes = [&self.gets, &self.lookups, &self.sessions, &self.notifications];
        let lanes: u64 = lanes.into_iter().flatten().map(LaneQueue::dropped).sum();
        self.events.as_ref().map_or(0, EventQueue::dropped) + lanes
    }
}

/// Starts pacing. When it ends, the queues end with it.
pub(crate) fn start(
    schedules: Vec<Schedule>,
    queues: impl Offer,
    clock: Clock,
    measured_ns: (u64, u64),
    stop: Arc<AtomicBool>,
    done: Arc<AtomicBool>,
) -> std::io::Result<JoinHandle<(Pacing, u64)>> {
    std::thread::Builder::new().name("pacer".into()).spawn(move || {
        let mut pacing = Pacing { realtime: request_realtime(), ..Pacing::nothing() };
        let held_ns = HELD_WITHIN.as_nanos() as u64;
        pacing.dispatched = pace(Merged::new(schedules), &clock, &stop, |arrival, now_ns| {
            queues.offer(arrival.stream, arrival.intended_ns);
            if (measured_ns.0..measured_ns.1).contains(&arrival.intended_ns) {
                let lag = now_ns - arrival.intended_ns;
                pacing.measured += 1;
                pacing.held += u64::from(lag <= held_ns);
                if pacing.lag.record(lag).is_err() {
                    pacing.lag_out_of_range += 1;
                }
            }
        });
        done.store(true, Ordering::Relaxed);
        let dropped = queues.dropped();
        (pacing, dropped)
    })
}
