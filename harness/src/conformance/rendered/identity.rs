//! Which workload is which component.

use odg_profiles::Component;

use crate::conformance::manifest::{Custom, Inventory, Workload};

/// Roles that a component's workloads add to its name.
const ROLES: [&str; 27] = [
    "primary",
    "read",
    "replicas",
    "replica",
    "master",
    "node",
    "broker",
    "controller",
    "coordinator",
    "worker",
    "workers",
    "webserver",
    "web",
    "scheduler",
    "triggerer",
    "dag-processor",
    "api-server",
    "gms",
    "frontend",
    "server",
    "single",
    "write",
    "backend",
    "gateway",
    "0",
    "ha",
    "single-binary",
];

/// Applications that bring a database or a queue of their own, beside the components.
const OWNERS: [&str; 13] = [
    "superset",
    "keycloak",
    "mlflow",
    "kubeflow",
    "feast",
    "janusgraph",
    "governance-engine",
    "lakehouse-agent",
    "quality-gate",
    "data-expert",
    "gateway",
    "finops-dashboard",
    "support-portal",
];

/// Workloads by what they are.
pub(super) struct Identity<'a> {
    inventory: &'a Inventory,
}

/// Names under which a component goes.
const fn names(component: Component) -> &'static [&'static str] {
    match component {
        Component::Postgresql => &["postgresql", "postgres", "postgresql-ha"],
        Component::Redis => &["redis", "valkey"],
        Component::Minio => &["minio"],
        Component::Nats => &["nats"],
        Component::Kafka => &["kafka"],
        Component::Trino => &["trino"],
        Component::Airflow => &["airflow"],
        Component::Datahub => &["datahub"],
        Component::Qdrant => &["qdrant"],
        Component::AiExperts => &[
            "data-expert",
            "ai-experts",
            "rag-expert",
            "code-expert",
            "vision-expert",
            "nlp-expert",
        ],
        Component::CosmosFederation => &["federation-service", "cosmos-federation", "federation"],
        Component::Gpu | Component::MultiAz => &[],
    }
}

impl<'a> Identity<'a> {
    pub(super) const fn of(inventory: &'a Inventory) -> Self {
        Self { inventory }
    }

    /// Workloads of a component.
    pub(super) fn component(&self, component: Component) -> Vec<&'a Workload> {
        let mut found: Vec<&Workload> = Vec::new();
        for workload in &self.inventory.workloads {
            if names(component).iter().any(|name| is(workload, name)) {
                found.push(workload);
            }
        }
        found
    }

    /// Workloads that are of the component's kind and belong to another part, such as a sub-chart's own database.
    pub(super) fn bundled(&self, component: Component) -> Vec<&'a Workload> {
        let of = |w: &&Workload| {
            names(component).iter().any(|name| looks_like(w, name) && another_parts(w, name))
        };
        self.inventory.workloads.iter().filter(of).collect()
    }

    /// Workloads of a service, or of a part of the observability stack.
    pub(super) fn named(&self, name: &str) -> Vec<&'a Workload> {
        self.inventory.workloads.iter().filter(|w| is(w, name)).collect()
    }

    /// The operator's object that is such a component by its kind: `Kafka` of Strimzi, `Cluster` of CloudNativePG.
    pub(super) fn operator(&self, component: Component) -> Option<&'a Custom> {
        self.inventory.custom.iter().find(|c| {
            let (kind, group) = (c.seen.kind.to_ascii_lowercase(), c.group.to_ascii_lowercase());
            let own = |rest: &str| ["", "cluster", "failover"].contains(&rest);
            names(component).iter().any(|name| {
                kind.strip_prefix(name).is_some_and(own)
                    || (["cluster", "tenant"].contains(&kind.as_str()) && group.contains(name))
            })
        })
    }

    /// Components of whose operators there is an object, and one of whose names the text has as a part.
    pub(super) fn operates(&self, text: &str) -> bool {
        let text = format!("-{}-", text.to_ascii_lowercase());
        let meant =
            |c: &Component| names(*c).iter().any(|name| text.contains(&format!("-{name}-")));
        Component::ALL.iter().any(|c| meant(c) && self.operated(*c).is_some())
    }

    /// Groups of other people's kinds that may be an operator's way to the component.
    pub(super) fn operated(&self, component: Component) -> Option<String> {
        let may = |text: &str| {
            let lower = text.to_ascii_lowercase();
            names(component).iter().any(|name| lower.contains(name))
        };
        let custom = &self.inventory.custom;
        custom.iter().find(|c| may(&c.group) || may(&c.seen.kind)).map(|c| c.seen.to_string())
    }
}

