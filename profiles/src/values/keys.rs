//! Under which keys each layout states a promise.

use super::fact::{Kind, Unit};
use super::layout::Layout;
use super::promise::{BackupTopic, ClaimTopic, ServiceTopic, Topic};
use crate::component::Component;

/// A key and how to read what stands there.
pub(super) type Key = (Vec<String>, Kind);

fn key(path: &[&str], kind: Kind) -> Key {
    (path.iter().map(|part| (*part).to_owned()).collect(), kind)
}

/// `governance-engine` as the deployment page writes it: `governanceEngine`.
pub(super) fn camel(kebab: &str) -> String {
    let mut parts = kebab.split('-');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        out.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    out
}

/// Keys to look under, in this order; none where the layout has no key for it.
pub(super) fn keys(topic: &Topic, layout: Layout) -> Vec<Key> {
    match layout {
        Layout::Page => page(topic),
        Layout::Chart => chart(topic),
    }
}

/// A component as the deployment page's `storage` calls it.
fn page_storage(component: Component) -> &'static str {
    match component {
        Component::Postgresql => "postgres",
        other => other.name(),
    }
}

fn page(topic: &Topic) -> Vec<Key> {
    use Component as C;
    match topic {
        Topic::ProfileName => vec![key(&["profile"], Kind::Text)],
        Topic::Component(component) => match component {
            C::Postgresql => vec![key(&["storage", "postgres"], Kind::Block)],
            C::Minio => vec![key(&["storage", "minio"], Kind::Block)],
            C::Redis | C::Nats => vec![],
            C::AiExperts => vec![
                key(&["components", "experts"], Kind::Flag),
                key(&["resources", "dataExpert", "enabled"], Kind::Flag),
            ],
            C::CosmosFederation => vec![
                key(&["components", "cosmos"], Kind::Flag),
                key(&["cosmos", "enabled"], Kind::Flag),
            ],
            C::MultiAz => vec![
                key(&["components", "multiAZ"], Kind::Flag),
                key(&["ha", "enabled"], Kind::Flag),
            ],
            other => vec![key(&["components", other.name()], Kind::Flag)],
        },
        Topic::Service(name, about) => page_service(&camel(name), *about),
        Topic::NodeLabel { service, label } => {
            vec![key(&["nodeSelector", &camel(service), label], Kind::Text)]
        }
        Topic::StorageClass => vec![key(&["storage", "class"], Kind::Text)],
        Topic::ReplicationFactor => vec![key(&["storage", "replicationFactor"], Kind::Whole)],
        Topic::Claim(component, about) => {
            let block = page_storage(*component);
            let (name, kind) = match about {
                ClaimTopic::Size | ClaimTopic::Capacity => ("size", Kind::Amount(Unit::Bytes)),
                ClaimTopic::Replicas => ("replicas", Kind::Whole),
                ClaimTopic::Distributed => ("distributedMode", Kind::Distributed),
            };
            vec![key(&["storage", block, name], kind)]
        }
        Topic::Zones => vec![key(&["ha", "zones"], Kind::Names)],
        Topic::MultiRegion => vec![key(&["multiRegion", "enabled"], Kind::Flag)],
        Topic::Regions => vec![key(&["multiRegion", "regions"], Kind::Names)],
        Topic::Instances => vec![key(&["cosmos", "instances"], Kind::Ids)],
        Topic::Crdt => vec![key(&["cosmos", "crdt", "enabled"], Kind::Flag)],
        Topic::ConflictResolution => {
            vec![key(&["cosmos", "crdt", "conflictResolution"], Kind::Text)]
        }
        Topic::Stack(_) => vec![],
        Topic::AlertRoutes => vec![key(&["monitoring", "alerting"], Kind::Switches)],
        Topic::Uptime => {
            vec![key(&["monitoring", "sla", "uptime"], Kind::Amount(Unit::Percent))]
        }
        Topic::LatencyP99 => vec![key(&["monitoring", "sla", "latencyP99"], Kind::Time)],
        Topic::Backup(about) => {
            let (name, kind) = match about {
                BackupTopic::Enabled => ("enabled", Kind::Flag),
                BackupTopic::Schedule => ("schedule", Kind::Text),
                BackupTopic::Retention => ("retention", Kind::Whole),
                BackupTopic::CrossRegion => ("crossRegion", Kind::Flag),
            };
            vec![key(&["backup", name], kind)]
        }
        Topic::Tuning(setting) => tuning(setting),
    }
}

