//! Workloads: what runs pods.

use std::collections::BTreeMap;

use odg_profiles::values::yaml::{Node, Value};
use odg_profiles::values::{Amounts, Fact, Kind, Quantity, Unit};

use super::inventory::Seen;

/// Kind of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkloadKind {
    /// A number of equal pods.
    Deployment,
    /// Pods with names and volumes of their own.
    StatefulSet,
    /// A pod on each node: their number is the cluster's.
    DaemonSet,
    /// A single pod.
    Pod,
}

/// Which pods are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Selector {
    /// Labels that must be equal.
    pub labels: BTreeMap<String, String>,
    /// Key, operator and values.
    pub expressions: Vec<(String, String, Vec<String>)>,
}

impl Selector {
    /// Reads a label selector.
    pub fn read(node: Option<&Node>) -> Self {
        let Some(node) = node else { return Self::default() };
        let expressions = node.get("matchExpressions").map(Node::items).unwrap_or_default();
        let expression = |e: &Node| {
            let values = e.get("values").map(Node::items).unwrap_or_default();
            let values = values.iter().filter_map(Node::scalar).collect();
            Some((e.get("key")?.scalar()?, e.get("operator")?.scalar()?, values))
        };
        Self {
            labels: labels(node.get("matchLabels")),
            expressions: expressions.iter().filter_map(expression).collect(),
        }
    }

    /// Whether pods with these labels are meant. An empty selector means all.
    pub fn matches(&self, pod: &BTreeMap<String, String>) -> bool {
        self.labels.iter().all(|(k, v)| pod.get(k) == Some(v))
            && self.expressions.iter().all(|(key, operator, values)| {
                let value = pod.get(key);
                match operator.as_str() {
                    "In" => value.is_some_and(|v| values.contains(v)),
                    "NotIn" => !value.is_some_and(|v| values.contains(v)),
                    "Exists" => value.is_some(),
                    "DoesNotExist" => value.is_none(),
                    _ => false,
                }
            })
    }
}

/// A container.
#[derive(Debug, Clone, Default)]
pub struct Container {
    /// Name.
    pub name: String,
    /// Image.
    pub image: String,
    /// Requests; what is not requested is requested as limited.
    pub requests: Amounts,
    /// Limits.
    pub limits: Amounts,
    /// Environment with literal values.
    pub env: BTreeMap<String, String>,
    /// Names of ports.
    pub ports: Vec<String>,
    /// Command and arguments, as one text.
    pub arguments: String,
}

/// A volume of each replica, or one that is named.
#[derive(Debug, Clone)]
pub struct ClaimTemplate {
    /// Name.
    pub name: String,
    /// Bytes.
    pub size: Option<Quantity>,
    /// Storage class; the cluster's default where none is named.
    pub class: Option<String>,
    /// One volume for all replicas.
    pub shared: bool,
}

/// What runs pods.
#[derive(Debug, Clone)]
pub struct Workload {
    /// Which.
    pub seen: Seen,
    /// Kind.
    pub kind: WorkloadKind,
    /// Replicas that are stated: its own, or the fewest of its autoscaler.
    pub replicas: Option<u64>,
    /// Replicas at the most, with autoscaling.
    pub most: u64,
    /// Its own selector.
    pub selector: Selector,
    /// Labels of the object.
    pub labels: BTreeMap<String, String>,
    /// Labels of its pods.
    pub pod_labels: BTreeMap<String, String>,
    /// Containers, without those that only prepare.
    pub containers: Vec<Container>,
    /// Volumes.
    pub claims: Vec<ClaimTemplate>,
    /// Volume claims that it names and that are not there.
    pub lost_claims: Vec<String>,
    /// Labels of the nodes that it must run on, with the values that are allowed.
    pub node_labels: BTreeMap<String, Vec<String>>,
    /// Topology keys over which its pods are spread, and whether they must be.
    pub spread: Vec<(String, bool)>,
    pub(super) claim_names: Vec<String>,
}

