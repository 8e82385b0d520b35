//! A profile as single promises that a values file, a manifest or a cluster can be compared with.

use super::fact::{Fact, Unit};
use super::layout::PAGE;
use super::quantity::Quantity;
use crate::component::{Component, Presence};
use crate::load::names;
use crate::model::{Profile, Quantities, Service};
use crate::provenance::{Origin, Provenance};
use crate::units::{ByteSize, Cpu};

/// What a promise is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Which profile the values say they are for.
    ProfileName,
    /// A row of the feature matrix is there, or is not.
    Component(Component),
    /// Something about one of the platform's services.
    Service(String, ServiceTopic),
    /// A label of the nodes that a service must run on.
    NodeLabel {
        /// The service.
        service: String,
        /// The label.
        label: String,
    },
    /// Storage class.
    StorageClass,
    /// Copies of everything.
    ReplicationFactor,
    /// Something about a component's volume.
    Claim(Component, ClaimTopic),
    /// Zones.
    Zones,
    /// Several regions are switched on.
    MultiRegion,
    /// The regions.
    Regions,
    /// Instances of the federation.
    Instances,
    /// Conflict-free data types are switched on.
    Crdt,
    /// How conflicting writes are resolved.
    ConflictResolution,
    /// A part of the observability stack.
    Stack(String),
    /// Where alerts go.
    AlertRoutes,
    /// Uptime.
    Uptime,
    /// Latency that 99 % stay under.
    LatencyP99,
    /// Something about backups.
    Backup(BackupTopic),
    /// A setting that the promise recommends.
    Tuning(String),
}

/// What about a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceTopic {
    /// It is there.
    Presence,
    /// Replicas.
    Replicas,
    /// CPU limit of a replica.
    LimitCpu,
    /// Memory limit of a replica.
    LimitMemory,
    /// GPUs of a replica.
    LimitGpu,
    /// CPU request of a replica.
    RequestCpu,
    /// Memory request of a replica.
    RequestMemory,
    /// Fewest replicas of autoscaling.
    ScaleMin,
    /// Most replicas of autoscaling.
    ScaleMax,
    /// CPU use that autoscaling aims for.
    ScaleCpu,
    /// Memory use that autoscaling aims for.
    ScaleMemory,
}

/// What about a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClaimTopic {
    /// Size of each replica's volume.
    Size,
    /// Size of all replicas' volumes together, where the component spreads its data over them.
    Capacity,
    /// Replicas.
    Replicas,
    /// Spread over several servers.
    Distributed,
}

/// What about backups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BackupTopic {
    /// They are made.
    Enabled,
    /// When.
    Schedule,
    /// Days that they are kept.
    Retention,
    /// They are kept in another region too.
    CrossRegion,
}

/// What keeps a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The same.
    Same,
    /// As much or more.
    AtLeast,
    /// As much or less.
    AtMost,
    /// As many names or more: the promise's own are examples of one provider.
    AsMany,
    /// All the names, others beside them or not.
    Covers,
    /// As often or more often.
    AsOften,
    /// Both are kept: the promise calls it optional.
    Either,
}

/// One promise.
#[derive(Debug, Clone, PartialEq)]
pub struct Promise {
    /// What it is about.
    pub topic: Topic,
    /// Path in the profile (`services.governance-engine.replicas`).
    pub path: String,
    /// What is promised.
    pub fact: Fact,
    /// What keeps it.
    pub rule: Rule,
    /// Whether the exit code depends on it. Not where we derived it, and not where it depends on the cloud.
    pub required: bool,
    /// Where it is promised.
    pub source: Provenance,
}

/// Every promise of a profile that a values file could keep or break, in a stable order.
pub fn promises(profile: &Profile) -> Vec<Promise> {
    let mut all = List { profile, found: Vec::new() };
    all.add(Topic::ProfileName, "name", Fact::Text(shipped_name(profile)), Rule::Same);
    for component in Component::ALL {
        let path = format!("components.{}", component.name());
        let (fact, rule) = presence(profile.presence(component));
        all.add(Topic::Component(component), &path, fact, rule);
    }
    for (name, service) in &profile.services {
        all.service(name, service);
    }
    all.storage();
    all.regions();
    all.operations();
    for tuning in &profile.tuning {
        // A smaller profile's recommendations are for its own size, and those about what the promise itself states
        // (`components.airflow: false`) would break it.
        let stated_in = all.source(&format!("tuning.{}", tuning.setting)).stated_in;
        let head = tuning.setting.split('.').next().unwrap_or_default();
        let own = stated_in == profile.name || stated_in == shipped_name(profile);
        if !own || PAGE.contains(&head) {
            continue;
        }
        let path = format!("tuning.{}", tuning.setting);
        let fact = Fact::Text(tuning.value.clone());
        all.advise(Topic::Tuning(tuning.setting.clone()), &path, fact, Rule::Same);
    }
    all.found
}

