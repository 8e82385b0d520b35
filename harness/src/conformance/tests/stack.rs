//! Manifests of a deployment that keeps a profile's promises. Each line that a test may break names whose it is.

use std::fmt::Write as _;

use odg_profiles::values::{Fact, Unit};
use odg_profiles::{Component, Presence, Profile};

struct Pod<'a> {
    kind: &'a str,
    name: &'a str,
    replicas: u32,
    resources: String,
    volume: Option<String>,
    extra: &'a str,
}

/// The manifests of a profile.
pub(super) fn manifests(profile: &Profile) -> String {
    let mut out = String::new();
    for (name, service) in &profile.services {
        if service.presence != Presence::Present {
            continue;
        }
        let amounts = |q: &Option<odg_profiles::model::Quantities>| {
            q.as_ref().map_or_else(
                || "cpu: 100m, memory: 128Mi".to_owned(),
                |q| {
                    let memory =
                        Fact::Amount(q.memory.bytes().to_string().parse().unwrap(), Unit::Count);
                    let gpu = q.gpu.map_or_else(String::new, |n| format!(", nvidia.com/gpu: {n}"));
                    format!("cpu: {}, memory: {memory}{gpu}", q.cpu)
                },
            )
        };
        let requests =
            amounts(if service.requests.is_some() { &service.requests } else { &service.limits });
        pod(
            &mut out,
            profile,
            &Pod {
                kind: "Deployment",
                name,
                replicas: service.replicas.unwrap_or(1),
                resources: format!(
                    "{{requests: {{{requests}}}, limits: {{{}}}}}",
                    amounts(&service.limits)
                ),
                volume: None,
                extra: &service
                    .node_selector
                    .iter()
                    .map(|(k, v)| format!("\n      nodeSelector: {{{k}: {v}}}"))
                    .collect::<String>(),
            },
        );
        if let Some(s) = &service.autoscaling {
            let _ = write!(
                out,
                "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: odg-{name}}}\nspec:\n  \
                 scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: odg-{name}}}\n  minReplicas: {} # {name}\n  \
                 maxReplicas: {} # {name}\n  metrics:\n    - {{type: Resource, resource: {{name: cpu, target: {{type: Utilization, averageUtilization: {}}}}}}} # {name}\n",
                s.min_replicas, s.max_replicas, s.target_cpu_percent
            );
            if let Some(memory) = s.target_memory_percent {
                let _ = writeln!(
                    out,
                    "    - {{type: Resource, resource: {{name: memory, target: {{type: Utilization, averageUtilization: {memory}}}}}}}"
                );
            }
        }
    }
    for component in Component::ALL {
        if profile.presence(component) != Presence::Present {
            continue;
        }
        let name = match component {
            Component::Gpu | Component::MultiAz | Component::AiExperts => continue,
            Component::CosmosFederation => "federation-service",
            other => other.name(),
        };
        let claim = profile.storage.claims.get(&component);
        pod(
            &mut out,
            profile,
            &Pod {
                kind: if claim.is_some() { "StatefulSet" } else { "Deployment" },
                name,
                replicas: claim
                    .map_or(1, |c| c.replicas.unwrap_or(if c.distributed { 4 } else { 1 })),
                resources:
                    "{requests: {cpu: 100m, memory: 128Mi}, limits: {cpu: 200m, memory: 256Mi}}"
                        .into(),
                volume: claim.map(|c| {
                    let class = profile.storage.class.as_deref().unwrap_or("standard");
                    format!("{}, {class}", c.size.to_string().trim_end_matches('B'))
                }),
                extra: match component {
                    Component::Kafka => {
                        "\n          env: [{name: KAFKA_CFG_DEFAULT_REPLICATION_FACTOR, value: \"3\"}]"
                    }
                    Component::Postgresql => "\n          args: [-c, max_connections=1000]",
                    _ => "",
                },
            },
        );
    }
    for part in ["grafana", "victoria-metrics", "loki"] {
        pod(
            &mut out,
            profile,
            &Pod {
                kind: "Deployment",
                name: part,
                replicas: 1,
                resources: "{requests: {cpu: 50m, memory: 64Mi}, limits: {cpu: 50m, memory: 64Mi}}"
                    .into(),
                volume: None,
                extra: "",
            },
        );
    }
    out.push_str(REST);
    if let (true, Some(schedule)) = (profile.backup.enabled, &profile.backup.schedule) {
        let _ = write!(
            out,
            "---\napiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: odg-backup}}\nspec:\n  schedule: \"{schedule}\"\n  \
             suspend: false\n  jobTemplate: {{spec: {{template: {{spec: {{containers: [{{name: backup, image: b, env: \
             [{{name: BACKUP_RETENTION_DAYS, value: \"{}\"}}]}}]}}}}}}}}\n",
            profile.backup.retention_days.unwrap_or(1)
        );
    }
    out
}

