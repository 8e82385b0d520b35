//! Records operations: response and service time in HDR histograms, one pair per lane, swapped per
//! interval, merged per operation.
//!
//! What the pacing thread writes is atomic, so that it never waits for a lane's lock. That lock is held for
//! two histogram writes at a time, and by the collector, once an interval, for a swap. Samples are never kept and never clamped: a value outside
//! the histogram's range is counted in `out_of_range` and in no percentile.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hdrhistogram::Histogram;

/// Lowest latency told apart from zero, in nanoseconds.
const LOWEST_NS: u64 = 500;
/// Highest latency recorded, in nanoseconds: an hour.
pub const HIGHEST_NS: u64 = 3_600_000_000_000;
/// Significant decimal figures: values are right to 0.1 %.
const FIGURES: u8 = 3;

/// An empty histogram of the recorder's range (nanoseconds).
pub fn empty_histogram() -> Histogram<u64> {
    // The bounds are constants that hdrhistogram accepts; a test constructs it.
    #[allow(clippy::expect_used)]
    Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, FIGURES).expect("constant bounds are valid")
}

/// What an operation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// `system.verb`.
    pub name: &'static str,
    /// Component it loads, in the profile's spelling; empty where it crosses several.
    pub component: &'static str,
    /// One line for people.
    pub description: &'static str,
}

/// Names an operation of a [`Recorder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperationId(usize);

/// Counts and distributions of one operation.
#[derive(Debug, Clone)]
pub struct Tally {
    /// End − intended start, in nanoseconds.
    pub response: Histogram<u64>,
    /// End − actual start, in nanoseconds.
    pub service: Histogram<u64>,
    /// Operations offered by the schedule (or begun, for derived operations).
    pub offered: u64,
    /// Ended well.
    pub completed: u64,
    /// Ended in an error, by kind.
    pub errors: BTreeMap<&'static str, u64>,
    /// Retries on the way, of operations that ended well or not.
    pub retries: u64,
    /// Payload bytes of completed operations.
    pub bytes: u64,
    /// Response and service times outside the histogram's range.
    pub out_of_range: [u64; 2],
    /// Sum over all that ended of the part of [actual start, end] that lies in the measured part, in
    /// nanoseconds: the right-hand side of Little's law over a finite window.
    pub overlap_ns: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            response: empty_histogram(),
            service: empty_histogram(),
            offered: 0,
            completed: 0,
            errors: BTreeMap::new(),
            retries: 0,
            bytes: 0,
            out_of_range: [0; 2],
            overlap_ns: 0,
        }
    }
}

impl Tally {
    fn clear(&mut self) {
        // `clear` would keep the old extremes.
        self.response.reset();
        self.service.reset();
        self.offered = 0;
        self.completed = 0;
        self.errors.clear();
        self.retries = 0;
        self.bytes = 0;
        self.out_of_range = [0; 2];
        self.overlap_ns = 0;
    }

    /// Adds another tally of the same operation.
    pub fn merge(&mut self, other: &Self) {
        // Same bounds on both sides, so adding cannot fail for range.
        for (into, from) in
            [(&mut self.response, &other.response), (&mut self.service, &other.service)]
        {
            if into.add(from).is_err() {
                self.out_of_range[0] += from.len();
            }
        }
        self.offered += other.offered;
        self.completed += other.completed;
        for (kind, count) in &other.errors {
            *self.errors.entry(kind).or_default() += count;
        }
        self.retries += other.retries;
        self.bytes += other.bytes;
        for (into, from) in self.out_of_range.iter_mut().zip(other.out_of_range) {
            *into += from;
        }
        self.overlap_ns += other.overlap_ns;
    }

    /// Operations that ended in an error.
    pub fn error_count(&self) -> u64 {
        self.errors.values().sum()
    }
}

/// The times of one operation, in nanoseconds since the run's epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// When the schedule wanted it to start.
    pub intended_ns: u64,
    /// When it started.
    pub start_ns: u64,
    /// When it ended.
    pub end_ns: u64,
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Well, with that many payload bytes.
    Completed {
        /// Payload bytes.
        bytes: u64,
    },
    /// In an error of this kind.
    Failed {
        /// The kind under which it is counted.
        kind: &'static str,
    },
}

#[derive(Debug)]
struct LaneState {
    operation: usize,
    /// Operations intended before the measured part, and those in it.
    tallies: Mutex<[Tally; 2]>,
    offered: [AtomicU64; 2],
    in_flight: AtomicU64,
    backlog: AtomicU64,
}

/// Records one operation from one place. Cheap to clone; clones share the lane.
#[derive(Debug, Clone)]
pub struct Lane {
    state: Arc<LaneState>,
    measured_ns: (u64, u64),
}

