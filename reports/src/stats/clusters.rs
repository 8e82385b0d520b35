//! What was recorded, interval by interval, kept for the claim that is made at the end of a run.

use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};

use super::Counts;
use crate::read::Decoder;
use crate::store::log_interval_s;

/// What one interval recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cluster {
    /// Values and how often each, in ascending order of value.
    pub counts: Counts,
    /// Operations beyond every value: failed, or out of the histogram's range.
    pub beyond: u64,
}

impl Cluster {
    /// Operations.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.over(0).saturating_add(self.counts.first().filter(|c| c.0 == 0).map_or(0, |c| c.1))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Operations over a threshold.
    #[must_use]
    pub fn over(&self, threshold: u64) -> u64 {
        let over = self.counts.iter().rev().take_while(|(value, _)| *value > threshold);
        over.fold(self.beyond, |sum, (_, n)| sum.saturating_add(*n))
    }
}

/// The intervals of one operation, the same ones as `latency.hlog` has, so that what is claimed can
/// be worked out again from the record. Kept as the log keeps them: a day takes a few megabytes.
#[derive(Debug, Clone, Default)]
pub struct Clusters {
    interval_s: u64,
    open: Option<Open>,
    closed: Vec<Closed>,
}

#[derive(Debug, Clone)]
struct Open {
    cell: u64,
    histogram: Histogram<u64>,
    beyond: u64,
}

#[derive(Debug, Clone)]
struct Closed {
    kept: Kept,
    beyond: u64,
}

#[derive(Debug, Clone)]
enum Kept {
    Encoded(Vec<u8>),
    /// What the encoding has no number for.
    Plain(Counts),
}

impl Clusters {
    /// No interval yet, of a run that is planned to take `planned_s` seconds with its warm-up.
    #[must_use]
    pub fn new(planned_s: f64) -> Self {
        Self { interval_s: log_interval_s(planned_s), open: None, closed: Vec::new() }
    }

    /// Adds what was recorded from `start_s` (since the run's epoch) for `dt_s` seconds, and how many
    /// operations were beyond every value.
    pub fn add(&mut self, start_s: f64, dt_s: f64, histogram: &Histogram<u64>, beyond: u64) {
        if histogram.is_empty() && beyond == 0 {
            return;
        }
        let cell = cell(start_s, dt_s, self.interval_s);
        if let Some(open) = self.open.as_mut().filter(|open| open.cell == cell)
            && open.histogram.add(histogram).is_ok()
        {
            open.beyond = open.beyond.saturating_add(beyond);
            return;
        }
        let new = Open { cell, histogram: histogram.clone(), beyond };
        if let Some(before) = self.open.replace(new) {
            self.closed.push(before.close());
        }
    }

    /// Every interval, in order of time.
    #[must_use]
    pub fn all(&self) -> Vec<Cluster> {
        let mut decoder = Decoder::default();
        let open = self
            .open
            .iter()
            .map(|open| Cluster { counts: counts_of(&open.histogram), beyond: open.beyond });
        let mut decoded = |closed: &Closed| Cluster {
            counts: match &closed.kept {
                Kept::Plain(counts) => counts.clone(),
                // It was encoded here, so it can be read.
                Kept::Encoded(bytes) => decoder.decode(bytes).unwrap_or_default(),
            },
            beyond: closed.beyond,
        };
        self.closed.iter().map(&mut decoded).chain(open).collect()
    }
}

impl Open {
    fn close(self) -> Closed {
        let mut bytes = Vec::new();
        let encoded = V2DeflateSerializer::new().serialize(&self.histogram, &mut bytes);
        let kept = match encoded {
            Ok(_) => Kept::Encoded(bytes),
            Err(_) => Kept::Plain(counts_of(&self.histogram)),
        };
        Closed { kept, beyond: self.beyond }
    }
}

/// Which interval of the log a second belongs to. Its middle says so: it ends a few milliseconds late.
pub(crate) fn cell(start_s: f64, dt_s: f64, interval_s: u64) -> u64 {
    // The cast saturates, and takes NaN as 0.
    ((start_s + dt_s / 2.0) / interval_s.max(1) as f64) as u64
}

/// A histogram as values and how often each, in ascending order of value.
pub(crate) fn counts_of(histogram: &Histogram<u64>) -> Counts {
    let recorded = histogram.iter_recorded();
    recorded.map(|v| (v.value_iterated_to(), v.count_since_last_iteration())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: &[(u64, u64)]) -> Histogram<u64> {
        let mut h = Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap();
        for (value, n) in values {
            h.record_n(*value, *n).unwrap();
        }
        h
    }

    #[test]
    fn a_cluster_counts_what_is_over_and_what_failed() {
        let cluster = Cluster { counts: vec![(0, 2), (10, 3), (20, 4)], beyond: 5 };
        assert_eq!(
            (cluster.len(), cluster.over(0), cluster.over(10), cluster.over(20)),
            (14, 12, 9, 5)
        );
        assert!(Cluster::default().is_empty());
    }

    #[test]
    fn seconds_come_back_as_the_intervals_of_the_log() {
        let mut clusters = Clusters::new(9_000.0);
        for second in 0..25u32 {
            let h = histogram(&[(5_000, 1), (u64::from(second) * 1_000_000 + 1, 1)]);
            clusters.add(f64::from(second), 1.004, &h, u64::from(second == 12));
        }
        let all = clusters.all();
        assert_eq!(all.iter().map(Cluster::len).collect::<Vec<_>>(), [20, 21, 10]);
        assert_eq!(all[1].beyond, 1);
        assert!(all[0].counts.windows(2).all(|w| w[0].0 < w[1].0));
        assert!(Clusters::default().all().is_empty());
    }
}
