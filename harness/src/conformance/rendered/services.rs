//! What holds for each service and store: autoscalers that work, disruption, spread over zones.

use std::collections::HashMap;

use odg_profiles::{Component, Profile};
use odg_reports::conformance::{Finding, Relation};
use odg_reports::record::Verdict;

use super::identity::Identity;
use super::{LEVEL, promised};
use crate::conformance::compare::finding;
use crate::conformance::manifest::{Budget, Custom, Inventory, Scaler, Workload, WorkloadKind};
use crate::conformance::requirement;
use crate::conformance::row::Row;

pub(super) fn judge(
    profile: &Profile,
    inventory: &Inventory,
    identity: &Identity<'_>,
    found: &mut Vec<Finding>,
) {
    let workloads: HashMap<_, &Workload> = inventory
        .workloads
        .iter()
        .map(|w| ((w.seen.namespace.as_str(), w.seen.kind.as_str(), w.seen.name.as_str()), w))
        .collect();
    for scaler in &inventory.scalers {
        let (kind, name) = &scaler.target;
        let target = workloads.get(&(scaler.seen.namespace.as_str(), kind.as_str(), name.as_str()));
        let custom = |c: &Custom| c.seen.kind == *kind && c.seen.name == *name;
        // What it scales may be an operator's object, which is not looked into.
        if !inventory.custom.iter().any(custom) {
            found.push(scaler_works(scaler, target.copied()));
        }
    }
    for (name, workloads) in promised(profile, identity) {
        for workload in workloads.iter().filter(|w| w.most > 1 && w.kind != WorkloadKind::DaemonSet)
        {
            found.push(budget(name, workload, inventory));
            if profile.ha.enabled {
                found.push(zones(name, workload));
            }
        }
    }
}

fn scaler_works(scaler: &Scaler, target: Option<&Workload>) -> Finding {
    let mut made =
        finding(&requirement::SCALER, scaler.seen.name.as_str(), Row::Autoscaling, LEVEL);
    made.place = scaler.seen.to_string();
    let (kind, name) = &scaler.target;
    let problem = match target {
        None => Some(format!("its target {kind}/{name} is not there")),
        Some(_) if scaler.max < scaler.min.max(1) => {
            Some(format!("its maximum {} is under its minimum {}", scaler.max, scaler.min))
        }
        Some(target) => {
            let lacks =
                |measured: bool,
                 what: &str,
                 has: &dyn Fn(&crate::conformance::manifest::Container) -> bool| {
                    let without = target.containers.iter().find(|c| measured && !has(c));
                    without.map(|c| format!("container {} of {name} requests no {what}", c.name))
                };
            lacks(scaler.cpu.is_some(), "CPU", &|c| c.requests.cpu.is_some()).or_else(|| {
                lacks(scaler.memory.is_some(), "memory", &|c| c.requests.memory.is_some())
            })
        }
    };
    match problem {
        Some(problem) => {
            made.verdict = Verdict::Fail;
            made.relation = Relation::Contradictory;
            made.found = problem;
        }
        None => made.found = format!("{} to {} of {kind}/{name}", scaler.min, scaler.max),
    }
    made
}

fn budget(name: &str, workload: &Workload, inventory: &Inventory) -> Finding {
    let mut made = finding(&requirement::PDB, name, Row::Disruption, LEVEL);
    made.required = false;
    let selects = |b: &&Budget| {
        b.seen.namespace == workload.seen.namespace && b.selector.matches(&workload.pod_labels)
    };
    let Some(budget) = inventory.budgets.iter().find(selects) else {
        made.verdict = Verdict::Fail;
        made.relation = Relation::Missing;
        made.found = "no PodDisruptionBudget selects its pods".to_owned();
        made.place = workload.seen.to_string();
        return made;
    };
    made.place = budget.seen.to_string();
    let replicas = workload.count();
    let (least, most) = (&budget.min_available, &budget.max_unavailable);
    made.found = match (least, most) {
        (Some(least), _) => format!("minAvailable {least} of {replicas}"),
        (None, Some(most)) => format!("maxUnavailable {most} of {replicas}"),
        (None, None) => "neither minAvailable nor maxUnavailable".to_owned(),
    };
    let stuck = match (least, most) {
        (Some(least), _) => share(least, replicas, true).is_some_and(|n| n >= replicas),
        (None, Some(most)) => share(most, replicas, true) == Some(0),
        (None, None) => true,
    };
    if stuck {
        made.verdict = Verdict::Fail;
        made.relation = Relation::Contradictory;
        made.evidence = "no pod may go, so that a node cannot be drained".to_owned();
    }
    made
}

/// `2` or `50%` of the replicas, a share rounded up as Kubernetes does.
fn share(text: &str, replicas: u64, up: bool) -> Option<u64> {
    match text.strip_suffix('%') {
        Some(percent) => {
            let exact = percent.trim().parse::<u64>().ok()?.checked_mul(replicas)?;
            Some(if up { exact.div_ceil(100) } else { exact / 100 })
        }
        None => text.trim().parse().ok(),
    }
}

fn zones(name: &str, workload: &Workload) -> Finding {
    let row = Row::Component(Component::MultiAz);
    let mut made = finding(&requirement::SPREAD, name, row, LEVEL);
    made.place = workload.seen.to_string();
    match workload.zone_spread() {
        Some(true) => made.found = "must be spread over zones".to_owned(),
        Some(false) => {
            made.verdict = Verdict::NotVerified;
            made.relation = Relation::Less;
            made.found = "spread over zones where that is easy".to_owned();
            made.evidence =
                "ScheduleAnyway or a preference: all replicas may still be in one".to_owned();
        }
        None => {
            made.verdict = Verdict::Fail;
            made.relation = Relation::Missing;
            made.found = "nothing spreads its pods over zones".to_owned();
        }
    }
    made
}