const REST: &str = "---
apiVersion: v1
kind: ConfigMap
metadata: {name: odg-kafka}
data:
  server.properties: |
    listener.security.protocol.map=CLIENT:SASL_SSL,CONTROLLER:PLAINTEXT
---
apiVersion: v1
kind: Secret
metadata: {name: odg-postgresql}
data: {postgres-password: cThYbjJ2THI5dFl3}
---
apiVersion: v1
kind: Secret
metadata: {name: odg-alertmanager}
stringData:
  alertmanager.yaml: |
    receivers: [{pagerduty_configs: [], slack_configs: [], email_configs: []}]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: shared}
spec: {storageClassName: premium-ssd, resources: {requests: {storage: 1Gi}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: odg-reports}
spec:
  selector: {matchLabels: {app.kubernetes.io/name: reports}}
  template:
    metadata: {labels: {app.kubernetes.io/name: reports}}
    spec:
      volumes: [{name: shared, persistentVolumeClaim: {claimName: shared}}]
      containers: [{name: reports, image: r, resources: {limits: {cpu: 50m, memory: 64Mi}}}]
";

fn pod(out: &mut String, profile: &Profile, pod: &Pod<'_>) {
    let Pod { kind, name, replicas, resources, extra, .. } = pod;
    let spread = if profile.ha.enabled {
        format!(
            "\n      topologySpreadConstraints: [{{maxSkew: 1, labelSelector: {{matchLabels: {{app.kubernetes.io/name: {name}}}}}, \
             topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule}}] # {name}"
        )
    } else {
        String::new()
    };
    // What belongs to the pod stands in front of the containers, what belongs to the container behind.
    let (of_pod, of_container) =
        if extra.contains("nodeSelector") { (*extra, "") } else { ("", *extra) };
    let _ = write!(
        out,
        "---\napiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: odg-{name}, labels: {{app.kubernetes.io/name: {name}}}}}\nspec:\n  \
         replicas: {replicas} # {name}\n  selector: {{matchLabels: {{app.kubernetes.io/name: {name}}}}} # {name}\n  template:\n    \
         metadata: {{labels: {{app.kubernetes.io/name: {name}}}}} # {name}\n    spec:{spread}{of_pod}\n      containers:\n        - name: {name}\n          \
         image: registry.example/{name}:1 # {name}\n          ports: [{{name: main, containerPort: 8000}}] # {name}\n          resources: {resources} # {name}{of_container}\n"
    );
    if let Some(volume) = &pod.volume {
        let (size, class) = volume.split_once(", ").unwrap();
        let _ = write!(
            out,
            "  volumeClaimTemplates: # {name}\n    - metadata: {{name: data}}\n      spec: {{storageClassName: {class}, resources: {{requests: {{storage: {size}}}}}}} # {name}\n"
        );
    }
    let _ = write!(
        out,
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: odg-{name}}}\nspec:\n  selector: {{app.kubernetes.io/name: {name}}} # svc {name}\n  \
         ports: [{{port: 8000, targetPort: main}}] # svc {name}\n\
         ---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {{name: odg-{name}}}\nspec:\n  maxUnavailable: 1 # pdb {name}\n  \
         selector: {{matchLabels: {{app.kubernetes.io/name: {name}}}}} # pdb {name}\n\
         ---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: odg-{name}}}\nspec:\n  \
         podSelector: {{matchLabels: {{app.kubernetes.io/name: {name}}}}} # policy {name}\n"
    );
}
