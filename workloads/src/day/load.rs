//! From a daily volume to rates: how much of each stream a run offers.

use std::time::Duration;

use super::carries::Carries;
use crate::payload::Pool;
use crate::schedule::{Arrivals, DAY_S, Schedule};

/// Object reads per event. Ours (derived): every fiftieth event leads to a reader.
const GET_PER_EVENT: f64 = 0.02;
/// Catalogue look-ups per event.
const LOOKUP_PER_EVENT: f64 = 0.05;
/// Session reads and writes per event.
const SESSION_PER_EVENT: f64 = 0.10;
/// NATS notifications per event: one for each governance decision.
const NOTIFY_PER_EVENT: f64 = 0.10;

/// Floors in operations per second, so that a minute gives enough samples to claim a p99 at 99 %
/// confidence (459) for every operation, whatever the volume.
const GET_FLOOR: f64 = 20.0;
const LOOKUP_FLOOR: f64 = 50.0;
const SESSION_FLOOR: f64 = 50.0;
const NOTIFY_FLOOR: f64 = 20.0;

/// The open-loop streams of the day workload, in the order in which the pacer knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Stream {
    /// Events to the bus.
    Events = 0,
    /// Ranged object reads.
    Gets = 1,
    /// Catalogue look-ups.
    Lookups = 2,
    /// Sessions.
    Sessions = 3,
    /// NATS notifications (only where Kafka is the bus).
    Notifications = 4,
}

impl Stream {
    /// All streams in order.
    pub const ALL: [Self; 5] =
        [Self::Events, Self::Gets, Self::Lookups, Self::Sessions, Self::Notifications];
}

/// What a run is asked to offer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// Bytes per day at full scale.
    pub bytes_per_day: f64,
    /// Multiplier on every rate.
    pub scale: f64,
    /// Seconds of the day per second of the run; multiplies every rate.
    pub speedup: f64,
    /// How arrivals are spread.
    pub arrivals: Arrivals,
    /// Warm-up and measured part together.
    pub length: Duration,
    /// The components that carry it.
    pub carries: Carries,
    /// Seed.
    pub seed: u64,
}

impl Load {
    /// Mean payload bytes per second over a whole day, where something carries events.
    pub fn bytes_per_s(&self) -> f64 {
        self.bytes_per_day / DAY_S * self.scale * self.speedup
    }

    /// The schedules, one per [`Stream`], for events of `mean_event_bytes`.
    pub fn schedules(&self, mean_event_bytes: f64) -> Vec<Schedule> {
        let events = self.bytes_per_s() / mean_event_bytes;
        Stream::ALL
            .into_iter()
            .map(|stream| {
                let carried = match stream {
                    Stream::Events => self.carries.bus().is_some(),
                    Stream::Gets => self.carries.s3,
                    Stream::Lookups => self.carries.postgres,
                    Stream::Sessions => self.carries.redis,
                    Stream::Notifications => self.carries.notifications(),
                };
                let rate = match stream {
                    _ if !carried => 0.0,
                    Stream::Events => events,
                    Stream::Gets => (events * GET_PER_EVENT).max(GET_FLOOR),
                    Stream::Lookups => (events * LOOKUP_PER_EVENT).max(LOOKUP_FLOOR),
                    Stream::Sessions => (events * SESSION_PER_EVENT).max(SESSION_FLOOR),
                    Stream::Notifications => (events * NOTIFY_PER_EVENT).max(NOTIFY_FLOOR),
                };
                // Streams with seeds of their own are independent of each other; the day curve comes
                // from the run's seed in all of them, so that bursts hit every stream together.
                Schedule::new(self.arrivals, rate, self.length, self.seed, stream as u64)
            })
            .collect()
    }

    /// What the schedules offer on average, for the record and `--dry-run`.
    pub fn offered(&self, pool: &Pool) -> Offered {
        let rates: Vec<f64> =
            self.schedules(pool.mean_bytes()).iter().map(Schedule::mean_rate).collect();
        Offered {
            events_per_s: rates[Stream::Events as usize],
            bytes_per_s: rates[Stream::Events as usize] * pool.mean_bytes(),
            gets_per_s: rates[Stream::Gets as usize],
            lookups_per_s: rates[Stream::Lookups as usize],
            sessions_per_s: rates[Stream::Sessions as usize],
            notifications_per_s: rates[Stream::Notifications as usize],
        }
    }
}

/// Mean offered rates over a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Offered {
    /// Events per second.
    pub events_per_s: f64,
    /// Event bytes per second.
    pub bytes_per_s: f64,
    /// Object reads per second.
    pub gets_per_s: f64,
    /// Look-ups per second.
    pub lookups_per_s: f64,
    /// Session operations per second.
    pub sessions_per_s: f64,
    /// Notifications per second.
    pub notifications_per_s: f64,
}

impl Offered {
    /// Operations of every stream per second.
    pub fn operations_per_s(&self) -> f64 {
        self.events_per_s
            + self.gets_per_s
            + self.lookups_per_s
            + self.sessions_per_s
            + self.notifications_per_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(bytes_per_day: f64) -> Load {
        Load {
            bytes_per_day,
            scale: 1.0,
            speedup: 1.0,
            arrivals: Arrivals::Poisson,
            length: Duration::from_secs(20),
            carries: Carries::ALL,
            seed: 1,
        }
    }

    #[test]
    fn one_terabyte_a_day_is_eleven_and_a_half_megabytes_a_second() {
        let offered = load(1e12).offered(&Pool::day(1));
        assert!((offered.bytes_per_s / 1e6 - 11.574).abs() < 0.001, "{offered:?}");
    }

    #[test]
    fn scale_and_speedup_multiply_the_offered_rate() {
        let pool = Pool::day(1);
        let base = load(1e12).offered(&pool).events_per_s;
        let half = Load { scale: 0.5, ..load(1e12) }.offered(&pool).events_per_s;
        let fast = Load { speedup: 4.0, ..load(1e12) }.offered(&pool).events_per_s;
        assert!((half / base - 0.5).abs() < 1e-9 && (fast / base - 4.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_scheduled_carries_the_offered_bytes() {
        let pool = Pool::day(1);
        let load = load(1e12);
        let events = load.schedules(pool.mean_bytes()).remove(0).count() as f64;
        let bytes_per_s = events * pool.mean_bytes() / 20.0;
        assert!((bytes_per_s / load.bytes_per_s() - 1.0).abs() < 0.05);
    }

    #[test]
    fn a_stream_without_its_component_is_empty_and_the_others_are_not() {
        let carries = Carries { kafka: false, redis: false, ..Carries::ALL };
        let streams = Load { carries, ..load(1e12) }.schedules(1e4);
        let empty: Vec<bool> = streams.into_iter().map(|s| s.count() == 0).collect();
        assert_eq!(empty, [false, false, false, true, true], "NATS is the bus then");
        let nothing = Load { carries: Carries::NOTHING, ..load(1e12) };
        assert_eq!(nothing.offered(&Pool::day(1)).operations_per_s(), 0.0);
    }
}
