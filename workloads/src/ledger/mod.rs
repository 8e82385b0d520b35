//! The ledger: the account of every event, from sent to registered.
//!
//! Each hop is written by the thread that sees the event there. Lost, duplicated, reordered and corrupted
//! are counted separately and per hop; at rest, [`Ledger::summary`] compares the hops.

pub mod tracker;

use std::sync::{Mutex, MutexGuard, PoisonError};

use odg_reports::record::{HopSummary, LedgerSummary};

use tracker::{Seen, SequenceTracker};

/// A place that every event passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hop {
    /// Handed to the bus's client.
    Sent = 0,
    /// Acknowledged by the bus.
    Acknowledged = 1,
    /// Read back from the bus, intact.
    Consumed = 2,
    /// Part of an object that the object store acknowledged.
    Stored = 3,
    /// Part of a committed registration in PostgreSQL.
    Registered = 4,
}

impl Hop {
    const ALL: [Self; 5] =
        [Self::Sent, Self::Acknowledged, Self::Consumed, Self::Stored, Self::Registered];

    /// The name in the record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Acknowledged => "acknowledged",
            Self::Consumed => "consumed",
            Self::Stored => "stored",
            Self::Registered => "registered",
        }
    }
}

#[derive(Debug, Default)]
struct HopState {
    keys: Vec<SequenceTracker>,
    arrivals: u64,
    duplicated: u64,
    reordered: u64,
    corrupted: u64,
}

/// The account of a run's events. Shared by every thread that moves them.
#[derive(Debug)]
pub struct Ledger {
    hops: [Mutex<HopState>; 5],
    rejected: Mutex<HopState>,
}

fn lock(hop: &Mutex<HopState>) -> MutexGuard<'_, HopState> {
    // Counters stay meaningful whatever another thread did.
    hop.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HopState {
    fn with_keys(keys: u32) -> Self {
        Self { keys: vec![SequenceTracker::default(); keys as usize], ..Self::default() }
    }

    fn observe(&mut self, key: u32, sequence: u64) -> Option<Seen> {
        let Some(tracker) = self.keys.get_mut(key as usize) else {
            // A stamp with a valid checksum and a key that was never sent.
            self.corrupted += 1;
            return None;
        };
        self.arrivals += 1;
        let seen = tracker.observe(sequence);
        match seen {
            Seen::InOrder => {}
            Seen::Reordered => self.reordered += 1,
            Seen::Duplicate => self.duplicated += 1,
        }
        Some(seen)
    }
}

impl Ledger {
    /// An empty ledger for keys `0..keys`.
    pub fn new(keys: u32) -> Self {
        Self {
            hops: std::array::from_fn(|_| Mutex::new(HopState::with_keys(keys))),
            rejected: Mutex::new(HopState::with_keys(keys)),
        }
    }

    /// An event reached a hop. Answers what that meant; `None` for a key that this run never sends.
    pub fn reached(&self, hop: Hop, key: u32, sequence: u64) -> Option<Seen> {
        lock(&self.hops[hop as usize]).observe(key, sequence)
    }

    /// Several events reached a hop together.
    pub fn reached_all(&self, hop: Hop, events: impl IntoIterator<Item = (u32, u64)>) {
        let mut state = lock(&self.hops[hop as usize]);
        for (key, sequence) in events {
            state.observe(key, sequence);
        }
    }

    /// The bus refused an event, so that nothing was promised for it.
    pub fn rejected(&self, key: u32, sequence: u64) {
        lock(&self.rejected).observe(key, sequence);
    }

    /// Bytes that are not an intact event arrived at a hop.
    pub fn corrupted(&self, hop: Hop) {
        lock(&self.hops[hop as usize]).corrupted += 1;
    }

    /// Events that reached a hop, repeats included. Cheap, for progress and for knowing when to stop.
    pub fn arrivals(&self, hop: Hop) -> u64 {
        lock(&self.hops[hop as usize]).arrivals
    }

