//! Rows of the matrix: the promise's table, and its page of settings.

use std::fmt;

use odg_profiles::model::{Quantities, Service};
use odg_profiles::values::{Promise, ServiceTopic, Topic};
use odg_profiles::{Component, Presence, Profile, nearest};

/// A row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Row {
    /// A row of the table "Components by Profile".
    Component(Component),
    /// The platform's own services.
    Services,
    /// Replicas.
    Replicas,
    /// Limits and requests of each replica.
    Resources,
    /// Horizontal scaling.
    Autoscaling,
    /// Sums against the machine that is promised.
    Totals,
    /// Database connections.
    Connections,
    /// Persistent volumes.
    Storage,
    /// Nodes.
    Placement,
    /// What survives a node that is taken away.
    Disruption,
    /// Several regions.
    MultiRegion,
    /// Monitoring and alert routes.
    Observability,
    /// Uptime and latency.
    Objectives,
    /// Backups.
    Backup,
    /// Secrets, encryption, network.
    Security,
    /// Whether the parts find each other.
    Wiring,
    /// Recommended settings.
    Tuning,
    /// The values files and manifests themselves.
    Files,
}

const SETTINGS: [Row; 17] = [
    Row::Services,
    Row::Replicas,
    Row::Resources,
    Row::Autoscaling,
    Row::Totals,
    Row::Connections,
    Row::Storage,
    Row::Placement,
    Row::Disruption,
    Row::MultiRegion,
    Row::Observability,
    Row::Objectives,
    Row::Backup,
    Row::Security,
    Row::Wiring,
    Row::Tuning,
    Row::Files,
];

impl Row {
    /// All rows, in the matrix's order.
    pub fn all() -> impl Iterator<Item = Self> {
        Component::ALL.into_iter().map(Self::Component).chain(SETTINGS)
    }

    /// Stable name for flags and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Component(component) => component.name(),
            Self::Services => "services",
            Self::Replicas => "replicas",
            Self::Resources => "resources",
            Self::Autoscaling => "autoscaling",
            Self::Totals => "totals",
            Self::Connections => "connections",
            Self::Storage => "storage",
            Self::Placement => "placement",
            Self::Disruption => "disruption",
            Self::MultiRegion => "multi-region",
            Self::Observability => "observability",
            Self::Objectives => "objectives",
            Self::Backup => "backup",
            Self::Security => "security",
            Self::Wiring => "wiring",
            Self::Tuning => "tuning",
            Self::Files => "files",
        }
    }

    /// For people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Component(component) => component.label(),
            Self::Services => "Services",
            Self::Replicas => "Replicas",
            Self::Resources => "Resources",
            Self::Autoscaling => "Auto-scaling",
            Self::Totals => "Totals",
            Self::Connections => "DB connections",
            Self::Storage => "Storage",
            Self::Placement => "Node pools",
            Self::Disruption => "Disruption",
            Self::MultiRegion => "Multi-region",
            Self::Observability => "Observability",
            Self::Objectives => "Uptime, latency",
            Self::Backup => "Backups",
            Self::Security => "Security",
            Self::Wiring => "Wiring",
            Self::Tuning => "Tuning",
            Self::Files => "Files",
        }
    }

    /// The row that a promise belongs to.
    pub const fn of(topic: &Topic) -> Self {
        match topic {
            Topic::ProfileName => Self::Files,
            Topic::Component(component) => Self::Component(*component),
            Topic::Service(_, about) => match about {
                ServiceTopic::Presence => Self::Services,
                ServiceTopic::Replicas => Self::Replicas,
                ServiceTopic::LimitGpu => Self::Component(Component::Gpu),
                ServiceTopic::LimitCpu
                | ServiceTopic::LimitMemory
                | ServiceTopic::RequestCpu
                | ServiceTopic::RequestMemory => Self::Resources,
                ServiceTopic::ScaleMin
                | ServiceTopic::ScaleMax
                | ServiceTopic::ScaleCpu
                | ServiceTopic::ScaleMemory => Self::Autoscaling,
            },
            Topic::NodeLabel { .. } => Self::Placement,
            Topic::StorageClass | Topic::ReplicationFactor | Topic::Claim(..) => Self::Storage,
            Topic::Zones => Self::Component(Component::MultiAz),
            Topic::MultiRegion | Topic::Regions => Self::MultiRegion,
            Topic::Instances | Topic::Crdt | Topic::ConflictResolution => {
                Self::Component(Component::CosmosFederation)
            }
            Topic::Stack(_) | Topic::AlertRoutes => Self::Observability,
            Topic::Uptime | Topic::LatencyP99 => Self::Objectives,
            Topic::Backup(_) => Self::Backup,
            Topic::Tuning(_) => Self::Tuning,
        }
    }

    /// What the profile promises of it, in a few words; empty where it promises nothing.
    pub fn promised(self, profile: &Profile, promises: &[Promise]) -> String {
        let r = &profile.resources;
        let plus = if r.at_least { "+" } else { "" };
        match self {
            Self::Component(component) => match profile.presence(component) {
                Presence::Present if component == Component::Gpu => {
                    format!("{}{plus} × {}", r.gpu, r.gpu_model.as_deref().unwrap_or("GPU"))
                }
                Presence::Present if component == Component::MultiAz => {
                    format!("{} zones", profile.ha.zones.len())
                }
                presence => presence.name().to_owned(),
            },
            Self::Totals => format!(
                "{}{plus} vCPU, {}{plus}, {}{plus} GPU, {}{plus}",
                r.vcpu, r.memory, r.gpu, r.storage
            ),
            Self::Backup if !profile.backup.enabled => String::new(),
            Self::Services => {
                let name = |(name, service): (&String, &Service)| match service.presence {
                    Presence::Present => name.clone(),
                    other => format!("{name} {other}"),
                };
                profile.services.iter().map(name).collect::<Vec<_>>().join(", ")
            }
            Self::Resources => {
                let amounts = |q: &Quantities| format!("{} CPU, {}", q.cpu, q.memory);
                let service = |(name, service): (&String, &Service)| {
                    let limits = service.limits.as_ref()?;
                    let requests = service.requests.as_ref();
                    let requests =
                        requests.map_or_else(String::new, |r| format!(" (request {})", amounts(r)));
                    Some(format!("{name} {}{requests}", amounts(limits)))
                };
                profile.services.iter().filter_map(service).collect::<Vec<_>>().join("; ")
            }
            Self::Observability => {
                let mut parts = profile.observability.stack.clone();
                let routes = &profile.observability.alert_routes;
                if !routes.is_empty() {
                    parts.push(format!("alerts to {}", routes.join(", ")));
                }
                parts.join(", ")
            }
            Self::Backup => {
                let backup = &profile.backup;
                let days = backup.retention_days.map(|d| format!("kept {d} days"));
                let cross = backup.cross_region.then(|| "cross-region".to_owned());
                let parts = [backup.schedule.clone(), days, cross];
                parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
            }
            _ => {
                let mine: Vec<String> = promises
                    .iter()
                    .filter(|p| Self::of(&p.topic) == self)
                    .map(|p| format!("{} {}", super::requirement::subject(&p.topic), p.fact))
                    .map(|text| text.trim().to_owned())
                    .collect();
                mine.join(", ")
            }
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Row {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::all().find(|row| row.name() == word).ok_or_else(|| {
            let meant = nearest(word, Self::all().map(Self::name)).unwrap_or_default();
            format!("no row is called `{word}`; the nearest is `{meant}`")
        })
    }
}