fn lock(state: &LaneState) -> MutexGuard<'_, [Tally; 2]> {
    state.tallies.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lane {
    /// Whether an operation belongs to the measured part. The schedule ends with it; what the pipeline
    /// starts later still works off what was due in it.
    fn part(&self, intended_ns: u64) -> usize {
        usize::from(intended_ns >= self.measured_ns.0)
    }

    /// The schedule wants an operation: it now waits for its start.
    pub fn offer(&self, intended_ns: u64) {
        self.state.backlog.fetch_add(1, Ordering::Relaxed);
        self.state.offered[self.part(intended_ns)].fetch_add(1, Ordering::Relaxed);
    }

    /// An offered operation starts.
    pub fn begin(&self) {
        self.state.backlog.fetch_sub(1, Ordering::Relaxed);
        self.state.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// An operation that begun has ended.
    pub fn end(&self, span: Span, outcome: Outcome, retries: u32) {
        self.state.in_flight.fetch_sub(1, Ordering::Relaxed);
        let response = span.end_ns.saturating_sub(span.intended_ns);
        let service = span.end_ns.saturating_sub(span.start_ns);
        let mut tallies = lock(&self.state);
        let tally = &mut tallies[self.part(span.intended_ns)];
        tally.retries += u64::from(retries);
        tally.overlap_ns += span
            .end_ns
            .min(self.measured_ns.1)
            .saturating_sub(span.start_ns.max(self.measured_ns.0));
        match outcome {
            Outcome::Completed { bytes } => {
                tally.completed += 1;
                tally.bytes += bytes;
                if tally.response.record(response).is_err() {
                    tally.out_of_range[0] += 1;
                }
                if tally.service.record(service).is_err() {
                    tally.out_of_range[1] += 1;
                }
            }
            Outcome::Failed { kind } => *tally.errors.entry(kind).or_default() += 1,
        }
    }

    /// Offered operations that have not started.
    pub fn backlog(&self) -> u64 {
        self.state.backlog.load(Ordering::Relaxed)
    }
}

/// One operation over one interval, as collected.
#[derive(Debug, Clone)]
pub struct Collected {
    /// Operation.
    pub id: OperationId,
    /// Operations intended before the measured part that ended in the interval.
    pub outside: Tally,
    /// Operations intended since it began that ended in the interval.
    pub measured: Tally,
    /// In flight when collected.
    pub in_flight: u64,
    /// Waiting when collected.
    pub backlog: u64,
}

/// All lanes of a run.
#[derive(Debug)]
pub struct Recorder {
    operations: Vec<Operation>,
    lanes: Mutex<Vec<Arc<LaneState>>>,
    measured_ns: (u64, u64),
    spare: Mutex<[Tally; 2]>,
}

impl Recorder {
    /// A recorder whose measured part is `[from, to)`, in nanoseconds since the epoch.
    pub fn new(operations: Vec<Operation>, measured_ns: (u64, u64)) -> Self {
        Self { operations, lanes: Mutex::default(), measured_ns, spare: Mutex::default() }
    }

    /// The operations, in order of their ids.
    pub fn operations(&self) -> impl Iterator<Item = (OperationId, &Operation)> {
        self.operations.iter().enumerate().map(|(i, op)| (OperationId(i), op))
    }

    /// What an id names.
    pub fn operation(&self, id: OperationId) -> &Operation {
        &self.operations[id.0]
    }

    /// The id of an operation by name.
    pub fn find(&self, name: &str) -> Option<OperationId> {
        self.operations.iter().position(|op| op.name == name).map(OperationId)
    }

    /// The measured part, in nanoseconds since the epoch.
    pub fn measured_ns(&self) -> (u64, u64) {
        self.measured_ns
    }

    /// A new lane for an operation.
    pub fn lane(&self, id: OperationId) -> Lane {
        let state = Arc::new(LaneState {
            operation: id.0,
            tallies: Mutex::default(),
            offered: Default::default(),
            in_flight: AtomicU64::new(0),
            backlog: AtomicU64::new(0),
        });
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&state));
        Lane { state, measured_ns: self.measured_ns }
    }

    /// Takes what was recorded since the last call, merged per operation.
    pub fn collect(&self) -> Vec<Collected> {
        let mut collected: Vec<Collected> = (0..self.operations.len())
            .map(|i| Collected {
                id: OperationId(i),
                outside: Tally::default(),
                measured: Tally::default(),
                in_flight: 0,
                backlog: 0,
            })
            .collect();
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        for lane in self.lanes.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            // The lane is locked for a swap of pointers only.
            std::mem::swap(&mut *lock(lane), &mut *spare);
            let into = &mut collected[lane.operation];
            for (tally, offered) in spare.iter_mut().zip(&lane.offered) {
                tally.offered = offered.swap(0, Ordering::Relaxed);
            }
            into.outside.merge(&spare[0]);
            into.measured.merge(&spare[1]);
            into.in_flight += lane.in_flight.load(Ordering::Relaxed);
            into.backlog += lane.backlog.load(Ordering::Relaxed);
            spare.iter_mut().for_each(Tally::clear);
        }
        collected
    }

    /// In-flight operations per operation right now, for sampling (Little's law).
    pub fn in_flight(&self, into: &mut Vec<u64>) {
        into.clear();
        into.resize(self.operations.len(), 0);
        for lane in self.lanes.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            into[lane.operation] += lane.in_flight.load(Ordering::Relaxed);
        }
    }
}