    /// Events that one hop acknowledged and the next has not seen.
    pub fn outstanding(&self, before: Hop, after: Hop) -> u64 {
        let (before, after) = (lock(&self.hops[before as usize]), lock(&self.hops[after as usize]));
        let pairs = before.keys.iter().zip(&after.keys);
        pairs.map(|(before, after)| after.lost_since(before, before.next())).sum()
    }

    /// Events that the bus refused.
    pub fn rejections(&self) -> u64 {
        lock(&self.rejected).arrivals
    }

    /// The account at rest, without checks of the stores.
    ///
    /// An event counts as lost at a hop where it reached the hop before and not this one. A refused
    /// event that arrived all the same (its acknowledgement was lost) is no loss and no duplicate.
    pub fn summary(&self) -> LedgerSummary {
        self.summary_to(Hop::Registered)
    }

    /// As [`Ledger::summary`], of a workload whose events end at `last`.
    pub fn summary_to(&self, last: Hop) -> LedgerSummary {
        let hops: Vec<MutexGuard<'_, HopState>> = self.hops.iter().map(lock).collect();
        let rejected = lock(&self.rejected);
        let limits: Vec<u64> = hops[0].keys.iter().map(SequenceTracker::next).collect();
        let summaries: Vec<HopSummary> = Hop::ALL
            .into_iter()
            .take(last as usize + 1)
            .map(|hop| {
                let state = &hops[hop as usize];
                let lost = |key: usize, tracker: &SequenceTracker| match hop {
                    Hop::Sent => 0,
                    Hop::Acknowledged => {
                        // Neither acknowledged nor refused: the bus's client never said.
                        let unresolved = tracker.lost_since(&hops[0].keys[key], limits[key]);
                        unresolved.saturating_sub(rejected.keys[key].distinct())
                    }
                    _ => tracker.lost_since(&hops[hop as usize - 1].keys[key], limits[key]),
                };
                HopSummary {
                    hop: hop.name().to_owned(),
                    reached: state.keys.iter().map(SequenceTracker::distinct).sum(),
                    lost: state.keys.iter().enumerate().map(|(key, t)| lost(key, t)).sum(),
                    duplicated: state.duplicated,
                    reordered: state.reordered,
                    // What was never sent and carries a valid checksum is no event of this run.
                    corrupted: state.corrupted
                        + state
                            .keys
                            .iter()
                            .zip(&limits)
                            .map(|(t, n)| t.distinct_from(*n))
                            .sum::<u64>(),
                }
            })
            .collect();
        let clean = |s: &HopSummary| s.lost == 0 && s.duplicated == 0 && s.corrupted == 0;
        LedgerSummary {
            balanced: summaries.iter().all(clean) && summaries[0].reached > 0,
            hops: summaries,
            rejected: rejected.arrivals,
            checks: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(ledger: &Ledger, hops: &[Hop], key: u32, sequence: u64) {
        for hop in hops {
            ledger.reached(*hop, key, sequence);
        }
    }

    #[test]
    fn a_ledger_where_everything_arrives_once_in_order_balances() {
        let ledger = Ledger::new(2);
        for sequence in 0..100 {
            pass(&ledger, &Hop::ALL, 0, sequence);
            pass(&ledger, &Hop::ALL, 1, sequence);
        }
        let summary = ledger.summary();
        assert!(summary.balanced);
        assert!(summary.hops.iter().all(|h| h.reached == 200 && h.lost == 0));
    }

    #[test]
    fn events_that_end_before_the_last_hop_are_not_called_lost_there() {
        let ledger = Ledger::new(1);
        for sequence in 0..10 {
            pass(&ledger, &Hop::ALL[..3], 0, sequence);
        }
        let summary = ledger.summary_to(Hop::Consumed);
        assert!(summary.balanced);
        let hops: Vec<&str> = summary.hops.iter().map(|h| h.hop.as_str()).collect();
        assert_eq!(hops, ["sent", "acknowledged", "consumed"]);
        assert!(!ledger.summary().balanced);
    }

    #[test]
    fn an_empty_ledger_never_balances() {
        assert!(!Ledger::new(4).summary().balanced);
    }

    #[test]
    fn loss_is_charged_to_the_hop_where_it_happened() {
        let ledger = Ledger::new(1);
        for sequence in 0..10 {
            pass(&ledger, &Hop::ALL[..2], 0, sequence);
            if sequence != 4 {
                pass(&ledger, &Hop::ALL[2..], 0, sequence);
            }
        }
        // The tail is lost between stored and registered.
        pass(&ledger, &Hop::ALL[..4], 0, 10);
        let summary = ledger.summary();
        let lost: Vec<u64> = summary.hops.iter().map(|h| h.lost).collect();
        assert_eq!(lost, [0, 0, 1, 0, 1]);
        assert!(!summary.balanced);
    }

    #[test]
    fn duplicates_reordering_and_corruption_are_counted_apart() {
        let ledger = Ledger::new(1);
        for sequence in 0..4 {
            pass(&ledger, &Hop::ALL[..2], 0, sequence);
        }
        for sequence in [0, 2, 1, 1, 3] {
            ledger.reached(Hop::Consumed, 0, sequence);
        }
        ledger.corrupted(Hop::Consumed);
        let consumed = &ledger.summary().hops[2];
        assert_eq!((consumed.reached, consumed.lost), (4, 0));
        assert_eq!((consumed.duplicated, consumed.reordered, consumed.corrupted), (1, 1, 1));
        assert!(!ledger.summary().balanced);
    }

    #[test]
    fn a_refused_event_is_no_loss_even_where_it_arrives_after_all() {
        let ledger = Ledger::new(1);
        pass(&ledger, &Hop::ALL, 0, 0);
        pass(&ledger, &Hop::ALL, 0, 1);
        ledger.reached(Hop::Sent, 0, 2);
        ledger.rejected(0, 2);
        assert!(ledger.summary().balanced);
        pass(&ledger, &Hop::ALL[2..], 0, 2);
        let summary = ledger.summary();
        assert!(summary.balanced, "{summary:?}");
        assert_eq!(summary.rejected, 1);
    }

    #[test]
    fn an_event_that_was_never_sent_is_corruption_wherever_it_turns_up() {
        let ledger = Ledger::new(1);
        pass(&ledger, &Hop::ALL, 0, 0);
        ledger.reached(Hop::Consumed, 0, 7);
        let summary = ledger.summary();
        assert_eq!(summary.hops[2].corrupted, 1);
        assert!(!summary.balanced);
    }

    #[test]
    fn what_is_outstanding_between_two_hops_is_counted_per_event() {
        let ledger = Ledger::new(2);
        pass(&ledger, &[Hop::Sent, Hop::Acknowledged], 0, 0);
        pass(&ledger, &[Hop::Sent, Hop::Acknowledged], 0, 1);
        pass(&ledger, &[Hop::Sent], 1, 0);
        // A refused event that arrived all the same does not stand in for another.
        ledger.reached(Hop::Consumed, 1, 0);
        ledger.reached(Hop::Consumed, 0, 1);
        assert_eq!(ledger.outstanding(Hop::Acknowledged, Hop::Consumed), 1);
        ledger.reached(Hop::Consumed, 0, 0);
        assert_eq!(ledger.outstanding(Hop::Acknowledged, Hop::Consumed), 0);
    }

    #[test]
    fn an_event_that_the_client_never_resolved_is_lost() {
        let ledger = Ledger::new(1);
        pass(&ledger, &Hop::ALL, 0, 0);
        ledger.reached(Hop::Sent, 0, 1);
        let summary = ledger.summary();
        assert_eq!(summary.hops[1].lost, 1);
        assert!(!summary.balanced);
    }
}
