//! Which workload is which component.

use odg_profiles::Component;

use crate::conformance::manifest::{Inventory, Workload};

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

    /// Workloads of a service, or of a part of the observability stack.
    pub(super) fn named(&self, name: &str) -> Vec<&'a Workload> {
        self.inventory.workloads.iter().filter(|w| is(w, name)).collect()
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

/// By the label that charts set; by the object's name and the image only where there is no label.
fn is(workload: &Workload, name: &str) -> bool {
    let label = ["app.kubernetes.io/name", "app", "k8s-app"]
        .iter()
        .find_map(|key| workload.pod_labels.get(*key).or_else(|| workload.labels.get(*key)));
    let named = |text: &str| {
        let text = text.to_ascii_lowercase();
        let bare = ROLES
            .iter()
            .find_map(|role| text.strip_suffix(role)?.strip_suffix('-'))
            .unwrap_or(&text);
        [text.as_str(), bare]
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
