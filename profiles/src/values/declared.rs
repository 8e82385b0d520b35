//! What values declare: an answer for each promise, and what else must be known of them.

use super::Values;
use super::demand::{Demand, demands};
use super::fact::{Fact, Unit};
use super::keys::keys;
use super::layout::{Layout, Mixed, belongs, known, layout, reads};
use super::pool::{self, DEFAULT_CONNECTIONS, PoolUse};
use super::promise::{ClaimTopic, ServiceTopic, Topic};
use super::yaml::{Node, Place, Value};
use crate::nearest::nearest;

/// What is said about a promise, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated {
    /// What is said.
    pub fact: Fact,
    /// Where.
    pub place: Place,
    /// Under which key.
    pub key: String,
}

/// The answer of values to one promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// It is stated.
    Stated(Stated),
    /// It is stated as something that it cannot be: what, where, under which key.
    Wrong {
        /// What is wrong.
        problem: String,
        /// Where.
        place: Place,
        /// Under which key.
        key: String,
    },
    /// It is stated, and a switch beside it is off.
    Off {
        /// Where the switch is.
        place: Place,
        /// The switch's key.
        key: String,
    },
    /// Values alone do not say it.
    Open {
        /// Why.
        why: String,
    },
    /// The layout has a key for it, and nothing stands there.
    Missing {
        /// The key.
        key: String,
    },
    /// The layout has no key for it.
    NoKey,
}

/// A key that nothing reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The key.
    pub key: String,
    /// Where it stands.
    pub place: Place,
    /// The key that was probably meant.
    pub nearest: Option<String>,
}

/// Values, understood.
#[derive(Debug)]
pub struct Declared<'a> {
    root: &'a Node,
    /// The layout that they are judged in.
    pub layout: Layout,
    /// Top-level keys that belong to the other layout.
    pub mixed: Vec<Mixed>,
}

impl Values {
    /// Recognises the layout.
    pub fn declared(&self) -> Declared<'_> {
        let layout = layout(&self.root);
        let other = |e: &&super::yaml::Entry| belongs(&e.key, &e.node).is_some_and(|l| l != layout);
        let mixed = self
            .root
            .entries()
            .iter()
            .filter(other)
            .map(|e| Mixed { key: e.key.clone(), place: e.place.clone() })
            .collect();
        Declared { root: &self.root, layout, mixed }
    }
}

