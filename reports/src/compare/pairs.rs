//! Runs of two sides that were made in pairs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Sample;
use crate::record::{PairSide, Turn};

/// How the runs of two sides were paired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pairs {
    /// Pairs that are compared.
    pub count: usize,
    /// Those in which the base ran first.
    pub base_first: usize,
    /// Runs whose partner is missing; they are left out.
    pub alone: Vec<String>,
}

/// The runs of both sides in the order of their pairs.
pub(super) struct Paired<'a> {
    pub(super) base: Vec<&'a Sample>,
    pub(super) candidate: Vec<&'a Sample>,
    pub(super) told: Pairs,
}

/// The pairs, where all runs of both sides say that they were made in turn in one group, and at least two pairs are
/// whole; else the sides are compared as independent ones.
pub(super) fn pair<'a>(base: &[&'a Sample], candidate: &[&'a Sample]) -> Option<Paired<'a>> {
    let (side, group, first) = turns(base)?;
    let (other, other_group, second) = turns(candidate)?;
    if side != other.other() || group != other_group {
        return None;
    }
    let mut paired = Paired {
        base: Vec::new(),
        candidate: Vec::new(),
        told: Pairs { count: 0, base_first: 0, alone: Vec::new() },
    };
    for (index, (a, turn)) in &first {
        match second.get(index) {
            Some((b, later)) if a.record.config.seed == b.record.config.seed => {
                paired.base.push(*a);
                paired.candidate.push(*b);
                paired.told.base_first += usize::from(turn.order < later.order);
            }
            _ => paired.told.alone.push(a.record.run_id.clone()),
        }
    }
    let matched = |sample: &Sample| paired.candidate.iter().any(|one| std::ptr::eq(*one, sample));
    let alone = second.values().filter(|(b, _)| !matched(b)).map(|(b, _)| b.record.run_id.clone());
    paired.told.alone.extend(alone.collect::<Vec<_>>());
    paired.told.count = paired.base.len();
    (paired.told.count >= 2).then_some(paired)
}

/// The runs of one side by the number of their pair, with the side and the group that all of them name.
type Turns<'a> = (PairSide, &'a str, BTreeMap<u32, (&'a Sample, Turn)>);

fn turns<'a>(samples: &[&'a Sample]) -> Option<Turns<'a>> {
    let mut all: Option<Turns<'a>> = None;
    for sample in samples {
        let repeat = sample.record.repeat.as_ref()?;
        let turn = repeat.turn?;
        let (side, group, pairs) =
            all.get_or_insert_with(|| (turn.side, repeat.group.as_str(), BTreeMap::new()));
        let fits = *side == turn.side && *group == repeat.group;
        if !fits || pairs.insert(repeat.index, (*sample, turn)).is_some() {
            return None;
        }
    }
    all
}