fn page_service(name: &str, about: ServiceTopic) -> Vec<Key> {
    use ServiceTopic as S;
    let resources =
        |part: &str, what: &str, kind| vec![key(&["resources", name, part, what], kind)];
    let scaling = |what: &str, kind| vec![key(&["autoscaling", name, what], kind)];
    let (cores, bytes) = (Kind::Amount(Unit::Cores), Kind::Amount(Unit::Bytes));
    match about {
        S::Presence => vec![key(&["resources", name], Kind::Block)],
        S::Replicas => vec![key(&["replicas", name], Kind::Whole)],
        S::LimitCpu => resources("limits", "cpu", cores),
        S::LimitMemory => resources("limits", "memory", bytes),
        // A quantity, which may be written `"1"`.
        S::LimitGpu => resources("limits", "nvidia.com/gpu", Kind::Amount(Unit::Count)),
        S::RequestCpu => resources("requests", "cpu", cores),
        S::RequestMemory => resources("requests", "memory", bytes),
        S::ScaleMin => scaling("minReplicas", Kind::Whole),
        S::ScaleMax => scaling("maxReplicas", Kind::Whole),
        S::ScaleCpu => scaling("targetCPUUtilization", Kind::Amount(Unit::Percent)),
        S::ScaleMemory => scaling("targetMemoryUtilization", Kind::Amount(Unit::Percent)),
    }
}

fn chart(topic: &Topic) -> Vec<Key> {
    use Component as C;
    match topic {
        Topic::ProfileName => vec![key(&["global", "profile"], Kind::Text)],
        Topic::Component(component) => match component {
            C::AiExperts => {
                vec![key(&["ai-experts"], Kind::Block), key(&["data-expert"], Kind::Block)]
            }
            C::Gpu => vec![
                key(&["global", "gpu", "enabled"], Kind::Flag),
                key(&["data-expert", "gpu", "enabled"], Kind::Flag),
            ],
            C::MultiAz => vec![key(&["global", "multiAZ"], Kind::Flag)],
            C::CosmosFederation => vec![
                key(&["federation-service"], Kind::Block),
                key(&["federation"], Kind::Block),
                key(&["cosmos"], Kind::Block),
            ],
            other => vec![key(&[other.name()], Kind::Block)],
        },
        Topic::Service(name, about) => chart_service(name, *about),
        Topic::NodeLabel { service, label } => {
            vec![key(&[service, "nodeSelector", label], Kind::Text)]
        }
        Topic::StorageClass => vec![key(&["global", "storageClass"], Kind::Text)],
        Topic::Claim(component, about) => chart_claim(*component, *about),
        Topic::Stack(part) => vec![key(&[&stack_block(part)], Kind::Block)],
        Topic::Tuning(setting) => tuning(setting),
        Topic::ReplicationFactor
        | Topic::Zones
        | Topic::MultiRegion
        | Topic::Regions
        | Topic::Instances
        | Topic::Crdt
        | Topic::ConflictResolution
        | Topic::AlertRoutes
        | Topic::Uptime
        | Topic::LatencyP99
        | Topic::Backup(_) => vec![],
    }
}

