//! What manifests have, in the few types that promises are compared with. A live cluster's objects fit the same ones.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use odg_profiles::values::Quantity;
use odg_profiles::values::yaml::Place;

use super::api::ApiNote;
use super::workload::{ClaimTemplate, Selector, Workload};

/// Which object it is and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Kind.
    pub kind: String,
    /// Namespace; empty where the release's is meant.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// File and line.
    pub place: Place,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        write!(f, "{}/{} ({})", self.kind, self.name, self.place)
    }
}

/// A Service.
#[derive(Debug, Clone)]
pub struct ServiceObject {
    /// Which.
    pub seen: Seen,
    /// Labels of the pods behind it; none where somebody else names its backends.
    pub selector: BTreeMap<String, String>,
    /// Names of pod ports that it sends to.
    pub port_names: Vec<String>,
    /// Kind `ExternalName`: it has no pods.
    pub external: bool,
}

/// A HorizontalPodAutoscaler.
#[derive(Debug, Clone)]
pub struct Scaler {
    /// Which.
    pub seen: Seen,
    /// Kind and name of what it scales.
    pub target: (String, String),
    /// Fewest replicas.
    pub min: u64,
    /// Most replicas.
    pub max: u64,
    /// CPU use that it aims for, in percent.
    pub cpu: Option<u64>,
    /// Memory use that it aims for, in percent.
    pub memory: Option<u64>,
}

/// A PersistentVolumeClaim.
#[derive(Debug, Clone)]
pub struct VolumeClaim {
    /// Which.
    pub seen: Seen,
    /// Bytes.
    pub size: Option<Quantity>,
    /// Storage class; the cluster's default where none is named.
    pub class: Option<String>,
}

/// A CronJob, or a schedule of a backup operator.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Which.
    pub seen: Seen,
    /// Labels of the object.
    pub labels: BTreeMap<String, String>,
    /// When, as a cron expression.
    pub schedule: String,
    /// It is switched off.
    pub suspended: bool,
    /// Days that what it makes is kept, where it says so.
    pub retention_days: Option<u64>,
}

/// A PodDisruptionBudget.
#[derive(Debug, Clone)]
pub struct Budget {
    /// Which.
    pub seen: Seen,
    /// The pods.
    pub selector: Selector,
    /// `minAvailable`, as it is written.
    pub min_available: Option<String>,
    /// `maxUnavailable`, as it is written.
    pub max_unavailable: Option<String>,
}

/// A NetworkPolicy.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Which.
    pub seen: Seen,
    /// The pods.
    pub selector: Selector,
}

/// A secret that everybody knows.
#[derive(Debug, Clone)]
pub struct WeakSecret {
    /// Which object.
    pub seen: Seen,
    /// Key in it, or name of the environment variable.
    pub key: String,
    /// Why it is weak; quotes the value only where it is a published default.
    pub why: String,
}

/// An object of somebody else's kind.
#[derive(Debug, Clone)]
pub struct Custom {
    /// Which.
    pub seen: Seen,
    /// Its API group.
    pub group: String,
}

/// A field of the wrong type.
#[derive(Debug, Clone)]
pub struct Wrong {
    /// Which object.
    pub seen: Seen,
    /// The field, and what it must be.
    pub what: String,
}

/// Everything that is looked at.
#[derive(Debug, Default)]
pub struct Inventory {
    /// Objects that were read.
    pub objects: u64,
    /// Deployments, StatefulSets, DaemonSets and Pods.
    pub workloads: Vec<Workload>,
    /// Services.
    pub services: Vec<ServiceObject>,
    /// Autoscalers.
    pub scalers: Vec<Scaler>,
    /// Volume claims.
    pub claims: Vec<VolumeClaim>,
    /// Scheduled jobs.
    pub schedules: Vec<Schedule>,
    /// Disruption budgets.
    pub budgets: Vec<Budget>,
    /// Network policies.
    pub policies: Vec<Policy>,
    /// Secrets that were looked into.
    pub secrets: Vec<Seen>,
    /// Configuration maps that were looked into.
    pub configs: u64,
    /// Environment variables that were looked at.
    pub variables: u64,
    /// Secrets, variables and settings that everybody knows.
    pub weak: Vec<WeakSecret>,
    /// Kinds of alert routes that some configuration has (`slack`).
    pub routes: BTreeSet<&'static str>,
    /// Objects of other people's kinds.
    pub custom: Vec<Custom>,
    /// API versions that are gone or unknown.
    pub apis: Vec<ApiNote>,
    /// Fields of the wrong type.
    pub wrong: Vec<Wrong>,
    /// Protocols of Kafka's listeners in configuration maps, with the map.
    pub listeners: Vec<(String, Seen)>,
    /// `max_connections` in configuration maps, with the map.
    pub max_connections: Option<(u64, Seen)>,
}

impl Inventory {
    /// What can only be known when all was read: replicas under autoscaling, volumes by reference.
    pub(super) fn settle(&mut self) {
        let scalers: HashMap<_, &Scaler> = self
            .scalers
            .iter()
            .map(|s| ((&s.seen.namespace, &s.target.0, &s.target.1), s))
            .collect();
        let claims: HashMap<_, &VolumeClaim> =
            self.claims.iter().map(|c| ((&c.seen.namespace, &c.seen.name), c)).collect();
        for workload in &mut self.workloads {
            let seen = &workload.seen;
            if let Some(scaler) = scalers.get(&(&seen.namespace, &seen.kind, &seen.name)) {
                workload.most = scaler.max.max(scaler.min);
                workload.replicas = Some(scaler.min);
            }
            for name in std::mem::take(&mut workload.claim_names) {
                match claims.get(&(&seen.namespace, &name)) {
                    Some(claim) => workload.claims.push(ClaimTemplate {
                        size: claim.size,
                        class: claim.class.clone(),
                        shared: true,
                        name,
                    }),
                    None => workload.lost_claims.push(name),
                }
            }
        }
    }

    /// The autoscaler of a workload.
    pub fn scaler_of(&self, workload: &Workload) -> Option<&Scaler> {
        self.scalers.iter().find(|s| scales(s, workload))
    }
}

fn scales(scaler: &Scaler, workload: &Workload) -> bool {
    scaler.target.0 == workload.seen.kind
        && scaler.target.1 == workload.seen.name
        && scaler.seen.namespace == workload.seen.namespace
}
