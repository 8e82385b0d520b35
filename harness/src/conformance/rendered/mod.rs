//! The level *rendered*: what manifests have.

mod answers;
mod identity;
mod security;
mod services;
mod wiring;

use odg_profiles::values::{
    Amounts, BackupTopic, DEFAULT_CONNECTIONS, Declared, Demand, Fact, Lookup, POOL_OVERFLOW,
    POOL_SIZE, PoolUse, Promise, Quantity, ServiceTopic, Silent, Topic, Values, in_configuration,
};
use odg_profiles::{Component, Presence, Profile};
use odg_reports::conformance::{Finding, Level, Relation};
use odg_reports::record::Verdict;

use super::compare::{Answer, finding, judge};
use super::declared::POOLED;
use super::manifest::{ApiState, Inventory, VolumeClaim, Workload};
use super::requirement;
use super::row::Row;
use super::totals;
use identity::Identity;

const LEVEL: Level = Level::Rendered;

/// Judges manifests; `values` are those that they were made of, where they are known.
pub(super) fn judge_all(
    profile: &Profile,
    promises: &[Promise],
    inventory: &Inventory,
    values: Option<&Values>,
) -> Vec<Finding> {
    let identity = Identity::of(inventory);
    let asked = answers::Asked { inventory, identity: &identity };
    let mut found: Vec<Finding> = Vec::new();
    for promise in promises {
        found.extend(match &promise.topic {
            Topic::Backup(about @ (BackupTopic::Schedule | BackupTopic::Retention)) => {
                let answers = asked.backups(*about).into_iter();
                agreed(answers.filter_map(|a| judge(promise, a, LEVEL)).collect())
            }
            topic => judge(promise, asked.answer(topic), LEVEL),
        });
    }
    if let Some(values) = values {
        carried(profile, promises, values, &asked, &mut found);
    }
    let mut demands: Vec<Demand> = inventory.workloads.iter().map(demand).collect();
    demands.extend(inventory.claims.iter().map(volume));
    found.extend(totals::totals(profile, &demands, LEVEL));
    for service in POOLED {
        if let Some(workload) = identity.named(service).first() {
            let used = pool(service, workload, inventory, &identity);
            found.push(totals::connections(&used, workload.seen.to_string(), LEVEL));
        }
    }
    services::judge(profile, inventory, &identity, &mut found);
    security::judge(profile, inventory, &identity, values, &mut found);
    wiring::judge(inventory, &identity, &mut found);
    apis(inventory, &mut found);
    types(inventory, &mut found);
    found
}

/// One finding of those about each candidate: which of them the promise means is not known, so that they must agree.
fn agreed(candidates: Vec<Finding>) -> Option<Finding> {
    let first = candidates.first()?;
    if candidates.iter().all(|f| f.verdict == first.verdict) {
        return candidates.into_iter().next();
    }
    let mut made = first.clone();
    made.verdict = Verdict::NotVerified;
    made.relation = Relation::Contradictory;
    let each = |f: &Finding| {
        let found = if f.found.is_empty() { "not stated" } else { &f.found };
        format!("{found} by {}", f.place)
    };
    made.found = candidates.iter().map(each).collect::<Vec<_>>().join(", ");
    made.evidence = "which of these backups the promise means is not known".to_owned();
    made.place.clear();
    Some(made)
}

/// Services and stores that the profile promises, with their workloads.
fn promised<'a>(
    profile: &'a Profile,
    identity: &Identity<'a>,
) -> Vec<(&'a str, Vec<&'a Workload>)> {
    let services = profile
        .services
        .iter()
        .filter(|(_, s)| s.presence == Presence::Present)
        .map(|(name, _)| (name.as_str(), identity.named(name)));
    let stores = profile
        .storage
        .claims
        .keys()
        .filter(|c| profile.presence(**c) == Presence::Present)
        .map(|c| (c.name(), identity.component(*c)));
    services.chain(stores).collect()
}

