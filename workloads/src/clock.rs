//! The run's one clock: monotonic nanoseconds since the run's epoch.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A monotonic clock whose zero is the instant at which the schedule starts.
///
/// Copies of one clock agree with each other. Wall time is read once, so that two timestamps of a run
/// never disagree with its monotonic time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    epoch: Instant,
    wall_epoch_us: i64,
}

impl Clock {
    /// A clock whose epoch lies `lead` in the future, so that threads can be ready when it comes.
    /// Until then [`Clock::now_ns`] answers 0.
    pub fn starting_in(lead: Duration) -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + lead;
        Self {
            epoch: Instant::now() + lead,
            wall_epoch_us: i64::try_from(wall.as_micros()).unwrap_or(i64::MAX),
        }
    }

    /// Nanoseconds since the epoch; 0 before it.
    pub fn now_ns(&self) -> u64 {
        u64::try_from(Instant::now().saturating_duration_since(self.epoch).as_nanos())
            .unwrap_or(u64::MAX)
    }

    /// Wall time of a run time, in microseconds since the Unix epoch.
    pub fn wall_us(&self, run_ns: u64) -> i64 {
        self.wall_epoch_us.saturating_add(i64::try_from(run_ns / 1_000).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_answers_zero_before_its_epoch_and_copies_agree() {
        let clock = Clock::starting_in(Duration::from_secs(3600));
        assert_eq!(clock.now_ns(), 0);
        let clock = Clock::starting_in(Duration::ZERO);
        let copy = clock;
        let a = clock.now_ns();
        let b = copy.now_ns();
        assert!(b >= a);
        assert_eq!(clock.wall_us(5_000_000) - clock.wall_us(0), 5_000);
    }
}