impl Workload {
    /// Replicas; one where nothing is said, as for Kubernetes.
    pub fn count(&self) -> u64 {
        self.replicas.unwrap_or(1)
    }

    /// The container that the workload is about: the one that bears its name, or the first.
    pub fn main(&self) -> Option<&Container> {
        let own = |c: &&Container| {
            self.seen.name == c.name || self.seen.name.ends_with(&format!("-{}", c.name))
        };
        self.containers.iter().find(own).or_else(|| self.containers.first())
    }

    /// Whether its pods are spread over zones, and whether they must be.
    pub fn zone_spread(&self) -> Option<bool> {
        let zone = |key: &str| key.ends_with("/zone");
        self.spread.iter().filter(|(key, _)| zone(key)).map(|(_, hard)| *hard).max()
    }
}

/// A map of labels.
pub(super) fn labels(node: Option<&Node>) -> BTreeMap<String, String> {
    let entries = node.map(Node::entries).unwrap_or_default();
    entries.iter().filter_map(|e| Some((e.key.clone(), e.node.scalar()?))).collect()
}

/// Reads what runs pods. `wrong` is told of fields of the wrong type.
pub(super) fn read(
    node: &Node,
    seen: Seen,
    kind: WorkloadKind,
    wrong: &mut impl FnMut(String),
) -> Workload {
    let empty = Node::empty();
    let spec = node.get("spec").unwrap_or(&empty);
    let bare = kind == WorkloadKind::Pod;
    let template = if bare { node } else { spec.get("template").unwrap_or(&empty) };
    let pod = template.get("spec").unwrap_or(&empty);
    let replicas = spec.get("replicas").filter(|_| !bare).and_then(|n| whole(n, "replicas", wrong));
    let templates = spec.get("volumeClaimTemplates").map(Node::items).unwrap_or_default();
    let volumes = pod.get("volumes").map(Node::items).unwrap_or_default();
    let claim = |v: &Node| v.at(&["persistentVolumeClaim", "claimName"])?.scalar();
    Workload {
        kind,
        replicas,
        most: replicas.unwrap_or(1),
        selector: Selector::read(spec.get("selector")),
        labels: labels(node.at(&["metadata", "labels"])),
        pod_labels: labels(template.at(&["metadata", "labels"])),
        containers: pod
            .get("containers")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .map(|c| container(c, wrong))
            .collect(),
        claims: templates.iter().map(|t| claim_template(t, wrong)).collect(),
        lost_claims: Vec::new(),
        node_labels: node_labels(pod),
        spread: spread(pod, &labels(template.at(&["metadata", "labels"]))),
        claim_names: volumes.iter().filter_map(claim).collect(),
        seen,
    }
}

pub(super) fn whole(node: &Node, field: &str, wrong: &mut impl FnMut(String)) -> Option<u64> {
    let number = node.whole();
    if number.is_none() && !matches!(node.value, Value::Null) {
        let shown = node.scalar().unwrap_or_default();
        wrong(format!(
            "{field} at line {} is {} (`{shown}`), but it must be a whole number",
            node.place.line,
            node.value.noun()
        ));
    }
    number
}

fn amounts(node: Option<&Node>, field: &str, wrong: &mut impl FnMut(String)) -> Amounts {
    let mut one = |name: &str, unit| {
        let value = node?.get(name)?;
        match Kind::Amount(unit).read(value) {
            Ok(Fact::Amount(amount, _)) => Some(amount),
            Ok(_) => None,
            Err(problem) => {
                wrong(format!("{field}.{name} at line {}: {problem}", value.place.line));
                None
            }
        }
    };
    Amounts {
        cpu: one("cpu", Unit::Cores),
        memory: one("memory", Unit::Bytes),
        gpu: one("nvidia.com/gpu", Unit::Count),
    }
}

