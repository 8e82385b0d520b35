//! The pacing thread: hands each arrival over at its intended start by sleeping, then spinning.
//!
//! Async timers are about a millisecond late; a thread that sleeps until shortly before the intended
//! start and spins for the rest is late by well under a microsecond when a core is free. Arrivals that
//! are already due are handed over at once, with their intended start unchanged: the schedule is never
//! thinned and never shifted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

use crate::clock::Clock;
use crate::recorder::HIGHEST_NS;
use crate::schedule::Arrival;

/// How long before the intended start the thread stops sleeping. A kernel wakes a sleeper 50–60 µs late
/// (default timer slack); the rest is margin.
const SPIN: Duration = Duration::from_micros(120);
/// Longest single sleep, so that a stop is seen soon.
const MAX_SLEEP: Duration = Duration::from_millis(20);

/// An empty histogram for lags: nanoseconds, from one up to the recorder's highest, three figures.
pub fn lag_histogram() -> Histogram<u64> {
    // Constants that hdrhistogram accepts; every run constructs it.
    #[allow(clippy::expect_used)]
    Histogram::new_with_bounds(1, HIGHEST_NS, 3).expect("constant bounds are valid")
}

/// Asks for a real-time class for the calling thread, so that servers that share the machine cannot
/// hold the schedule up. Answers whether it was granted (it needs privileges).
pub fn request_realtime() -> bool {
    set_thread_priority_and_policy(
        thread_native_id(),
        ThreadPriority::Min,
        ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo),
    )
    .is_ok()
}

/// Hands every arrival to `dispatch` at its intended start, with the time at which it did (both in
/// nanoseconds since the epoch), until the schedule ends or `stop` is set. Call it on a thread of its
/// own. Answers how many arrivals were handed over.
pub fn pace(
    arrivals: impl Iterator<Item = Arrival>,
    clock: &Clock,
    stop: &AtomicBool,
    mut dispatch: impl FnMut(Arrival, u64),
) -> u64 {
    let spin_ns = SPIN.as_nanos() as u64;
    let mut dispatched = 0;
    for arrival in arrivals {
        let mut now = clock.now_ns();
        while now < arrival.intended_ns {
            if stop.load(Ordering::Relaxed) {
                return dispatched;
            }
            let ahead = arrival.intended_ns - now;
            if ahead > spin_ns {
                std::thread::sleep(Duration::from_nanos(ahead - spin_ns).min(MAX_SLEEP));
            } else {
                std::hint::spin_loop();
            }
            now = clock.now_ns();
        }
        if stop.load(Ordering::Relaxed) {
            return dispatched;
        }
        dispatch(arrival, now);
        dispatched += 1;
    }
    dispatched
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Arrivals, Merged, Schedule};

    #[test]
    fn nothing_is_handed_over_early_and_nothing_is_left_out() {
        let clock = Clock::starting_in(Duration::from_millis(5));
        let schedule = Schedule::new(Arrivals::Poisson, 2_000.0, Duration::from_millis(200), 5, 0);
        let expected: Vec<u64> = schedule.clone().collect();
        let mut seen = Vec::new();
        let count = pace(Merged::new(vec![schedule]), &clock, &AtomicBool::new(false), |a, now| {
            assert!(now >= a.intended_ns);
            seen.push(a.intended_ns);
        });
        assert_eq!(count as usize, expected.len());
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_slow_receiver_delays_hand_over_but_never_changes_the_intended_starts() {
        let clock = Clock::starting_in(Duration::ZERO);
        let schedule = Schedule::new(Arrivals::Constant, 1_000.0, Duration::from_millis(50), 5, 0);
        let expected: Vec<u64> = schedule.clone().collect();
        let mut seen = Vec::new();
        pace(Merged::new(vec![schedule]), &clock, &AtomicBool::new(false), |a, _| {
            if seen.is_empty() {
                std::thread::sleep(Duration::from_millis(30));
            }
            seen.push(a.intended_ns);
        });
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_stop_ends_pacing_in_the_middle_of_a_sleep() {
        let clock = Clock::starting_in(Duration::ZERO);
        let far = std::iter::once(Arrival { intended_ns: u64::MAX / 2, stream: 0 });
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let pacing = scope.spawn(|| pace(far, &clock, &stop, |_, _| unreachable!()));
            stop.store(true, Ordering::Relaxed);
            assert_eq!(pacing.join().unwrap(), 0);
        });
    }
}