impl Declared<'_> {
    /// What the values say about a promise.
    pub fn lookup(&self, topic: &Topic) -> Lookup {
        if let Some(off) = self.switched_off(topic) {
            return off;
        }
        match topic {
            Topic::Service(name, ServiceTopic::Replicas) if self.scaled(name) => {
                // The autoscaler sets the replicas, so that its minimum counts.
                match self.find(&Topic::Service(name.clone(), ServiceTopic::ScaleMin)) {
                    least @ (Lookup::Stated(_) | Lookup::Wrong { .. }) => least,
                    _ => self.find(topic),
                }
            }
            Topic::Claim(component, ClaimTopic::Capacity) => {
                let replicas = self.find(&Topic::Claim(*component, ClaimTopic::Replicas));
                match (self.find(topic), replicas) {
                    (
                        Lookup::Stated(Stated { fact: Fact::Amount(size, unit), place, key }),
                        Lookup::Stated(Stated { fact: Fact::Amount(count, _), .. }),
                    ) => {
                        let fact = Fact::Amount(size.times(count.to_whole().unwrap_or(1)), unit);
                        Lookup::Stated(Stated { fact, place, key: format!("{key} × {count}") })
                    }
                    (size, _) => size,
                }
            }
            Topic::Service(name, ServiceTopic::Presence) if self.layout == Layout::Page => {
                match self.find(topic) {
                    // A service without limits of its own is still there where it has replicas.
                    Lookup::Missing { .. } => {
                        match self.find(&Topic::Service(name.clone(), ServiceTopic::Replicas)) {
                            Lookup::Stated(Stated { fact: Fact::Amount(count, _), place, key }) => {
                                let there = count != super::Quantity::ZERO;
                                Lookup::Stated(Stated { fact: Fact::Flag(there), place, key })
                            }
                            other => other,
                        }
                    }
                    other => other,
                }
            }
            _ => self.find(topic),
        }
    }

    /// The switch of a service's autoscaling.
    fn scaling_switch<'n>(&self, name: &'n str) -> Vec<&'n str> {
        match self.layout {
            Layout::Page => vec!["autoscaling", "enabled"],
            Layout::Chart => vec![name, "autoscaling", "enabled"],
        }
    }

    /// Whether a service's autoscaling is switched on.
    fn scaled(&self, name: &str) -> bool {
        self.root.at(&self.scaling_switch(name)).and_then(Node::flag) == Some(true)
    }

    /// Autoscaling whose own switch is off has no bounds, and a volume that is switched off has no size.
    fn switched_off(&self, topic: &Topic) -> Option<Lookup> {
        use ServiceTopic as S;
        if let Topic::Claim(_, ClaimTopic::Size | ClaimTopic::Capacity) = topic {
            return self.volume_off(topic);
        }
        let Topic::Service(name, S::ScaleMin | S::ScaleMax | S::ScaleCpu | S::ScaleMemory) = topic
        else {
            return None;
        };
        let path = self.scaling_switch(name);
        let key = path.join(".");
        match self.root.at(&path) {
            Some(switch) => (switch.flag() == Some(false))
                .then(|| Lookup::Off { place: switch.place.clone(), key }),
            // The chart's own default decides.
            None => matches!(self.find(topic), Lookup::Stated(_)).then(|| Lookup::Open {
                why: format!("it is stated, but `{key}` does not switch it on"),
            }),
        }
    }

    /// The first key that states the volume, where the switch beside it is off.
    fn volume_off(&self, topic: &Topic) -> Option<Lookup> {
        for (path, _) in keys(topic, self.layout) {
            let Some((_, block)) = path.split_last() else { continue };
            let mut switch: Vec<&str> = block.iter().map(String::as_str).collect();
            switch.push("enabled");
            let off = self.root.at(&switch).filter(|node| node.flag() == Some(false));
            if let Some(off) = off {
                return Some(Lookup::Off { place: off.place.clone(), key: switch.join(".") });
            }
            let stated: Vec<&str> = path.iter().map(String::as_str).collect();
            if self.root.at(&stated).is_some() {
                return None;
            }
        }
        None
    }

    fn find(&self, topic: &Topic) -> Lookup {
        let keys = keys(topic, self.layout);
        for (path, kind) in &keys {
            let parts: Vec<&str> = path.iter().map(String::as_str).collect();
            let Some(node) = at(self.root, &parts) else { continue };
            let (place, key) = (node.place.clone(), path.join("."));
            return match kind.read(node) {
                Ok(fact) => Lookup::Stated(Stated { fact, place, key }),
                Err(problem) => Lookup::Wrong { problem, place, key },
            };
        }
        match keys.first() {
            Some((path, _)) => Lookup::Missing { key: path.join(".") },
            None => Lookup::NoKey,
        }
    }

    /// Protocol of Kafka's client listener (`sasl_ssl`), where the values name one.
    pub fn kafka_protocol(&self) -> Option<Stated> {
        let paths: [&[&str]; 3] = [
            &["kafka", "auth", "clientProtocol"],
            &["kafka", "listeners", "client", "protocol"],
            &["kafka", "broker", "listeners", "client", "protocol"],
        ];
        paths.iter().find_map(|path| {
            let node = self.root.at(path)?;
            let fact = Fact::Text(node.text()?.to_ascii_uppercase());
            Some(Stated { fact, place: node.place.clone(), key: path.join(".") })
        })
    }

    /// What everything takes of the machine.
    pub fn demands(&self) -> Vec<Demand> {
        demands(self.root, self.layout)
    }

    /// Use of the database by a service, where the values say how many processes of it there are.
    pub fn pool(&self, service: &str) -> Option<(PoolUse, Place)> {
        let number = |about| match self.lookup(&Topic::Service(service.to_owned(), about)) {
            Lookup::Stated(Stated { fact: Fact::Amount(n, Unit::Count), place, .. }) => {
                Some((n.to_whole()?, place))
            }
            _ => None,
        };
        let (processes, place) =
            number(ServiceTopic::ScaleMax).or_else(|| number(ServiceTopic::Replicas))?;
        let block = match self.layout {
            Layout::Page => self.root.get(&super::keys::camel(service)),
            Layout::Chart => self.root.get(service),
        };
        let limit = pool::limit(self.root, self.layout);
        let used = PoolUse {
            service: service.to_owned(),
            processes,
            each: block.map_or(pool::POOL_SIZE + pool::POOL_OVERFLOW, pool::each),
            limit: limit.as_ref().map_or(DEFAULT_CONNECTIONS, |(limit, _)| *limit),
            limit_place: limit.map(|(_, place)| place),
        };
        Some((used, place))
    }

    /// Keys that nothing reads. `chart_reads` names the top-level keys of a chart that was given; without one, those
    /// that the platform's chart is known to have count.
    pub fn unread(&self, chart_reads: Option<&[String]>) -> Vec<Unread> {
        let mut found = Vec::new();
        for entry in self.root.entries() {
            let read = match (self.layout, chart_reads) {
                (Layout::Chart, Some(names)) => names.contains(&entry.key),
                (layout, _) => reads(layout, &entry.key),
            };
            if !read {
                let meant = nearest(&entry.key, known(self.layout)).map(str::to_owned);
                let place = entry.place.clone();
                found.push(Unread { key: entry.key.clone(), place, nearest: meant });
            }
        }
        if self.layout == Layout::Page {
            let paths = page_paths();
            for entry in self.root.entries().iter().filter(|e| reads(self.layout, &e.key)) {
                let mut way = entry.key.clone();
                leaves(&entry.node, &mut way, &entry.place, &mut |way, place| {
                    if !paths.iter().any(|path| at_or_below(way, path)) {
                        let meant = nearest(way, paths.iter().map(String::as_str));
                        let (key, nearest) = (way.to_owned(), meant.map(str::to_owned));
                        found.push(Unread { key, place: place.clone(), nearest });
                    }
                });
            }
        }
        found
    }
}

