//! Little's law as a check of the harness on itself.
//!
//! Over a finite window the law is an identity: the time-average of the number in flight equals the time
//! that operations spent in flight inside the window, divided by its length (Little 2011, "Little's Law
//! as Viewed on Its 50th Anniversary"). The left side is sampled here, by a thread that only reads
//! counters; the right side comes from the recorded spans. A difference beyond the sampling error means
//! that operations were begun and not recorded, or recorded with wrong times: a bug in the harness.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use odg_reports::record::LittlesLaw;

use crate::clock::Clock;
use crate::pacer::request_realtime;
use crate::recorder::Recorder;

/// Time between two samples.
const PERIOD: Duration = Duration::from_millis(5);
/// Relative difference that is accepted beyond the sampling error.
const TOLERANCE: f64 = 0.10;
/// Where the sampling error is more than this part of the expected value, the check says nothing.
const WEAK: f64 = 0.5;

/// Time-weighted means of the number in flight, per operation.
#[derive(Debug, Clone, Default)]
pub struct InFlightMeans {
    /// Mean per operation, in the order of the recorder's operations.
    pub means: Vec<f64>,
    /// Samples taken.
    pub samples: u64,
}

/// Samples the recorder's in-flight counters over its measured part, on a thread of its own.
#[derive(Debug)]
pub struct InFlightSampler {
    thread: JoinHandle<InFlightMeans>,
    stop: Arc<AtomicBool>,
}

impl InFlightSampler {
    /// Starts sampling; samples before the measured part are ignored.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(recorder: Arc<Recorder>, clock: Clock) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("in-flight".into()).spawn(move || {
            request_realtime();
            sample(&recorder, &clock, &stopped)
        })?;
        Ok(Self { thread, stop })
    }

    /// Ends sampling and answers the means.
    pub fn finish(self) -> InFlightMeans {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

fn sample(recorder: &Recorder, clock: &Clock, stop: &AtomicBool) -> InFlightMeans {
    let (from, to) = recorder.measured_ns();
    let mut areas: Vec<f64> = Vec::new();
    let (mut last, mut now) = (Vec::new(), Vec::new());
    let (mut last_ns, mut first_ns, mut samples) = (0, None, 0);
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(PERIOD);
        let t = clock.now_ns();
        if t < from {
            continue;
        }
        if t >= to {
            break;
        }
        recorder.in_flight(&mut now);
        if first_ns.is_some() {
            areas.resize(now.len(), 0.0);
            // Trapezoid: wake-ups are not evenly spaced on a busy machine.
            for (area, (a, b)) in areas.iter_mut().zip(last.iter().zip(&now)) {
                *area += (*a + *b) as f64 / 2.0 * (t - last_ns) as f64;
            }
        }
        first_ns.get_or_insert(t);
        (last_ns, samples) = (t, samples + 1);
        std::mem::swap(&mut last, &mut now);
    }
    let span = last_ns.saturating_sub(first_ns.unwrap_or(0)) as f64;
    let means = areas.iter().map(|area| if span > 0.0 { area / span } else { 0.0 }).collect();
    InFlightMeans { means, samples }
}

/// Compares the sampled mean with the recorded one. `overlap_ns` is the sum of the operations' time in
/// flight inside a window of `window_ns`; `unfinished` operations never ended, so that nothing can be
/// said.
pub fn check(
    sampled_mean: f64,
    samples: u64,
    overlap_ns: u64,
    window_ns: u64,
    unfinished: u64,
) -> LittlesLaw {
    let expected = overlap_ns as f64 / (window_ns as f64).max(1.0);
    let difference = (sampled_mean - expected).abs();
    // The counter is at least as variable as a Poisson one; five standard errors.
    let noise = 5.0 * (expected.max(1e-9) / samples.max(1) as f64).sqrt();
    let telling = samples >= 1_000 && unfinished == 0 && noise <= WEAK * expected;
    LittlesLaw {
        measured_in_flight: sampled_mean,
        expected_in_flight: expected,
        relative_error: if expected > 0.0 { difference / expected } else { 0.0 },
        holds: telling.then_some(difference <= TOLERANCE * expected + noise),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::{Operation, Outcome, Span};

    #[test]
    fn equal_sides_hold_and_a_lost_operation_breaks_the_law() {
        let second = 1_000_000_000;
        assert_eq!(check(4.0, 10_000, 40 * second, 10 * second, 0).holds, Some(true));
        assert_eq!(check(6.0, 10_000, 40 * second, 10 * second, 0).holds, Some(false));
    }

    #[test]
    fn nothing_is_said_where_the_samples_cannot_tell() {
        let second = 1_000_000_000;
        assert_eq!(check(4.0, 100, 40 * second, 10 * second, 0).holds, None);
        assert_eq!(check(4.0, 10_000, 40 * second, 10 * second, 1).holds, None);
        assert_eq!(check(0.0, 10_000, 1_000, 10 * second, 0).holds, None);
    }

    #[test]
    fn the_sampler_sees_what_is_in_flight_inside_the_window() {
        let operation = Operation { name: "x", component: "", description: "" };
        let recorder = Arc::new(Recorder::new(vec![operation], (0, 200_000_000)));
        let lane = recorder.lane(recorder.find("x").unwrap());
        let clock = Clock::starting_in(Duration::ZERO);
        lane.offer(0);
        lane.begin();
        let sampler = InFlightSampler::start(Arc::clone(&recorder), clock).unwrap();
        std::thread::sleep(Duration::from_millis(220));
        let end_ns = clock.now_ns();
        let span = Span { intended_ns: 0, start_ns: 0, end_ns };
        lane.end(span, Outcome::Completed { bytes: 0 }, 0);
        let means = sampler.finish();
        assert!((means.means[0] - 1.0).abs() < 1e-9, "{means:?}");
        // The span's part past the window does not count.
        assert_eq!(recorder.collect()[0].measured.overlap_ns, 200_000_000);
    }
}
