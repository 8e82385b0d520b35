//! Open-loop arrivals: when each operation is intended to start, fixed by a seed before the run.
//!
//! A [`Schedule`] is an iterator of intended starts. It knows nothing of the system under load, so the
//! system can neither delay nor thin it.

use std::collections::BinaryHeap;
use std::{cmp::Reverse, time::Duration};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Seconds in a day.
pub const DAY_S: f64 = 86_400.0;

/// Relative load of each hour of a data platform's day; the mean is 1. Ours (derived): a night batch
/// at 02:00, a morning and an afternoon peak, a quiet evening.
pub const HOURLY_WEIGHTS: [f64; 24] = [
    0.55, 0.60, 1.35, 1.10, 0.60, 0.55, 0.70, 0.95, 1.25, 1.50, 1.55, 1.40, 1.15, 1.25, 1.50, 1.55,
    1.40, 1.20, 0.95, 0.75, 0.65, 0.55, 0.50, 0.50,
];

/// A burst of the day curve multiplies the rate by this.
pub const BURST_FACTOR: f64 = 3.0;
/// How long a burst lasts, in seconds of the day.
pub const BURST_S: f64 = 30.0;
/// Bursts in a day.
pub const BURSTS_PER_DAY: usize = 48;

/// How arrivals are spread over time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Arrivals {
    /// Equal gaps.
    Constant,
    /// Exponential gaps: independent users.
    Poisson,
    /// Poisson arrivals whose rate follows [`HOURLY_WEIGHTS`] with seeded bursts.
    Day(DaySlice),
}

impl Arrivals {
    /// The name used on the command line and in the record.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Poisson => "poisson",
            Self::Day(_) => "day",
        }
    }
}

/// The part of a day that a run replays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DaySlice {
    /// Start, in seconds since midnight.
    pub from_s: f64,
    /// End, in seconds since midnight, greater than `from_s`.
    pub to_s: f64,
    /// Seconds of the day per second of the run.
    pub speedup: f64,
}

impl DaySlice {
    /// How long the slice takes to replay.
    pub fn run_time(&self) -> Duration {
        Duration::from_secs_f64((self.to_s - self.from_s) / self.speedup)
    }
}

/// The day's rate curve: multipliers on the mean rate, piecewise constant, with a mean of 1 over a
/// whole day.
#[derive(Debug, Clone)]
struct DayCurve {
    /// Ascending breakpoints (seconds of the day) with the multiplier that holds from there on.
    steps: Vec<(f64, f64)>,
}

impl DayCurve {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x6461_795f_6375_7276);
        let mut bursts: Vec<f64> = (0..BURSTS_PER_DAY)
            .map(|slot| {
                let width = DAY_S / BURSTS_PER_DAY as f64;
                slot as f64 * width + rng.random_range(0.0..(width - BURST_S))
            })
            .collect();
        bursts.sort_by(f64::total_cmp);
        let mut edges: Vec<f64> = (0..24).map(|h| f64::from(h) * 3600.0).collect();
        for burst in &bursts {
            edges.extend([*burst, burst + BURST_S]);
        }
        edges.sort_by(f64::total_cmp);
        let factor = |t: f64| {
            let hour = HOURLY_WEIGHTS[((t / 3600.0) as usize).min(23)];
            let burst = bursts.iter().any(|b| (*b..b + BURST_S).contains(&t));
            if burst { hour * BURST_FACTOR } else { hour }
        };
        let mut steps: Vec<(f64, f64)> = edges.iter().map(|t| (*t, factor(*t))).collect();
        let area: f64 = steps
            .iter()
            .enumerate()
            .map(|(i, (t, f))| (steps.get(i + 1).map_or(DAY_S, |next| next.0) - t) * f)
            .sum();
        for step in &mut steps {
            step.1 *= DAY_S / area;
        }
        Self { steps }
    }

    /// The multiplier at `t` seconds of the day, and where it ends.
    fn at(&self, t: f64) -> (f64, f64) {
        let next = self.steps.partition_point(|step| step.0 <= t);
        let end = self.steps.get(next).map_or(DAY_S, |step| step.0);
        (self.steps[next.saturating_sub(1)].1, end)
    }

    /// Mean multiplier over `[from, to)`.
    fn mean(&self, from: f64, to: f64) -> f64 {
        let mut t = from;
        let mut area = 0.0;
        while t < to {
            let (factor, end) = self.at(t);
            let end = end.min(to);
            area += factor * (end - t);
            t = end;
        }
        area / (to - from)
    }
}