/// The shipped profile that it is or extends.
fn shipped_name(profile: &Profile) -> String {
    let shipped = profile.lineage.iter().rev().find(|name| names().contains(&name.as_str()));
    shipped.unwrap_or(&profile.name).clone()
}

const fn presence(promised: Presence) -> (Fact, Rule) {
    match promised {
        Presence::Present => (Fact::Flag(true), Rule::Same),
        Presence::Absent => (Fact::Flag(false), Rule::Same),
        Presence::Optional => (Fact::Flag(true), Rule::Either),
    }
}

struct List<'a> {
    profile: &'a Profile,
    found: Vec<Promise>,
}

impl List<'_> {
    fn add(&mut self, topic: Topic, path: &str, fact: Fact, rule: Rule) {
        self.push(topic, path, fact, rule, true);
    }

    /// A promise that depends on the cloud, or is a recommendation.
    fn advise(&mut self, topic: Topic, path: &str, fact: Fact, rule: Rule) {
        self.push(topic, path, fact, rule, false);
    }

    fn push(&mut self, topic: Topic, path: &str, fact: Fact, rule: Rule, required: bool) {
        let source = self.source(path);
        let required = required && rule != Rule::Either && source.origin == Origin::Documented;
        self.found.push(Promise { topic, path: path.to_owned(), fact, rule, required, source });
    }

    fn source(&self, path: &str) -> Provenance {
        let below =
            |key: &&String| key.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        let stated = &self.profile.provenance;
        stated
            .get(path)
            .or_else(|| stated.keys().find(below).and_then(|key| stated.get(key)))
            .cloned()
            .unwrap_or_else(|| Provenance {
                origin: Origin::Derived,
                source: "not stated".to_owned(),
                stated_in: self.profile.name.clone(),
            })
    }

    fn service(&mut self, name: &str, service: &Service) {
        let at = |key: &str| format!("services.{name}.{key}");
        let topic = |about| Topic::Service(name.to_owned(), about);
        let (fact, rule) = presence(service.presence);
        self.add(topic(ServiceTopic::Presence), &at("presence"), fact, rule);
        if service.presence != Presence::Present {
            return;
        }
        if let Some(replicas) = service.replicas {
            let fact = Fact::count(u64::from(replicas));
            self.add(topic(ServiceTopic::Replicas), &at("replicas"), fact, Rule::AtLeast);
        }
        use ServiceTopic::{LimitCpu, LimitGpu, LimitMemory, RequestCpu, RequestMemory};
        if let Some(Quantities { cpu: c, memory, gpu }) = &service.limits {
            self.add(topic(LimitCpu), &at("limits.cpu"), cpu(*c), Rule::AtLeast);
            self.add(topic(LimitMemory), &at("limits.memory"), bytes(*memory), Rule::AtLeast);
            if let Some(gpu) = gpu {
                let fact = Fact::count(u64::from(*gpu));
                self.add(topic(LimitGpu), &at("limits.gpu"), fact, Rule::AtLeast);
            }
        }
        if let Some(Quantities { cpu: c, memory, .. }) = &service.requests {
            self.add(topic(RequestCpu), &at("requests.cpu"), cpu(*c), Rule::AtLeast);
            self.add(topic(RequestMemory), &at("requests.memory"), bytes(*memory), Rule::AtLeast);
        }
        if let Some(scaling) = &service.autoscaling {
            let percent = |p: u32| Fact::Amount(Quantity::whole(u64::from(p)), Unit::Percent);
            let count = |n: u32| Fact::count(u64::from(n));
            let mut add = |about, key: &str, fact, rule| {
                self.add(topic(about), &at(&format!("autoscaling.{key}")), fact, rule);
            };
            add(ServiceTopic::ScaleMin, "min_replicas", count(scaling.min_replicas), Rule::AtLeast);
            add(ServiceTopic::ScaleMax, "max_replicas", count(scaling.max_replicas), Rule::AtLeast);
            let aim = percent(scaling.target_cpu_percent);
            add(ServiceTopic::ScaleCpu, "target_cpu_percent", aim, Rule::AtMost);
            if let Some(memory) = scaling.target_memory_percent {
                let aim = percent(memory);
                add(ServiceTopic::ScaleMemory, "target_memory_percent", aim, Rule::AtMost);
            }
        }
        for (label, value) in &service.node_selector {
            let topic = Topic::NodeLabel { service: name.to_owned(), label: label.clone() };
            let path = at(&format!("node_selector.{label}"));
            self.advise(topic, &path, Fact::Text(value.clone()), Rule::Same);
        }
    }

    fn storage(&mut self) {
        let storage = &self.profile.storage;
        if let Some(class) = &storage.class {
            let fact = Fact::Text(class.clone());
            self.advise(Topic::StorageClass, "storage.class", fact, Rule::Same);
        }
        if let Some(copies) = storage.replication_factor {
            let fact = Fact::count(u64::from(copies));
            let path = "storage.replication_factor";
            self.add(Topic::ReplicationFactor, path, fact, Rule::AtLeast);
        }
        for (component, claim) in &storage.claims {
            let at = |key: &str| format!("storage.claims.{}.{key}", component.name());
            let topic = |about| Topic::Claim(*component, about);
            let about = if claim.distributed { ClaimTopic::Capacity } else { ClaimTopic::Size };
            self.add(topic(about), &at("size"), bytes(claim.size), Rule::AtLeast);
            if let Some(replicas) = claim.replicas {
                let fact = Fact::count(u64::from(replicas));
                self.add(topic(ClaimTopic::Replicas), &at("replicas"), fact, Rule::AtLeast);
            }
            if claim.distributed {
                let fact = Fact::Flag(true);
                self.add(topic(ClaimTopic::Distributed), &at("distributed"), fact, Rule::Same);
            }
        }
    }

    fn regions(&mut self) {
        let profile = self.profile;
        if !profile.ha.zones.is_empty() {
            let zones = Fact::Names(profile.ha.zones.clone());
            self.add(Topic::Zones, "ha.zones", zones, Rule::AsMany);
        }
        if profile.multi_region.enabled {
            let path = "multi_region.enabled";
            self.add(Topic::MultiRegion, path, Fact::Flag(true), Rule::Same);
            let regions = Fact::Names(profile.multi_region.regions.clone());
            self.add(Topic::Regions, "multi_region.regions", regions, Rule::AsMany);
        }
        if profile.cosmos.enabled {
            let ids = profile.cosmos.instances.iter().map(|i| i.id.clone()).collect();
            self.add(Topic::Instances, "cosmos.instances", Fact::Names(ids), Rule::AsMany);
            self.add(Topic::Crdt, "cosmos.crdt", Fact::Flag(profile.cosmos.crdt), Rule::Same);
        }
        if let Some(way) = &profile.cosmos.conflict_resolution {
            let fact = Fact::Text(way.clone());
            self.add(Topic::ConflictResolution, "cosmos.conflict_resolution", fact, Rule::Same);
        }
    }

    fn operations(&mut self) {
        let profile = self.profile;
        for part in &profile.observability.stack {
            let topic = Topic::Stack(part.clone());
            self.add(topic, "observability.stack", Fact::Flag(true), Rule::Same);
        }
        let routes = &profile.observability.alert_routes;
        if !routes.is_empty() {
            let fact = Fact::Names(routes.clone());
            self.add(Topic::AlertRoutes, "observability.alert_routes", fact, Rule::Covers);
        }
        if let Some(uptime) = &profile.uptime {
            // A float's shortest text is the decimal that was written.
            let percent = uptime.percent.to_string().parse().unwrap_or_default();
            let fact = Fact::Amount(percent, Unit::Percent);
            self.add(Topic::Uptime, "uptime.percent", fact, Rule::AtLeast);
        }
        let documented =
            |o: &&crate::Objective| o.origin == Origin::Documented && o.percentile == 99.0;
        if let Some(objective) =
            profile.objectives.iter().filter(documented).min_by_key(|o| o.threshold_ns)
        {
            let path = format!("objectives.{}", objective.id);
            let fact = Fact::Nanos(objective.threshold_ns);
            self.add(Topic::LatencyP99, &path, fact, Rule::AtMost);
        }
        let backup = &profile.backup;
        if !backup.enabled {
            return;
        }
        let topic = Topic::Backup;
        self.add(topic(BackupTopic::Enabled), "backup.enabled", Fact::Flag(true), Rule::Same);
        if let Some(schedule) = &backup.schedule {
            let fact = Fact::Text(schedule.clone());
            self.add(topic(BackupTopic::Schedule), "backup.schedule", fact, Rule::AsOften);
        }
        if let Some(days) = backup.retention_days {
            let fact = Fact::count(u64::from(days));
            let path = "backup.retention_days";
            self.add(topic(BackupTopic::Retention), path, fact, Rule::AtLeast);
        }
        if backup.cross_region {
            let path = "backup.cross_region";
            self.add(topic(BackupTopic::CrossRegion), path, Fact::Flag(true), Rule::Same);
        }
    }
}

const fn cpu(cpu: Cpu) -> Fact {
    Fact::Amount(Quantity::millis(cpu.millicores()), Unit::Cores)
}

const fn bytes(size: ByteSize) -> Fact {
    Fact::Amount(Quantity::whole(size.bytes()), Unit::Bytes)
}
