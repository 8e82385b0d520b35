//! One promise against one answer.

use std::collections::BTreeSet;

use odg_profiles::values::yaml::Place;
use odg_profiles::values::{Fact, Lookup, Promise, Rule, ServiceTopic, Topic};
use odg_reports::conformance::{Finding, Level, Relation};
use odg_reports::record::Verdict;

use super::requirement::{self, Requirement};
use super::row::Row;
use super::schedule::longest_gap;

/// What a level says about a promise.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// This, there.
    Stated {
        /// What.
        fact: Fact,
        /// Where.
        place: String,
        /// What a reader must know; may be empty.
        note: String,
    },
    /// Something that it cannot be.
    Wrong {
        /// What is wrong.
        problem: String,
        /// Where.
        place: String,
    },
    /// It is switched off as a whole.
    Off {
        /// By what.
        what: String,
        /// Where.
        place: String,
    },
    /// An operator's object is there that makes it; whether it runs, only the cluster shows.
    Operated {
        /// Where.
        place: String,
    },
    /// Nothing, where it should be said.
    Missing(String),
    /// This level cannot say it, and why.
    Unseen(String),
    /// This level is not asked.
    NotAsked,
}

impl Answer {
    /// Said of an object.
    pub fn stated(fact: Fact, place: &impl ToString) -> Self {
        Self::Stated { fact, place: place.to_string(), note: String::new() }
    }

    /// Answer of values files.
    pub fn declared(lookup: Lookup, layout: &str) -> Self {
        match lookup {
            Lookup::Stated(s) => Self::Stated {
                fact: s.fact,
                place: at(&s.place),
                note: format!("under `{}`", s.key),
            },
            Lookup::Wrong { problem, place, key } => {
                Self::Wrong { problem: format!("`{key}`: {problem}"), place: at(&place) }
            }
            Lookup::Off { place, key } => {
                Self::Off { what: format!("`{key}` switches it off"), place: at(&place) }
            }
            Lookup::Missing { key } => Self::Missing(format!("nothing stands under `{key}`")),
            Lookup::Open { why } => Self::Unseen(why),
            Lookup::NoKey => Self::Unseen(format!("{layout} has no key for it")),
        }
    }
}

fn at(place: &Place) -> String {
    place.to_string()
}

/// A finding that is filled in further by whoever makes it.
pub(super) fn finding(
    requirement: &Requirement,
    subject: impl Into<String>,
    row: Row,
    level: Level,
) -> Finding {
    let asked = match level {
        Level::Declared => requirement.declared,
        Level::Rendered | Level::Observed => requirement.rendered,
    };
    Finding {
        requirement: requirement.id.to_owned(),
        subject: subject.into(),
        row: row.name().to_owned(),
        level,
        verdict: Verdict::Pass,
        required: true,
        relation: Relation::Equal,
        promised: requirement.holds.to_owned(),
        found: String::new(),
        source: requirement.why.to_owned(),
        place: String::new(),
        asked: asked.unwrap_or_default().to_owned(),
        evidence: String::new(),
    }
}