impl OperationId {
    /// Its place in the recorder's list.
    pub fn index(self) -> usize {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn recorder(measured_ns: (u64, u64)) -> Recorder {
        let op = |name| Operation { name, component: "kafka", description: "" };
        Recorder::new(vec![op("a"), op("b")], measured_ns)
    }

    fn run(lane: &Lane, intended_ns: u64, wait: u64, service: u64, outcome: Outcome) {
        lane.offer(intended_ns);
        lane.begin();
        let start_ns = intended_ns + wait;
        lane.end(Span { intended_ns, start_ns, end_ns: start_ns + service }, outcome, 0);
    }

    #[test]
    fn response_time_counts_the_wait_and_service_time_does_not() {
        let recorder = recorder((0, u64::MAX));
        let lane = recorder.lane(recorder.find("a").unwrap());
        run(&lane, 1_000, 2_000_000_000, 1_000_000, Outcome::Completed { bytes: 10 });
        let collected = recorder.collect();
        let tally = &collected[0].measured;
        assert!((tally.response.max() as f64 / 2_001_000_000.0 - 1.0).abs() < 0.001);
        assert!((tally.service.max() as f64 / 1_000_000.0 - 1.0).abs() < 0.001);
        assert_eq!((tally.completed, tally.bytes), (1, 10));
        assert_eq!(collected[1].measured.completed, 0);
    }

    #[test]
    fn warm_up_is_told_by_the_intended_start_not_by_the_end() {
        let recorder = recorder((1_000, 2_000));
        let lane = recorder.lane(OperationId(0));
        run(&lane, 999, 5_000, 1, Outcome::Completed { bytes: 0 });
        run(&lane, 1_999, 5_000, 1, Outcome::Completed { bytes: 0 });
        run(&lane, 2_000, 0, 1, Outcome::Completed { bytes: 0 });
        let collected = &recorder.collect()[0];
        assert_eq!((collected.outside.completed, collected.measured.completed), (1, 2));
    }

    #[test]
    fn an_error_is_counted_by_kind_and_enters_no_histogram() {
        let recorder = recorder((0, u64::MAX));
        let lane = recorder.lane(OperationId(0));
        run(&lane, 0, 0, 10, Outcome::Failed { kind: "timeout" });
        run(&lane, 0, 0, 10, Outcome::Failed { kind: "timeout" });
        let tally = &recorder.collect()[0].measured;
        assert_eq!(tally.errors.get("timeout"), Some(&2));
        assert_eq!((tally.completed, tally.response.len()), (0, 0));
    }

    #[test]
    fn a_value_past_the_range_is_counted_and_never_clamped() {
        let recorder = recorder((0, u64::MAX));
        let lane = recorder.lane(OperationId(0));
        run(&lane, 0, HIGHEST_NS * 4, 1_000, Outcome::Completed { bytes: 0 });
        let tally = &recorder.collect()[0].measured;
        assert_eq!(tally.out_of_range, [1, 0]);
        assert_eq!((tally.response.len(), tally.service.len()), (0, 1));
    }

    #[test]
    fn collecting_takes_everything_once_and_in_flight_follows() {
        let recorder = recorder((0, u64::MAX));
        let lanes = [recorder.lane(OperationId(0)), recorder.lane(OperationId(0))];
        for lane in &lanes {
            run(lane, 0, 0, 1_000, Outcome::Completed { bytes: 1 });
            lane.offer(0);
            lane.offer(0);
            lane.begin();
        }
        let first = &recorder.collect()[0];
        assert_eq!((first.measured.completed, first.in_flight, first.backlog), (2, 2, 2));
        let second = &recorder.collect()[0].measured;
        assert_eq!((second.completed, second.response.max()), (0, 0), "extremes go too");
        let mut now = Vec::new();
        recorder.in_flight(&mut now);
        assert_eq!(now, [2, 0]);
    }

    proptest! {
        #[test]
        fn intervals_merged_equal_one_recording_of_everything(values in prop::collection::vec(1u64..10_000_000_000, 1..200), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4)) {
            let recorder = recorder((0, u64::MAX));
            let lanes = [recorder.lane(OperationId(0)), recorder.lane(OperationId(0))];
            let mut merged = Tally::default();
            let mut whole = empty_histogram();
            let cuts: Vec<usize> = cuts.iter().map(|c| c.index(values.len())).collect();
            for (i, value) in values.iter().enumerate() {
                run(&lanes[i % 2], 0, 0, *value, Outcome::Completed { bytes: 1 });
                whole.record(*value).unwrap();
                if cuts.contains(&i) {
                    merged.merge(&recorder.collect()[0].measured);
                }
            }
            merged.merge(&recorder.collect()[0].measured);
            prop_assert_eq!(&merged.response, &whole);
            prop_assert_eq!(merged.completed, values.len() as u64);
        }
    }
}
