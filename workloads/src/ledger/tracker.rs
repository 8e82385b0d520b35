//! Follows the sequence numbers of one key at one hop.

use std::collections::BTreeMap;

/// What one arrival meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The next one, or one past a gap.
    InOrder,
    /// A late one that fills a gap.
    Reordered,
    /// One that was here before.
    Duplicate,
}

/// The set of sequence numbers that reached a hop, kept as what is *missing* below the highest one, so
/// that memory grows with the number of gaps and not with the number of events.
#[derive(Debug, Clone, Default)]
pub struct SequenceTracker {
    /// One past the highest sequence seen.
    next: u64,
    /// Missing ranges below `next`: start → end (exclusive). Disjoint, never adjacent to each other.
    gaps: BTreeMap<u64, u64>,
}

impl SequenceTracker {
    /// Takes note of an arrival.
    pub fn observe(&mut self, sequence: u64) -> Seen {
        if sequence >= self.next {
            if sequence > self.next {
                self.gaps.insert(self.next, sequence);
            }
            self.next = sequence.saturating_add(1);
            return Seen::InOrder;
        }
        let Some((&start, &end)) = self.gaps.range(..=sequence).next_back() else {
            return Seen::Duplicate;
        };
        if sequence >= end {
            return Seen::Duplicate;
        }
        self.gaps.remove(&start);
        if start < sequence {
            self.gaps.insert(start, sequence);
        }
        if sequence + 1 < end {
            self.gaps.insert(sequence + 1, end);
        }
        Seen::Reordered
    }

    /// One past the highest sequence number seen.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Distinct sequence numbers seen at or above `limit`.
    pub fn distinct_from(&self, limit: u64) -> u64 {
        let missing = self.gaps.iter().map(|(start, end)| end.saturating_sub(*start.max(&limit)));
        self.next.saturating_sub(limit) - missing.sum::<u64>()
    }

    /// Distinct sequence numbers seen.
    pub fn distinct(&self) -> u64 {
        self.next - self.gaps.iter().map(|(start, end)| end - start).sum::<u64>()
    }

    /// Missing ranges below `limit`, in order: the gaps, and the tail that never came.
    pub fn missing(&self, limit: u64) -> Vec<(u64, u64)> {
        let mut ranges: Vec<(u64, u64)> = self
            .gaps
            .iter()
            .filter(|(start, _)| **start < limit)
            .map(|(start, end)| (*start, (*end).min(limit)))
            .collect();
        if self.next < limit {
            ranges.push((self.next, limit));
        }
        ranges
    }

    /// How many of the numbers below `limit` that reached `before` did not reach this hop.
    pub fn lost_since(&self, before: &Self, limit: u64) -> u64 {
        let mine = self.missing(limit);
        let never_there = before.missing(limit);
        let both: u64 = overlap(&mine, &never_there);
        mine.iter().map(|(start, end)| end - start).sum::<u64>() - both
    }
}

/// Total overlap of two ordered lists of disjoint ranges.
fn overlap(a: &[(u64, u64)], b: &[(u64, u64)]) -> u64 {
    let (mut i, mut j, mut total) = (0, 0, 0);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        total += x.1.min(y.1).saturating_sub(x.0.max(y.0));
        if x.1 <= y.1 {
            i += 1;
        } else {
            j += 1;
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn order_gap_fill_and_repeat_are_told_apart() {
        let mut tracker = SequenceTracker::default();
        assert_eq!(tracker.observe(0), Seen::InOrder);
        assert_eq!(tracker.observe(3), Seen::InOrder);
        assert_eq!(tracker.missing(6), vec![(1, 3), (4, 6)]);
        assert_eq!(tracker.observe(2), Seen::Reordered);
        assert_eq!(tracker.observe(2), Seen::Duplicate);
        assert_eq!(tracker.observe(0), Seen::Duplicate);
        assert_eq!(tracker.missing(4), vec![(1, 2)]);
        assert_eq!(tracker.distinct(), 3);
    }

    proptest! {
        #[test]
        fn the_tracker_agrees_with_a_plain_set(sequences in prop::collection::vec(0u64..60, 0..120)) {
            let mut tracker = SequenceTracker::default();
            let mut set = HashSet::new();
            for s in &sequences {
                let highest = set.iter().max().copied();
                let expected = if set.contains(s) { Seen::Duplicate }
                    else if highest.is_some_and(|h| *s < h) { Seen::Reordered }
                    else { Seen::InOrder };
                set.insert(*s);
                prop_assert_eq!(tracker.observe(*s), expected);
            }
            prop_assert_eq!(tracker.distinct(), set.len() as u64);
            for limit in [0, 20, 59, 60, 90] {
                let above = set.iter().filter(|s| **s >= limit).count() as u64;
                prop_assert_eq!(tracker.distinct_from(limit), above);
            }
            let missing: Vec<u64> = tracker.missing(70).into_iter().flat_map(|(a, b)| a..b).collect();
            let expected: Vec<u64> = (0..70).filter(|s| !set.contains(s)).collect();
            prop_assert_eq!(missing, expected);
        }

        #[test]
        fn loss_between_hops_is_the_difference_of_the_sets(before in prop::collection::hash_set(0u64..80, 0..80), after in prop::collection::hash_set(0u64..80, 0..80)) {
            let track = |set: &HashSet<u64>| {
                let mut t = SequenceTracker::default();
                for s in set { t.observe(*s); }
                t
            };
            prop_assert_eq!(track(&after).lost_since(&track(&before), 80), before.difference(&after).count() as u64);
        }
    }
}