/// One stream of arrivals.
#[derive(Debug, Clone)]
pub struct Schedule {
    arrivals: Arrivals,
    curve: Option<DayCurve>,
    /// Mean arrivals per second of the run, before the day curve.
    rate: f64,
    rng: ChaCha8Rng,
    index: u64,
    /// Run time of the last arrival, in seconds.
    t: f64,
    length: f64,
}

impl Schedule {
    /// A stream of `rate` arrivals per second (on the day's average, for [`Arrivals::Day`]) over
    /// `length`. The same arguments give the same stream, always. Streams of one run share `seed`, and
    /// with it the day's bursts; `stream` tells their arrivals apart.
    pub fn new(arrivals: Arrivals, rate: f64, length: Duration, seed: u64, stream: u64) -> Self {
        Self {
            arrivals,
            curve: matches!(arrivals, Arrivals::Day(_)).then(|| DayCurve::new(seed)),
            rate: if rate.is_finite() { rate.max(0.0) } else { 0.0 },
            rng: {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream(stream);
                rng
            },
            index: 0,
            t: 0.0,
            length: length.as_secs_f64(),
        }
    }

    /// Arrivals per second expected over the whole stream.
    pub fn mean_rate(&self) -> f64 {
        match (&self.curve, self.arrivals) {
            (Some(curve), Arrivals::Day(slice)) => {
                let to = (slice.from_s + self.length * slice.speedup).min(slice.to_s);
                self.rate * curve.mean(slice.from_s, to)
            }
            _ => self.rate,
        }
    }

    fn exponential(&mut self) -> f64 {
        // 1 − u lies in (0, 1], so the logarithm is finite.
        -(1.0 - self.rng.random::<f64>()).ln()
    }

    /// Next arrival of a Poisson process with the curve's rate: the unit-rate process, mapped through
    /// the inverse of the cumulative rate (time change; Çinlar 1975).
    fn next_on_curve(&mut self, slice: DaySlice) -> f64 {
        let mut left = self.exponential();
        let mut day = slice.from_s + self.t * slice.speedup;
        let Some(curve) = &self.curve else { return f64::INFINITY };
        loop {
            if day >= slice.to_s {
                return f64::INFINITY;
            }
            let (factor, end) = curve.at(day);
            let per_day_second = self.rate * factor / slice.speedup;
            let room = (end - day) * per_day_second;
            if left <= room {
                return (day + left / per_day_second - slice.from_s) / slice.speedup;
            }
            left -= room;
            day = end;
        }
    }
}

impl Iterator for Schedule {
    type Item = u64;

    /// Intended start of the next operation, in nanoseconds since the run's epoch.
    fn next(&mut self) -> Option<u64> {
        if self.rate == 0.0 {
            return None;
        }
        self.t = match self.arrivals {
            Arrivals::Constant => self.index as f64 / self.rate,
            Arrivals::Poisson => self.t + self.exponential() / self.rate,
            Arrivals::Day(slice) => self.next_on_curve(slice),
        };
        self.index += 1;
        (self.t < self.length).then_some((self.t * 1e9) as u64)
    }
}

/// An arrival of one of several merged streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrival {
    /// Intended start, in nanoseconds since the run's epoch.
    pub intended_ns: u64,
    /// Which stream, by its place in the list given to [`Merged::new`].
    pub stream: usize,
}

/// Several schedules in order of time, for one pacing thread.
#[derive(Debug)]
pub struct Merged {
    streams: Vec<Schedule>,
    heap: BinaryHeap<Reverse<Arrival>>,
}

impl Merged {
    /// Merges the streams; ties go to the stream named first.
    pub fn new(mut streams: Vec<Schedule>) -> Self {
        let heap = streams
            .iter_mut()
            .enumerate()
            .filter_map(|(stream, s)| s.next().map(|t| Reverse(Arrival { intended_ns: t, stream })))
            .collect();
        Self { streams, heap }
    }
}

