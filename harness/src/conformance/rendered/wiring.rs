//! Whether the parts of a deployment find each other.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use odg_reports::conformance::{Finding, Relation};
use odg_reports::record::Verdict;

use super::LEVEL;
use super::identity::Identity;
use crate::conformance::compare::finding;
use crate::conformance::manifest::{
    Custom, Inventory, Seen, Selector, ServiceObject, Workload, WorkloadKind,
};
use crate::conformance::requirement::{self, Requirement};
use crate::conformance::row::Row;

pub(super) fn judge(inventory: &Inventory, identity: &Identity<'_>, found: &mut Vec<Finding>) {
    let mut pods = Pods::of(inventory);
    let mut sound = Tally::default();
    for workload in inventory.workloads.iter().filter(|w| w.kind != WorkloadKind::Pod) {
        if workload.selector != Selector::default()
            && workload.selector.matches(&workload.pod_labels)
        {
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
        match backends(service, &mut pods) {
            None => sound.services += 1,
            Some(problem) => {
                let mut made = broken(&requirement::BACKENDS, &service.seen, problem, true);
                // An operator makes pods that no manifest shows.
                if made.found == NO_POD && operated(service, inventory, identity) {
                    made.verdict = Verdict::NotVerified;
                    made.evidence =
                        "an operator's object may make the pods (see files.custom)".to_owned();
                }
                found.push(made);
            }
        }
    }
    let budgets = inventory.budgets.iter().map(|b| (&b.seen, &b.selector));
    let policies = inventory.policies.iter().map(|p| (&p.seen, &p.selector));
    for (seen, selector) in budgets.chain(policies) {
        if pods.any(&seen.namespace, selector) {
            sound.idle += 1;
        } else {
            found.push(broken(&requirement::IDLE, seen, NO_POD.to_owned(), false));
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

/// What is said of a selector that leads nowhere.
const NO_POD: &str = "its selector matches no pod";

/// Whether an operator may own the pods that a Service means: one of its objects bears the Service's name or a value
/// of its selector, or is of the component that the Service is named after.
fn operated(service: &ServiceObject, inventory: &Inventory, identity: &Identity<'_>) -> bool {
    let here = |seen: &Seen| {
        [&seen.namespace, &service.seen.namespace].iter().any(|n| n.is_empty())
            || seen.namespace == service.seen.namespace
    };
    let owns = |c: &Custom| {
        here(&c.seen)
            && (c.seen.name == service.seen.name
                || service.selector.values().any(|value| *value == c.seen.name))
    };
    inventory.custom.iter().any(owns)
        || identity.operates(&service.seen.name)
        || service.selector.values().any(|value| identity.operates(value))
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

/// Pods by namespace and label, so that thousands of selectors are not put to thousands of pods each.
struct Pods<'a> {
    by_label: HashMap<(&'a str, &'a str, &'a str), Vec<&'a Workload>>,
    by_namespace: HashMap<&'a str, Vec<&'a Workload>>,
    /// Port names behind selectors that were asked already; none where no pod is.
    ports: HashMap<(&'a str, &'a BTreeMap<String, String>), Option<Rc<HashSet<&'a str>>>>,
    /// Selectors of budgets and policies that were asked already.
    asked: HashMap<(&'a str, &'a Selector), bool>,
}

impl<'a> Pods<'a> {
    fn of(inventory: &'a Inventory) -> Self {
        let mut pods = Self {
            by_label: HashMap::new(),
            by_namespace: HashMap::new(),
            ports: HashMap::new(),
            asked: HashMap::new(),
        };
        // What has no replicas has no pods.
        for workload in inventory.workloads.iter().filter(|w| w.count() > 0) {
            let namespace = workload.seen.namespace.as_str();
            pods.by_namespace.entry(namespace).or_default().push(workload);
            for (key, value) in &workload.pod_labels {
                pods.by_label.entry((namespace, key, value)).or_default().push(workload);
            }
        }
        pods
    }

    /// Pods with all these labels; all of the namespace, where there are none.
    fn with<'b>(
        &'b self,
        namespace: &'b str,
        labels: &'b BTreeMap<String, String>,
    ) -> impl Iterator<Item = &'a Workload> + 'b {
        // The rarest label leaves least to look at.
        let rarest = labels
            .iter()
            .map(|(key, value)| self.by_label.get(&(namespace, key.as_str(), value.as_str())))
            .min_by_key(|found| found.map_or(0, Vec::len));
        let candidates = match rarest {
            Some(found) => found,
            None => self.by_namespace.get(namespace),
        };
        candidates.into_iter().flatten().copied().filter(move |w: &&'a Workload| {
            labels.iter().all(|(key, value)| w.pod_labels.get(key) == Some(value))
        })
    }

    /// Whether a selector means any pod.
    fn any(&mut self, namespace: &'a str, selector: &'a Selector) -> bool {
        if let Some(known) = self.asked.get(&(namespace, selector)) {
            return *known;
        }
        let found = self.with(namespace, &selector.labels).any(|w| selector.matches(&w.pod_labels));
        self.asked.insert((namespace, selector), found);
        found
    }

    /// Names of the ports of the pods with these labels; none where there is no such pod.
    fn ports(
        &mut self,
        namespace: &'a str,
        labels: &'a BTreeMap<String, String>,
    ) -> Option<Rc<HashSet<&'a str>>> {
        if let Some(known) = self.ports.get(&(namespace, labels)) {
            return known.clone();
        }
        let mut behind = self.with(namespace, labels).peekable();
        let found = behind.peek().is_some().then(|| {
            let containers = behind.flat_map(|w| &w.containers);
            Rc::new(containers.flat_map(|c| &c.ports).map(String::as_str).collect())
        });
        self.ports.insert((namespace, labels), found.clone());
        found
    }
}

/// What keeps a Service from answering.
fn backends<'a>(service: &'a ServiceObject, pods: &mut Pods<'a>) -> Option<String> {
    let Some(ports) = pods.ports(&service.seen.namespace, &service.selector) else {
        return Some(NO_POD.to_owned());
    };
    let lost = service.port_names.iter().find(|port| !ports.contains(port.as_str()))?;
    Some(format!("no container behind it has a port named {lost}"))
}
