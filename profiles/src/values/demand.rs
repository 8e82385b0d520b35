//! What one workload takes of the machine, for sums.

use super::fact::{Fact, Kind, Unit};
use super::layout::Layout;
use super::quantity::Quantity;
use super::yaml::{Node, Place, Value};

/// CPU, memory and GPUs of one replica; what is not stated is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Cores.
    pub cpu: Option<Quantity>,
    /// Bytes.
    pub memory: Option<Quantity>,
    /// GPUs.
    pub gpu: Option<Quantity>,
}

/// Which amounts some container of a workload does not state, so that a sum is only a lower bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Silent {
    /// CPU.
    pub cpu: bool,
    /// Memory.
    pub memory: bool,
}

/// What one workload takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// Whose it is.
    pub what: String,
    /// Where it is stated.
    pub place: Place,
    /// Replicas.
    pub replicas: u64,
    /// Replicas at the most, with autoscaling.
    pub most: u64,
    /// Requests of one replica.
    pub requests: Amounts,
    /// Limits of one replica.
    pub limits: Amounts,
    /// Bytes of one replica's volumes.
    pub volume: Quantity,
    /// Requests that are not stated.
    pub silent_requests: Silent,
    /// Limits that are not stated.
    pub silent_limits: Silent,
    /// It has a volume whose size is not stated.
    pub silent_volume: bool,
}

/// Everything that values take of the machine.
pub(super) fn demands(root: &Node, layout: Layout) -> Vec<Demand> {
    match layout {
        Layout::Page => page(root),
        Layout::Chart => {
            let mut found = Vec::new();
            for entry in root.entries() {
                blocks(&entry.node, &mut vec![entry.key.as_str()], &mut found);
            }
            found
        }
    }
}

fn amount(node: Option<&Node>, unit: Unit) -> Option<Quantity> {
    match Kind::Amount(unit).read(node?) {
        Ok(Fact::Amount(amount, _)) => Some(amount),
        _ => None,
    }
}

/// Reads `limits` or `requests`.
pub(super) fn amounts(node: Option<&Node>) -> Amounts {
    let Some(node) = node else { return Amounts::default() };
    Amounts {
        cpu: amount(node.get("cpu"), Unit::Cores),
        memory: amount(node.get("memory"), Unit::Bytes),
        gpu: amount(node.get("nvidia.com/gpu"), Unit::Count),
    }
}

impl Amounts {
    /// What of it is not stated.
    pub const fn silent(self) -> Silent {
        Silent { cpu: self.cpu.is_none(), memory: self.memory.is_none() }
    }

    /// What is not requested is requested as limited, as Kubernetes has it.
    #[must_use]
    pub fn or(self, limits: Self) -> Self {
        Self {
            cpu: self.cpu.or(limits.cpu),
            memory: self.memory.or(limits.memory),
            gpu: self.gpu.or(limits.gpu),
        }
    }
}

fn page(root: &Node) -> Vec<Demand> {
    let mut found = Vec::new();
    let services = root.get("resources").map(Node::entries).unwrap_or_default();
    for entry in services {
        if entry.node.get("enabled").and_then(Node::flag) == Some(false) {
            continue;
        }
        let whole = |path: &[&str]| root.at(path).and_then(Node::whole);
        let scaled = root.at(&["autoscaling", "enabled"]).and_then(Node::flag) == Some(true);
        let bound = |name: &str| whole(&["autoscaling", &entry.key, name]).filter(|_| scaled);
        let stated = whole(&["replicas", &entry.key]);
        let replicas = bound("minReplicas").or(stated).unwrap_or(1);
        let most = bound("maxReplicas").unwrap_or(replicas);
        let limits = amounts(entry.node.get("limits"));
        let requests = amounts(entry.node.get("requests")).or(limits);
        found.push(Demand {
            what: entry.key.clone(),
            place: entry.place.clone(),
            replicas,
            most: most.max(replicas),
            requests,
            limits,
            volume: Quantity::ZERO,
            silent_requests: requests.silent(),
            silent_limits: limits.silent(),
            silent_volume: false,
        });
    }
    for entry in root.get("storage").map(Node::entries).unwrap_or_default() {
        let Some(volume) = amount(entry.node.get("size"), Unit::Bytes) else { continue };
        let replicas = entry.node.get("replicas").and_then(Node::whole).unwrap_or(1);
        found.push(Demand {
            what: format!("storage of {}", entry.key),
            place: entry.place.clone(),
            replicas,
            most: replicas,
            requests: Amounts::default(),
            limits: Amounts::default(),
            volume,
            silent_requests: Silent::default(),
            silent_limits: Silent::default(),
            silent_volume: false,
        });
    }
    found
}

/// Keys of a block that hold the number of its replicas.
const REPLICAS: [&[&str]; 4] =
    [&["replicaCount"], &["replicas"], &["statefulset", "replicaCount"], &["ha", "replicas"]];
/// Keys of a block that hold the size of its volume.
const VOLUMES: [&[&str]; 3] =
    [&["persistence", "size"], &["dataStorage", "size"], &["auditStorage", "size"]];

/// Blocks of the chart with resources or a volume, at any depth, but for those that are switched off.
fn blocks<'a>(node: &'a Node, path: &mut Vec<&'a str>, found: &mut Vec<Demand>) {
    if node.get("enabled").and_then(Node::flag) == Some(false) {
        return;
    }
    let resources = node.get("resources");
    let volume = VOLUMES
        .iter()
        .filter(|path| {
            let switch = node.get(path[0]).and_then(|n| n.get("enabled")).and_then(Node::flag);
            switch != Some(false)
        })
        .filter_map(|path| amount(node.at(path), Unit::Bytes))
        .fold(Quantity::ZERO, Quantity::plus);
    if resources.is_some() || volume != Quantity::ZERO {
        let whole = |path: &[&str]| node.at(path).and_then(Node::whole);
        let stated = REPLICAS.iter().find_map(|path| whole(path));
        let scaled = node.at(&["autoscaling", "enabled"]).and_then(Node::flag) == Some(true);
        let least = if scaled { whole(&["autoscaling", "minReplicas"]) } else { None };
        let replicas = least.or(stated).unwrap_or(1);
        let most = if scaled { whole(&["autoscaling", "maxReplicas"]) } else { None };
        let limits = limits_with_gpu(node, resources);
        let requests = amounts(resources.and_then(|r| r.get("requests"))).or(limits);
        // A block with a volume alone is no workload of its own (`auditStorage`).
        let silent = |of: Amounts| resources.map_or_else(Silent::default, |_| of.silent());
        found.push(Demand {
            what: path.join("."),
            place: node.place.clone(),
            replicas,
            most: most.unwrap_or(replicas).max(replicas),
            requests,
            limits,
            volume,
            silent_requests: silent(requests),
            silent_limits: silent(limits),
            silent_volume: false,
        });
    }
    for entry in node.entries() {
        if matches!(entry.node.value, Value::Map(_)) && entry.key != "resources" {
            path.push(&entry.key);
            blocks(&entry.node, path, found);
            path.pop();
        }
    }
}

/// The chart states GPUs beside the resources (`gpu.count`).
fn limits_with_gpu(node: &Node, resources: Option<&Node>) -> Amounts {
    let mut limits = amounts(resources.and_then(|r| r.get("limits")));
    let on = node.at(&["gpu", "enabled"]).and_then(Node::flag) == Some(true);
    if limits.gpu.is_none() && on {
        limits.gpu = amount(node.at(&["gpu", "count"]), Unit::Count);
    }
    limits
}