/// Value along keys; the last may be the name in a list of `name` and `value`, as environments are written.
fn at<'a>(root: &'a Node, path: &[&str]) -> Option<&'a Node> {
    root.at(path).or_else(|| {
        let (name, list) = path.split_last()?;
        let items = root.at(list)?.items().iter();
        let named = |item: &&Node| item.get("name").and_then(Node::text) == Some(name);
        items.clone().find(named)?.get("value")
    })
}

/// Services that the deployment page has settings for.
const SERVICES: [&str; 4] = ["governanceEngine", "lakehouseAgent", "qualityGate", "dataExpert"];
/// Components that the deployment page has volumes for.
const STORES: [&str; 4] = ["postgres", "minio", "kafka", "qdrant"];
/// What it says of each service.
const OF_SERVICE: [&str; 13] = [
    "replicas.*",
    "nodeSelector.*",
    "autoscaling.*.minReplicas",
    "autoscaling.*.maxReplicas",
    "autoscaling.*.targetCPUUtilization",
    "autoscaling.*.targetMemoryUtilization",
    "resources.*.enabled",
    "resources.*.limits.cpu",
    "resources.*.limits.memory",
    "resources.*.limits.nvidia.com/gpu",
    "resources.*.requests.cpu",
    "resources.*.requests.memory",
    "resources.*.requests.nvidia.com/gpu",
];
/// What it says of each volume.
const OF_STORE: [&str; 3] = ["storage.*.size", "storage.*.replicas", "storage.*.distributedMode"];
/// What it says once.
const ONCE: [&str; 37] = [
    "profile",
    "components.kafka",
    "components.trino",
    "components.airflow",
    "components.datahub",
    "components.qdrant",
    "components.gpu",
    "components.experts",
    "components.cosmos",
    "components.multiAZ",
    "storage.class",
    "storage.replicationFactor",
    "autoscaling.enabled",
    "ha.enabled",
    "ha.zones",
    "multiRegion.enabled",
    "multiRegion.regions",
    "cosmos.enabled",
    "cosmos.instances",
    "cosmos.crdt.enabled",
    "cosmos.crdt.conflictResolution",
    "monitoring.sla.uptime",
    "monitoring.sla.latencyP99",
    "monitoring.alerting",
    "backup.enabled",
    "backup.schedule",
    "backup.retention",
    "backup.crossRegion",
    "postgres.maxConnections",
    "postgres.sharedBuffers",
    "kafka.config",
    "minio.mode",
    "minio.replicas",
    "minio.drivesPerNode",
    "dataExpert.env",
    "governanceEngine.env",
    "topologySpreadConstraints",
];

/// Every key of the deployment page.
fn page_paths() -> Vec<String> {
    let each = |templates: &[&str], names: &[&str]| -> Vec<String> {
        let filled = |name: &&str| {
            let name = (*name).to_owned();
            templates.iter().map(move |t| t.replace('*', &name)).collect::<Vec<_>>()
        };
        names.iter().flat_map(filled).collect()
    };
    let mut all = each(&OF_SERVICE, &SERVICES);
    all.extend(each(&OF_STORE, &STORES));
    all.extend(ONCE.map(str::to_owned));
    all
}

fn at_or_below(leaf: &str, path: &str) -> bool {
    leaf.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn leaves(node: &Node, way: &mut String, place: &Place, found: &mut impl FnMut(&str, &Place)) {
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => {
            for entry in entries {
                let length = way.len();
                way.push('.');
                way.push_str(&entry.key);
                leaves(&entry.node, way, &entry.place, found);
                way.truncate(length);
            }
        }
        _ => found(way, place),
    }
}