impl Iterator for Merged {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        let Reverse(arrival) = self.heap.pop()?;
        if let Some(intended_ns) = self.streams[arrival.stream].next() {
            self.heap.push(Reverse(Arrival { intended_ns, stream: arrival.stream }));
        }
        Some(arrival)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn gaps(schedule: Schedule) -> Vec<f64> {
        let times: Vec<u64> = schedule.collect();
        times.windows(2).map(|w| (w[1] - w[0]) as f64 / 1e9).collect()
    }

    fn day(from_h: f64, to_h: f64, speedup: f64) -> Arrivals {
        Arrivals::Day(DaySlice { from_s: from_h * 3600.0, to_s: to_h * 3600.0, speedup })
    }

    #[test]
    fn a_constant_schedule_has_equal_gaps_and_the_asked_count() {
        let schedule = Schedule::new(Arrivals::Constant, 250.0, Duration::from_secs(4), 1, 0);
        assert_eq!(schedule.clone().count(), 1000);
        assert!(gaps(schedule).iter().all(|g| (g - 0.004).abs() < 1e-8));
    }

    #[test]
    fn poisson_gaps_have_the_mean_and_the_variance_of_an_exponential() {
        let gaps = gaps(Schedule::new(Arrivals::Poisson, 1000.0, Duration::from_secs(100), 7, 0));
        let n = gaps.len() as f64;
        let mean = gaps.iter().sum::<f64>() / n;
        let var = gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / n;
        // Five standard errors at n = 100,000.
        assert!((mean * 1000.0 - 1.0).abs() < 5.0 / n.sqrt(), "mean {mean}");
        assert!((var.sqrt() / mean - 1.0).abs() < 0.03, "cv {}", var.sqrt() / mean);
    }

    #[test]
    fn a_whole_day_offers_the_daily_count_whatever_its_curve() {
        let slice = day(0.0, 24.0, 864.0);
        let schedule = Schedule::new(slice, 5_000.0, Duration::from_secs(100), 3, 0);
        assert!((schedule.mean_rate() - 5_000.0).abs() < 1e-6);
        let count = schedule.count() as f64;
        assert!((count - 500_000.0).abs() < 5.0 * 500_000f64.sqrt(), "{count}");
    }

    #[test]
    fn a_busy_hour_offers_more_than_a_quiet_one_and_ends_with_its_window() {
        let count = |from: f64| {
            Schedule::new(day(from, from + 1.0, 60.0), 1_000.0, Duration::from_secs(3600), 11, 0)
                .inspect(|t| assert!(*t < 60_000_000_000))
                .count()
        };
        assert!(count(10.0) as f64 > 2.0 * count(22.0) as f64);
    }

    #[test]
    fn speedup_keeps_the_rate_it_is_given_and_compresses_the_curve() {
        let slice = DaySlice { from_s: 0.0, to_s: 3600.0, speedup: 60.0 };
        assert_eq!(slice.run_time(), Duration::from_secs(60));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_same_seed_gives_the_same_ordered_schedule(seed: u64, rate in 0.5f64..5_000.0) {
            for arrivals in [Arrivals::Constant, Arrivals::Poisson, day(9.0, 12.0, 3600.0)] {
                let make = || Schedule::new(arrivals, rate, Duration::from_secs(2), seed, 0);
                let first: Vec<u64> = make().collect();
                prop_assert!(first.is_sorted());
                prop_assert!(first.iter().all(|t| *t < 2_000_000_000));
                prop_assert_eq!(first, make().collect::<Vec<_>>());
            }
        }

        #[test]
        fn merging_keeps_every_arrival_of_every_stream_in_order(seed: u64, rates in prop::collection::vec(0.0f64..500.0, 1..5)) {
            let make = || -> Vec<Schedule> {
                rates.iter().enumerate().map(|(i, r)| {
                    Schedule::new(Arrivals::Poisson, *r, Duration::from_secs(1), seed, i as u64)
                }).collect()
            };
            let merged: Vec<Arrival> = Merged::new(make()).collect();
            prop_assert!(merged.is_sorted_by_key(|a| a.intended_ns));
            for (i, stream) in make().into_iter().enumerate() {
                let kept: Vec<u64> = merged.iter().filter(|a| a.stream == i).map(|a| a.intended_ns).collect();
                prop_assert_eq!(kept, stream.collect::<Vec<_>>());
            }
        }
    }
}