fn container(node: &Node, wrong: &mut impl FnMut(String)) -> Container {
    let text = |key: &str| node.get(key).and_then(Node::scalar).unwrap_or_default();
    let items = |key: &str| node.get(key).map(Node::items).unwrap_or_default();
    let limits = amounts(node.at(&["resources", "limits"]), "resources.limits", wrong);
    let requests = amounts(node.at(&["resources", "requests"]), "resources.requests", wrong);
    let env = |e: &Node| Some((e.get("name")?.scalar()?, e.get("value")?.scalar()?));
    let words = items("command").iter().chain(items("args")).filter_map(Node::scalar);
    Container {
        name: text("name"),
        image: text("image"),
        requests: requests.or(limits),
        limits,
        env: items("env").iter().filter_map(env).collect(),
        ports: items("ports").iter().filter_map(|p| p.get("name")?.scalar()).collect(),
        arguments: words.collect::<Vec<_>>().join(" "),
    }
}

fn claim_template(node: &Node, wrong: &mut impl FnMut(String)) -> ClaimTemplate {
    let (size, class) = claim_spec(node.get("spec"), wrong);
    let name = node.at(&["metadata", "name"]).and_then(Node::scalar).unwrap_or_default();
    ClaimTemplate { name, size, class, shared: false }
}

/// Size and class of a claim.
pub(super) fn claim_spec(
    spec: Option<&Node>,
    wrong: &mut impl FnMut(String),
) -> (Option<Quantity>, Option<String>) {
    let size = spec.and_then(|s| s.at(&["resources", "requests", "storage"]));
    let size = size.and_then(|value| match Kind::Amount(Unit::Bytes).read(value) {
        Ok(Fact::Amount(amount, _)) => Some(amount),
        Ok(_) => None,
        Err(problem) => {
            wrong(format!("resources.requests.storage at line {}: {problem}", value.place.line));
            None
        }
    });
    (size, spec.and_then(|s| s.get("storageClassName")).and_then(Node::scalar))
}

fn node_labels(pod: &Node) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> =
        labels(pod.get("nodeSelector")).into_iter().map(|(k, v)| (k, vec![v])).collect();
    let required = ["affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"];
    let terms = pod.at(&required).and_then(|n| n.get("nodeSelectorTerms"));
    for term in terms.map(Node::items).unwrap_or_default() {
        for e in term.get("matchExpressions").map(Node::items).unwrap_or_default() {
            let inside = e.get("operator").and_then(Node::text) == Some("In");
            let values = e.get("values").map(Node::items).unwrap_or_default();
            if let (true, Some(key)) = (inside, e.get("key").and_then(Node::scalar)) {
                found.entry(key).or_default().extend(values.iter().filter_map(Node::scalar));
            }
        }
    }
    found
}

/// Rules that spread the pods. One counts only where it means these pods: without a selector it means none.
fn spread(pod: &Node, pod_labels: &BTreeMap<String, String>) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let own = |rule: &Node| {
        let selector = rule.get("labelSelector");
        selector.is_some_and(|s| Selector::read(Some(s)).matches(pod_labels))
    };
    let constraints = pod.get("topologySpreadConstraints").map(Node::items).unwrap_or_default();
    for c in constraints.iter().filter(|c| own(c)) {
        let hard = c.get("whenUnsatisfiable").and_then(Node::text) != Some("ScheduleAnyway");
        found.extend(c.get("topologyKey").and_then(Node::scalar).map(|key| (key, hard)));
    }
    let terms = |kind: &str| {
        let affinity = pod.at(&["affinity", "podAntiAffinity", kind]);
        affinity.map(Node::items).unwrap_or_default()
    };
    for t in terms("requiredDuringSchedulingIgnoredDuringExecution").iter().filter(|t| own(t)) {
        found.extend(t.get("topologyKey").and_then(Node::scalar).map(|key| (key, true)));
    }
    for t in terms("preferredDuringSchedulingIgnoredDuringExecution") {
        let Some(term) = t.get("podAffinityTerm").filter(|term| own(term)) else { continue };
        found.extend(term.get("topologyKey").and_then(Node::scalar).map(|key| (key, false)));
    }
    found
}
