//! Whether the parts of a deployment find each other.

use std::collections::BTreeMap;

use odg_reports::conformance::{Finding, Relation};
use odg_reports::record::Verdict;

use super::LEVEL;
use crate::conformance::compare::finding;
use crate::conformance::manifest::{Inventory, Seen, Selector, ServiceObject, Workload, WorkloadKind};
use crate::conformance::requirement::{self, Requirement};
use crate::conformance::row::Row;

pub(super) fn judge(inventory: &Inventory, found: &mut Vec<Finding>) {
    let mut sound = Tally::default();
    for workload in inventory.workloads.iter().filter(|w| w.kind != WorkloadKind::Pod) {
        if workload.selector != Selector::default() && workload.selector.matches(&workload.pod_labels) {
            sound.selectors += 1;
        } else {
            let text = "its selector does not match the labels of its own pods";
            found.push(broken(&requirement::SELECTS, &workload.seen, text.to_owned(), true));
        }
        sound.claims += workload.claims.iter().filter(|c| c.shared).count();
        for claim in &workload.lost_claims {
            let text = format!("it names the volume claim {claim}, which is not there");
            found.push(broken(&requirement::CLAIMS, &workload.seen, text, true));
        }
    }
    for service in inventory.services.iter().filter(|s| !s.external && !s.selector.is_empty()) {
        match backends(service, inventory) {
            None => sound.services += 1,
            Some(problem) => {
                found.push(broken(&requirement::BACKENDS, &service.seen, problem, true));
            }
        }
    }
    let budgets = inventory.budgets.iter().map(|b| (&b.seen, &b.selector));
    let policies = inventory.policies.iter().map(|p| (&p.seen, &p.selector));
    for (seen, selector) in budgets.chain(policies) {
        let pods = in_namespace(inventory, &seen.namespace).any(|w| selector.matches(&w.pod_labels));
        if pods {
            sound.idle += 1;
        } else {
            let text = "its selector matches no pod".to_owned();
            found.push(broken(&requirement::IDLE, seen, text, false));
        }
    }
    for (requirement, count, required) in [
        (&requirement::SELECTS, sound.selectors, true),
        (&requirement::BACKENDS, sound.services, true),
        (&requirement::CLAIMS, sound.claims, true),
        (&requirement::IDLE, sound.idle, false),
    ] {
        if count > 0 {
            let mut made = finding(requirement, "", Row::Wiring, LEVEL);
            made.required = required;
            made.found = format!("{count} do");
            found.push(made);
        }
    }
}

#[derive(Default)]
struct Tally {
    selectors: usize,
    services: usize,
    claims: usize,
    idle: usize,
}

fn broken(requirement: &Requirement, seen: &Seen, problem: String, required: bool) -> Finding {
    let mut made = finding(requirement, seen.name.as_str(), Row::Wiring, LEVEL);
    made.required = required;
    made.verdict = Verdict::Fail;
    made.relation = Relation::Contradictory;
    made.found = problem;
    made.place = seen.to_string();
    made
}

fn in_namespace<'a>(inventory: &'a Inventory, namespace: &'a str) -> impl Iterator<Item = &'a Workload> {
    inventory.workloads.iter().filter(move |w| w.seen.namespace == namespace)
}

/// What keeps a Service from answering.
fn backends(service: &ServiceObject, inventory: &Inventory) -> Option<String> {
    let wanted = |pod: &BTreeMap<String, String>| {
        service.selector.iter().all(|(key, value)| pod.get(key) == Some(value))
    };
    let behind: Vec<&Workload> = in_namespace(inventory, &service.seen.namespace)
        .filter(|w| wanted(&w.pod_labels))
        .collect();
    if behind.is_empty() {
        return Some("its selector matches no pod".to_owned());
    }
    let has = |port: &String| {
        behind.iter().any(|w| w.containers.iter().any(|c| c.ports.contains(port)))
    };
    let lost = service.port_names.iter().find(|port| !has(port))?;
    Some(format!("no container behind it has a port named {lost}"))
}