/// Judges an answer; nothing where the level is not asked.
pub(super) fn judge(promise: &Promise, answer: Answer, level: Level) -> Option<Finding> {
    let (requirement, row) = (requirement::of(&promise.topic), Row::of(&promise.topic));
    let mut made = finding(requirement, requirement::subject(&promise.topic), row, level);
    made.required = promise.required;
    made.promised = promised(promise);
    made.source = format!("{}: {}", promise.source.origin, promise.source.source);
    let absent = promise.fact == Fact::Flag(false);
    match answer {
        Answer::NotAsked => return None,
        Answer::Stated { fact, place, note } => {
            made.relation = relation(promise.rule, &promise.fact, &fact);
            made.verdict =
                if keeps(promise.rule, made.relation) { Verdict::Pass } else { Verdict::Fail };
            made.found = shown(&promise.topic, &fact);
            made.place = place;
            made.evidence = note;
        }
        Answer::Wrong { problem, place } => {
            made.verdict = Verdict::Fail;
            made.relation = Relation::Contradictory;
            made.found = problem;
            made.place = place;
        }
        Answer::Off { what, place } => {
            made.verdict = Verdict::Fail;
            made.relation = Relation::Missing;
            made.found = what;
            made.place = place;
        }
        Answer::Operated { place } if absent => {
            made.verdict = Verdict::Fail;
            made.relation = Relation::More;
            made.found = "present, by an operator's object".to_owned();
            made.place = place;
        }
        Answer::Operated { place } => {
            made.relation = Relation::Missing;
            made.verdict = Verdict::NotVerified;
            made.evidence = format!("an operator may make it of {place}; observe the cluster");
        }
        // Values that are silent leave it to the chart; manifests without it show that it is absent.
        Answer::Missing(looked) if absent && level == Level::Declared => {
            made.verdict = Verdict::NotVerified;
            made.relation = Relation::Missing;
            made.evidence = format!("{looked}, so that the chart decides");
        }
        Answer::Missing(looked) if absent => {
            made.found = shown(&promise.topic, &promise.fact);
            made.evidence = looked;
        }
        Answer::Missing(looked) => {
            made.relation = Relation::Missing;
            // What is optional, or a recommendation, is not missed.
            let missed = promise.rule != Rule::Either && !matches!(promise.topic, Topic::Tuning(_));
            made.verdict = if missed { Verdict::Fail } else { Verdict::NotVerified };
            made.found = "nothing".to_owned();
            made.evidence = looked;
        }
        Answer::Unseen(why) => {
            made.relation = Relation::Missing;
            made.verdict = Verdict::NotVerified;
            made.evidence = why;
        }
    }
    Some(made)
}

fn promised(promise: &Promise) -> String {
    let fact = &promise.fact;
    match promise.rule {
        Rule::AtLeast => format!("{fact} or more"),
        Rule::AtMost => format!("{fact} or less"),
        Rule::AsMany => match fact {
            Fact::Names(names) => format!("{} ({fact})", names.len()),
            _ => fact.to_string(),
        },
        Rule::AsOften => format!("{fact}, or more often"),
        Rule::Either => "optional".to_owned(),
        Rule::Same | Rule::Covers => shown(&promise.topic, fact),
    }
}

/// What is there is present, and not `yes`.
fn shown(topic: &Topic, fact: &Fact) -> String {
    let thing = matches!(
        topic,
        Topic::Component(_) | Topic::Service(_, ServiceTopic::Presence) | Topic::Stack(_)
    );
    match fact {
        Fact::Flag(true) if thing => "present".to_owned(),
        Fact::Flag(false) if thing => "absent".to_owned(),
        other => other.to_string(),
    }
}

const fn keeps(rule: Rule, relation: Relation) -> bool {
    matches!(relation, Relation::Equal)
        || (matches!(relation, Relation::More) && !matches!(rule, Rule::Same))
        || matches!(rule, Rule::Either)
}

/// How what was found stands to what is promised. `More` is always the reader's gain: a lower target of autoscaling
/// keeps more in reserve.
pub(super) fn relation(rule: Rule, promised: &Fact, found: &Fact) -> Relation {
    let by = |order: std::cmp::Ordering| match order {
        std::cmp::Ordering::Equal => Relation::Equal,
        std::cmp::Ordering::Greater => Relation::More,
        std::cmp::Ordering::Less => Relation::Less,
    };
    match (promised, found) {
        (p, f) if p == f => Relation::Equal,
        (Fact::Amount(p, _), Fact::Amount(f, _)) => match rule {
            Rule::AtMost => by(p.cmp(f)),
            _ => by(f.cmp(p)),
        },
        (Fact::Nanos(p), Fact::Nanos(f)) => by(p.cmp(f)),
        (Fact::Flag(p), Fact::Flag(f)) => by(f.cmp(p)),
        (Fact::Names(p), Fact::Names(f)) if rule == Rule::AsMany => {
            // A zone that is named twice is one zone.
            let distinct = |names: &[String]| names.iter().collect::<BTreeSet<_>>().len();
            by(distinct(f).cmp(&distinct(p)))
        }
        (Fact::Names(p), Fact::Names(f)) => match p.iter().all(|name| f.contains(name)) {
            true if f.len() > p.len() => Relation::More,
            true => Relation::Equal,
            false => Relation::Less,
        },
        (Fact::Text(p), Fact::Text(f)) if rule == Rule::AsOften => {
            match (longest_gap(p), longest_gap(f)) {
                (Some(p), Some(f)) => by(p.cmp(&f)),
                _ => Relation::Contradictory,
            }
        }
        _ => Relation::Contradictory,
    }
}
