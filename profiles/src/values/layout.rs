//! Which layout a values file is written in.

use super::yaml::{Node, Place, Value};

/// How values are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// As on the deployment page: by kind of setting (`replicas.governanceEngine`).
    Page,
    /// As the platform's chart reads them: a block for each component (`governance-engine.replicaCount`).
    Chart,
}

impl Layout {
    /// For people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Page => "the deployment page's layout",
            Self::Chart => "the chart's layout",
        }
    }
}

/// Top-level keys of the deployment page.
pub(super) const PAGE: [&str; 12] = [
    "profile",
    "resources",
    "components",
    "storage",
    "replicas",
    "autoscaling",
    "nodeSelector",
    "ha",
    "multiRegion",
    "monitoring",
    "backup",
    "cosmos",
];

/// Top-level keys of the deployment page's tuning, some of which the chart has too.
const TUNING: [&str; 6] =
    ["postgres", "kafka", "minio", "dataExpert", "governanceEngine", "topologySpreadConstraints"];

/// Blocks that the platform's chart or its dependencies read.
pub const BLOCKS: [&str; 54] = [
    "global",
    "governance-engine",
    "lakehouse-agent",
    "quality-gate",
    "data-expert",
    "gateway",
    "ai-experts",
    "rag-expert",
    "code-expert",
    "vision-expert",
    "nlp-expert",
    "gpu-manager",
    "federation-service",
    "federation",
    "postgresql",
    "redis",
    "minio",
    "nats",
    "kafka",
    "kafka-connect",
    "trino",
    "airflow",
    "superset",
    "timescaledb",
    "qdrant",
    "datahub",
    "mlflow",
    "kubeflow",
    "kserve",
    "feast",
    "spark",
    "flink",
    "couchdb",
    "janusgraph",
    "cassandra",
    "grafana",
    "loki",
    "tempo",
    "jaeger",
    "otel-collector",
    "victoria-metrics",
    "keycloak",
    "opa",
    "vault",
    "istio",
    "certManager",
    "cert-manager",
    "networkPolicies",
    "podSecurity",
    "ingress",
    "serviceMonitor",
    "argocd",
    "finops-dashboard",
    "support-portal",
];

/// Keys of one file that belong to the other layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mixed {
    /// The key.
    pub key: String,
    /// Where it stands.
    pub place: Place,
}

/// The layout that most of the top-level keys belong to. Where it cannot be told, the chart's: Helm would read it so.
pub fn layout(root: &Node) -> Layout {
    let of =
        |layout| root.entries().iter().filter(move |e| belongs(&e.key, &e.node) == Some(layout));
    if of(Layout::Page).count() > of(Layout::Chart).count() { Layout::Page } else { Layout::Chart }
}

/// The layout that a top-level key belongs to, where only one has it.
pub(super) fn belongs(key: &str, node: &Node) -> Option<Layout> {
    if key == "cosmos" {
        let page = node.get("instances").is_some() || node.get("crdt").is_some();
        return page.then_some(Layout::Page);
    }
    if TUNING.contains(&key) {
        let block = ["enabled", "persistence", "resources", "broker", "auth", "statefulset"];
        let chart = block.iter().any(|k| node.get(k).is_some());
        return if chart { Some(Layout::Chart) } else { None };
    }
    let map = matches!(node.value, Value::Map(_));
    if PAGE.contains(&key) && (map || key == "profile") {
        return Some(Layout::Page);
    }
    BLOCKS.contains(&key).then_some(Layout::Chart)
}

/// Whether a layout has a top-level key of this name.
pub(super) fn reads(layout: Layout, key: &str) -> bool {
    match layout {
        Layout::Page => PAGE.contains(&key) || TUNING.contains(&key),
        Layout::Chart => BLOCKS.contains(&key),
    }
}

/// All top-level keys of a layout, for "the nearest is".
pub(super) fn known(layout: Layout) -> Vec<&'static str> {
    match layout {
        Layout::Page => PAGE.into_iter().chain(TUNING).collect(),
        Layout::Chart => BLOCKS.to_vec(),
    }
}