/// The platform's own: it looks like one, and its name says of no other part that it belongs to it.
fn is(workload: &Workload, name: &str) -> bool {
    looks_like(workload, name) && !another_parts(workload, name)
}

/// Whether what is left of the object's name and its release, without role and component, names another part:
/// `odg-airflow-postgresql` is Airflow's.
fn another_parts(workload: &Workload, name: &str) -> bool {
    let lower = workload.seen.name.to_ascii_lowercase();
    let bare = without_role(&lower);
    let front = bare.strip_suffix(name).unwrap_or(bare);
    let instance = workload
        .labels
        .get("app.kubernetes.io/instance")
        .or_else(|| workload.pod_labels.get("app.kubernetes.io/instance"));
    let instance = instance.map(|i| i.to_ascii_lowercase()).unwrap_or_default();
    let parts = [format!("-{front}-"), format!("-{instance}-")];
    let other = |owner: &str| {
        // `postgresql-ha` is PostgreSQL, and `federation` a part of `cosmos-federation`.
        !owner.contains(name)
            && !name.contains(owner)
            && parts.iter().any(|part| part.contains(&format!("-{owner}-")))
    };
    let components = Component::ALL.into_iter().flat_map(|c| names(c).iter().copied());
    let aliases = |owner: &str| {
        // Two names of one component are no two parts.
        let both = |c: &Component| names(*c).contains(&owner) && names(*c).contains(&name);
        Component::ALL.iter().any(both)
    };
    components.filter(|owner| !aliases(owner)).chain(OWNERS).any(other)
}

/// A name without the role that a component's workload adds to it.
fn without_role(text: &str) -> &str {
    ROLES.iter().find_map(|role| text.strip_suffix(role)?.strip_suffix('-')).unwrap_or(text)
}

/// By the label that charts set; by the object's name and the image only where there is no label.
fn looks_like(workload: &Workload, name: &str) -> bool {
    let label = ["app.kubernetes.io/name", "app", "k8s-app"]
        .iter()
        .find_map(|key| workload.pod_labels.get(*key).or_else(|| workload.labels.get(*key)));
    let named = |text: &str| {
        let text = text.to_ascii_lowercase();
        [text.as_str(), without_role(&text)]
            .iter()
            .any(|t| *t == name || t.strip_suffix(name).is_some_and(|p| p.ends_with('-')))
    };
    if let Some(label) = label {
        // `odg` as a label says whose it is, not what it is.
        return named(label) || (label_is_release(workload, label) && named(&workload.seen.name));
    }
    named(&workload.seen.name)
        || workload.main().is_some_and(|c| {
            let image = c.image.split(['@', ' ']).next().unwrap_or_default();
            let last = image.rsplit('/').next().unwrap_or_default();
            last.split(':').next() == Some(name)
        })
}

/// A label that all objects of a release bear, whatever they are.
fn label_is_release(workload: &Workload, label: &str) -> bool {
    let instance = workload.labels.get("app.kubernetes.io/instance");
    instance.is_some_and(|i| i == label)
        || label == "opendatagov"
        || workload.seen.name.starts_with(&format!("{label}-"))
}