/// `VictoriaMetrics` as a chart is called: `victoria-metrics`.
pub(super) fn stack_block(part: &str) -> String {
    let mut out = String::new();
    for (at, c) in part.char_indices() {
        if c.is_ascii_uppercase() && at > 0 {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

fn chart_service(name: &str, about: ServiceTopic) -> Vec<Key> {
    use ServiceTopic as S;
    let resources = |part: &str, what: &str, kind| key(&[name, "resources", part, what], kind);
    let scaling = |what: &str, kind| key(&[name, "autoscaling", what], kind);
    let (cores, bytes) = (Kind::Amount(Unit::Cores), Kind::Amount(Unit::Bytes));
    let percent = Kind::Amount(Unit::Percent);
    match about {
        S::Presence => vec![key(&[name], Kind::Block)],
        S::Replicas => vec![key(&[name, "replicaCount"], Kind::Whole)],
        S::LimitCpu => vec![resources("limits", "cpu", cores)],
        S::LimitMemory => vec![resources("limits", "memory", bytes)],
        S::LimitGpu => vec![
            resources("limits", "nvidia.com/gpu", Kind::Amount(Unit::Count)),
            key(&[name, "gpu", "count"], Kind::Whole),
        ],
        S::RequestCpu => vec![resources("requests", "cpu", cores)],
        S::RequestMemory => vec![resources("requests", "memory", bytes)],
        S::ScaleMin => vec![scaling("minReplicas", Kind::Whole)],
        S::ScaleMax => vec![scaling("maxReplicas", Kind::Whole)],
        S::ScaleCpu => vec![
            scaling("targetCPUUtilizationPercentage", percent),
            scaling("targetCPUUtilization", percent),
        ],
        S::ScaleMemory => vec![
            scaling("targetMemoryUtilizationPercentage", percent),
            scaling("targetMemoryUtilization", percent),
        ],
    }
}

fn chart_claim(component: Component, about: ClaimTopic) -> Vec<Key> {
    use Component as C;
    let size = Kind::Amount(Unit::Bytes);
    let name = component.name();
    match (about, component) {
        (ClaimTopic::Size | ClaimTopic::Capacity, C::Postgresql) => vec![
            key(&[name, "primary", "persistence", "size"], size),
            key(&[name, "persistence", "size"], size),
        ],
        (ClaimTopic::Size | ClaimTopic::Capacity, C::Kafka) => vec![
            key(&[name, "broker", "persistence", "size"], size),
            key(&[name, "persistence", "size"], size),
        ],
        (ClaimTopic::Size | ClaimTopic::Capacity, _) => {
            vec![key(&[name, "persistence", "size"], size)]
        }
        (ClaimTopic::Replicas, C::Postgresql) => {
            vec![key(&[name, "readReplicas", "replicaCount"], Kind::Beside)]
        }
        (ClaimTopic::Replicas, C::Kafka) => vec![
            key(&[name, "broker", "replicaCount"], Kind::Whole),
            key(&[name, "replicaCount"], Kind::Whole),
        ],
        (ClaimTopic::Replicas, C::Minio) => vec![
            key(&[name, "statefulset", "replicaCount"], Kind::Whole),
            key(&[name, "replicas"], Kind::Whole),
        ],
        (ClaimTopic::Replicas, _) => vec![key(&[name, "replicaCount"], Kind::Whole)],
        (ClaimTopic::Distributed, _) => vec![key(&[name, "mode"], Kind::Distributed)],
    }
}

/// A recommended setting is written as its own path; Kafka's settings have dots in their last part.
fn tuning(setting: &str) -> Vec<Key> {
    let parts: Vec<&str> = setting.split('.').collect();
    let plain = key(&parts, Kind::Text);
    match setting.split_once(".config.") {
        Some((block, name)) => vec![key(&[block, "config", name], Kind::Text), plain],
        None => vec![plain],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_each_layout_writes_them() {
        assert_eq!(camel("governance-engine"), "governanceEngine");
        assert_eq!(stack_block("VictoriaMetrics"), "victoria-metrics");
    }

    #[test]
    fn a_setting_of_kafka_keeps_its_dots() {
        assert_eq!(tuning("kafka.config.linger.ms")[0].0, ["kafka", "config", "linger.ms"]);
        assert_eq!(tuning("minio.mode")[0].0, ["minio", "mode"]);
    }
}