/// What was declared against what was rendered. What a promise is about is asked anyway; of the services, everything.
fn carried(
    profile: &Profile,
    promises: &[Promise],
    values: &Values,
    asked: &answers::Asked<'_>,
    found: &mut Vec<Finding>,
) {
    use ServiceTopic as S;
    let declared = values.declared();
    let mut topics: Vec<Topic> = promises.iter().map(|p| p.topic.clone()).collect();
    let all = [
        S::Presence,
        S::Replicas,
        S::LimitCpu,
        S::LimitMemory,
        S::LimitGpu,
        S::RequestCpu,
        S::RequestMemory,
        S::ScaleMin,
        S::ScaleMax,
        S::ScaleCpu,
        S::ScaleMemory,
    ];
    for name in profile.services.keys() {
        topics.extend(all.map(|about| Topic::Service(name.clone(), about)));
    }
    topics.sort();
    topics.dedup();
    for topic in topics {
        let said = Answer::declared(declared.lookup(&topic), declared.layout.label());
        let Answer::Stated { fact: want, place: from, .. } = said else { continue };
        let (got, place, relation) = match asked.answer(&topic) {
            Answer::Stated { fact, place, .. } if fact == want => (fact, place, Relation::Equal),
            Answer::Stated { fact, place, .. } => (fact, place, Relation::Contradictory),
            Answer::Missing(looked) => {
                // That a thing which is switched off has no settings is as declared.
                if want == Fact::Flag(false) || off(&topic, &declared) {
                    continue;
                }
                let mut made = carried_finding(&topic, &want, &from);
                made.verdict = Verdict::Fail;
                made.relation = Relation::Missing;
                made.found = "nothing".to_owned();
                made.evidence = format!("{looked}; declared at {from}");
                found.push(made);
                continue;
            }
            Answer::Wrong { .. }
            | Answer::Off { .. }
            | Answer::Operated { .. }
            | Answer::Unseen(_)
            | Answer::NotAsked => continue,
        };
        let mut made = carried_finding(&topic, &want, &from);
        made.relation = relation;
        if relation != Relation::Equal {
            made.verdict = Verdict::Fail;
            made.evidence = format!("declared at {from}");
        }
        made.found = got.to_string();
        made.place = place;
        found.push(made);
    }
}

fn off(topic: &Topic, declared: &Declared<'_>) -> bool {
    let Topic::Service(name, _) = topic else { return false };
    let there = declared.lookup(&Topic::Service(name.clone(), ServiceTopic::Presence));
    matches!(
        there,
        Lookup::Stated(s) if s.fact == Fact::Flag(false)
    )
}

fn carried_finding(topic: &Topic, want: &Fact, from: &str) -> Finding {
    let mut made =
        finding(&requirement::CARRIED, requirement::subject(topic), Row::of(topic), LEVEL);
    let id = requirement::of(topic).id;
    if made.subject.is_empty() || !id.starts_with("component") {
        made.subject = format!("{} ({id})", made.subject).trim().to_owned();
    }
    made.promised = format!("{want}, as declared");
    made.source = from.to_owned();
    made
}

/// What a workload takes of the machine.
fn demand(workload: &Workload) -> Demand {
    let add = |a: Option<Quantity>, b: Option<Quantity>| match (a, b) {
        (Some(a), Some(b)) => Some(a.plus(b)),
        (a, b) => a.or(b),
    };
    let sum = |of: fn(&super::manifest::Container) -> Amounts| {
        workload.containers.iter().map(of).fold(Amounts::default(), |sum, a| Amounts {
            cpu: add(sum.cpu, a.cpu),
            memory: add(sum.memory, a.memory),
            gpu: add(sum.gpu, a.gpu),
        })
    };
    let own = || workload.claims.iter().filter(|c| !c.shared);
    let every = |of: fn(&super::manifest::Container) -> Option<Quantity>| {
        workload.containers.iter().all(|c| of(c).is_some())
    };
    Demand {
        what: workload.seen.name.clone(),
        place: workload.seen.place.clone(),
        replicas: workload.count(),
        most: workload.most.max(workload.count()),
        requests: sum(|c| c.requests),
        limits: sum(|c| c.limits),
        volume: own().filter_map(|c| c.size).fold(Quantity::ZERO, Quantity::plus),
        silent_requests: Silent {
            cpu: !every(|c| c.requests.cpu),
            memory: !every(|c| c.requests.memory),
        },
        silent_limits: Silent {
            cpu: !every(|c| c.limits.cpu),
            memory: !every(|c| c.limits.memory),
        },
        silent_volume: !workload.lost_claims.is_empty() || own().any(|c| c.size.is_none()),
    }
}

/// A claim that stands by itself: it is one volume, however many pods name it.
fn volume(claim: &VolumeClaim) -> Demand {
    Demand {
        what: claim.seen.name.clone(),
        place: claim.seen.place.clone(),
        replicas: 1,
        most: 1,
        requests: Amounts::default(),
        limits: Amounts::default(),
        volume: claim.size.unwrap_or_default(),
        silent_requests: Silent::default(),
        silent_limits: Silent::default(),
        silent_volume: claim.size.is_none(),
    }
}

fn pool(
    service: &str,
    workload: &Workload,
    inventory: &Inventory,
    identity: &Identity<'_>,
) -> PoolUse {
    let setting = |name: &str| {
        let main = workload.main()?;
        main.env.get(name)?.trim().parse::<u64>().ok()
    };
    let databases = identity.component(Component::Postgresql);
    let arguments = databases.iter().find_map(|w| {
        let limit = w.containers.iter().find_map(|c| {
            let env = ["POSTGRESQL_MAX_CONNECTIONS", "POSTGRES_MAX_CONNECTIONS"];
            env.iter()
                .find_map(|name| c.env.get(*name)?.parse().ok())
                .or_else(|| in_configuration(&c.arguments))
        });
        Some((limit?, w.seen.place.clone()))
    });
    let mapped = inventory.max_connections.as_ref();
    let limit = arguments.or_else(|| mapped.map(|(limit, seen)| (*limit, seen.place.clone())));
    PoolUse {
        service: service.to_owned(),
        processes: workload.most.max(workload.count()),
        each: setting("DATABASE_POOL_SIZE")
            .unwrap_or(POOL_SIZE)
            .saturating_add(setting("DATABASE_MAX_OVERFLOW").unwrap_or(POOL_OVERFLOW)),
        limit: limit.as_ref().map_or(DEFAULT_CONNECTIONS, |(l, _)| *l),
        limit_place: limit.map(|(_, place)| place),
    }
}

fn apis(inventory: &Inventory, found: &mut Vec<Finding>) {
    for note in &inventory.apis {
        let mut made = finding(&requirement::API, note.seen.name.as_str(), Row::Files, LEVEL);
        made.promised = "a version that is served".to_owned();
        made.found = format!("{} {}", note.seen.kind, note.version);
        made.place = note.seen.to_string();
        match note.state {
            ApiState::Removed => {
                made.verdict = Verdict::Fail;
                made.relation = Relation::Contradictory;
                made.evidence =
                    "Kubernetes has it no more; an API server refuses the object".to_owned();
            }
            ApiState::Unknown | ApiState::Known => {
                made.verdict = Verdict::NotVerified;
                made.relation = Relation::Unread;
                made.evidence = "this program does not know the version".to_owned();
            }
        }
        found.push(made);
    }
    if inventory.apis.is_empty() {
        let mut made = finding(&requirement::API, "", Row::Files, LEVEL);
        made.found = format!("all of {} objects", inventory.objects);
        found.push(made);
    }
    let mut groups: Vec<&str> = inventory.custom.iter().map(|c| c.group.as_str()).collect();
    groups.sort_unstable();
    groups.dedup();
    for group in groups {
        let these: Vec<_> = inventory.custom.iter().filter(|c| c.group == group).collect();
        let mut made = finding(&requirement::CUSTOM, group, Row::Files, LEVEL);
        made.required = false;
        made.verdict = Verdict::NotVerified;
        made.relation = Relation::Unread;
        made.found = format!("{} objects that were not looked into", these.len());
        made.place = these.first().map(|c| c.seen.to_string()).unwrap_or_default();
        found.push(made);
    }
}

fn types(inventory: &Inventory, found: &mut Vec<Finding>) {
    for wrong in &inventory.wrong {
        let mut made = finding(&requirement::TYPES, wrong.seen.name.as_str(), Row::Files, LEVEL);
        made.verdict = Verdict::Fail;
        made.relation = Relation::Contradictory;
        made.found.clone_from(&wrong.what);
        made.place = wrong.seen.to_string();
        found.push(made);
    }
    if inventory.wrong.is_empty() {
        let mut made = finding(&requirement::TYPES, "", Row::Files, LEVEL);
        made.found = "all could be read".to_owned();
        found.push(made);
    }
}
