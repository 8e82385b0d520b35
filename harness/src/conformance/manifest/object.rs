//! One document: which object it is, and what of it is kept.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use odg_profiles::values::in_configuration;
use odg_profiles::values::yaml::{Node, Place, Value};

use super::api::{self, ApiNote, ApiState};
use super::inventory::{
    Budget, Custom, Inventory, Policy, Scaler, Schedule, Seen, ServiceObject, VolumeClaim,
    WeakSecret, Wrong,
};
use super::secret::{url_weakness, weakness};
use super::workload::{self, Selector, WorkloadKind, claim_spec, labels};

/// Labels that the cluster gives to pods, which no manifest has.
const MADE_LABELS: [&str; 2] =
    ["statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"];

/// Deepest list of lists.
const MAX_LISTS: u8 = 4;

/// Adds an object, or all objects of a list. The error is where it stands and what it is instead.
pub(super) fn add(
    node: &Node,
    inventory: &mut Inventory,
    depth: u8,
) -> Result<(), (Place, String)> {
    let no_object = |what: String| Err((node.place.clone(), what));
    if !matches!(node.value, Value::Map(_)) {
        return no_object(format!("this is {}, no Kubernetes object", node.value.noun()));
    }
    let text = |key: &str| node.get(key).and_then(Node::text);
    let (Some(kind), Some(version)) = (text("kind"), text("apiVersion")) else {
        let lacks = if text("kind").is_none() { "kind" } else { "apiVersion" };
        return no_object(format!(
            "this is no Kubernetes object: it has no `{lacks}`; give what `helm template` prints"
        ));
    };
    if kind.ends_with("List") && node.get("items").is_some() {
        if depth >= MAX_LISTS {
            return no_object("lists lie in lists too deeply".to_owned());
        }
        let items = node.get("items").map(Node::items).unwrap_or_default();
        return items.iter().try_for_each(|item| add(item, inventory, depth + 1));
    }
    inventory.objects += 1;
    let name = node.at(&["metadata", "name"]).or_else(|| node.at(&["metadata", "generateName"]));
    let Some(name) = name.and_then(Node::scalar) else {
        return no_object(format!("this {kind} has no `metadata.name`"));
    };
    let namespace = node.at(&["metadata", "namespace"]).and_then(Node::scalar).unwrap_or_default();
    let seen = Seen { kind: kind.to_owned(), namespace, name, place: node.place.clone() };
    match api::state(kind, version) {
        None => {
            custom(node, seen, version, inventory);
            return Ok(());
        }
        Some(ApiState::Known) => {}
        // What it says is read all the same: the fields of interest were the same in every version.
        Some(state) => {
            let note = ApiNote { seen: seen.clone(), version: version.to_owned(), state };
            inventory.apis.push(note);
        }
    }
    read(node, seen, inventory);
    Ok(())
}

fn read(node: &Node, seen: Seen, inventory: &mut Inventory) {
    let mut problems = Vec::new();
    let mut wrong = |what: String| problems.push(what);
    let object = seen.clone();
    pod_secrets(node, &seen, inventory);
    match seen.kind.as_str() {
        "Deployment" | "StatefulSet" | "DaemonSet" | "Pod" => {
            let kind = match seen.kind.as_str() {
                "Deployment" => WorkloadKind::Deployment,
                "StatefulSet" => WorkloadKind::StatefulSet,
                "DaemonSet" => WorkloadKind::DaemonSet,
                _ => WorkloadKind::Pod,
            };
            inventory.workloads.push(workload::read(node, seen, kind, &mut wrong));
        }
        "Service" => inventory.services.push(service(node, seen)),
        "HorizontalPodAutoscaler" => inventory.scalers.push(scaler(node, seen, &mut wrong)),
        "PersistentVolumeClaim" => {
            let (size, class) = claim_spec(node.get("spec"), &mut wrong);
            inventory.claims.push(VolumeClaim { seen, size, class });
        }
        "CronJob" => inventory.schedules.push(cron_job(node, seen)),
        "PodDisruptionBudget" => {
            let field = |key: &str| node.at(&["spec", key]).and_then(Node::scalar);
            inventory.budgets.push(Budget {
                selector: Selector::read(node.at(&["spec", "selector"])),
                min_available: field("minAvailable"),
                max_unavailable: field("maxUnavailable"),
                seen,
            });
        }
        "NetworkPolicy" => {
            let selector = Selector::read(node.at(&["spec", "podSelector"]));
            inventory.policies.push(Policy { seen, selector });
        }
        "Secret" => secret(node, seen, inventory, &mut wrong),
        "ConfigMap" => config_map(node, &seen, inventory),
        _ => {}
    }
    inventory.wrong.extend(problems.into_iter().map(|what| Wrong { seen: object.clone(), what }));
}

/// Looks into the environment and the words of every container that an object runs, those that only prepare too.
fn pod_secrets(node: &Node, seen: &Seen, inventory: &mut Inventory) {
    let path: &[&str] = match seen.kind.as_str() {
        "Pod" => &["spec"],
        "CronJob" => &["spec", "jobTemplate", "spec", "template", "spec"],
        "Deployment"
        | "StatefulSet"
        | "DaemonSet"
        | "ReplicaSet"
        | "ReplicationController"
        | "Job" => &["spec", "template", "spec"],
        _ => return,
    };
    let Some(pod) = node.at(path) else { return };
    let items = |node: &Node, key: &str| -> Vec<Node> {
        node.get(key).map(Node::items).unwrap_or_default().to_vec()
    };
    for container in ["containers", "initContainers"].iter().flat_map(|key| items(pod, key)) {
        for variable in items(&container, "env") {
            let text = |key: &str| variable.get(key).and_then(Node::scalar);
            let (Some(key), Some(value)) = (text("name"), text("value")) else { continue };
            inventory.variables += 1;
            let why = weakness(&key, &value).or_else(|| url_weakness(&value));
            weak(inventory, seen, &key, why);
        }
        for key in ["command", "args"] {
            for word in items(&container, key).iter().filter_map(Node::scalar) {
                weak(inventory, seen, key, url_weakness(&word));
            }
        }
    }
}

fn weak(inventory: &mut Inventory, seen: &Seen, key: &str, why: Option<String>) {
    let made = |why| WeakSecret { seen: seen.clone(), key: key.to_owned(), why };
    inventory.weak.extend(why.map(made));
}

fn service(node: &Node, seen: Seen) -> ServiceObject {
    let ports = node.at(&["spec", "ports"]).map(Node::items).unwrap_or_default();
    let kind = node.at(&["spec", "type"]).and_then(Node::text);
    ServiceObject {
        selector: labels(node.at(&["spec", "selector"]))
            .into_iter()
            .filter(|(key, _)| !MADE_LABELS.contains(&key.as_str()))
            .collect(),
        port_names: ports
            .iter()
            .filter_map(|p| p.get("targetPort")?.text().map(str::to_owned))
            .filter(|port| port.parse::<u16>().is_err())
            .collect(),
        external: kind == Some("ExternalName"),
        seen,
    }
}

fn scaler(node: &Node, seen: Seen, wrong: &mut impl FnMut(String)) -> Scaler {
    let spec = |path: &[&str]| node.get("spec").and_then(|s| s.at(path));
    let text = |path: &[&str]| spec(path).and_then(Node::scalar).unwrap_or_default();
    let mut whole = |path: &[&str]| workload::whole(spec(path)?, path[0], wrong);
    // What is left out is 1, as for Kubernetes.
    let (min, max) = (whole(&["minReplicas"]).unwrap_or(1), whole(&["maxReplicas"]).unwrap_or(0));
    let (mut cpu, mut memory) = (whole(&["targetCPUUtilizationPercentage"]), None);
    for metric in spec(&["metrics"]).map(Node::items).unwrap_or_default() {
        let of = |path: &[&str]| metric.at(path).and_then(Node::whole);
        let aim = of(&["resource", "target", "averageUtilization"])
            .or_else(|| of(&["resource", "targetAverageUtilization"]));
        match metric.at(&["resource", "name"]).and_then(Node::text) {
            Some("cpu") => cpu = aim,
            Some("memory") => memory = aim,
            _ => {}
        }
    }
    let target = (text(&["scaleTargetRef", "kind"]), text(&["scaleTargetRef", "name"]));
    Scaler { seen, target, min, max, cpu, memory }
}

fn cron_job(node: &Node, seen: Seen) -> Schedule {
    let pod = node.at(&["spec", "jobTemplate", "spec", "template", "spec"]);
    let containers = pod.and_then(|p| p.get("containers")).map(Node::items).unwrap_or_default();
    let env = containers.iter().flat_map(|c| c.get("env").map(Node::items).unwrap_or_default());
    let mut retention = None;
    for e in env {
        let name = e.get("name").and_then(Node::scalar).unwrap_or_default().to_ascii_uppercase();
        let value = e.get("value").and_then(Node::scalar).unwrap_or_default();
        if name.contains("RETENTION") || name.contains("KEEP_DAYS") {
            retention = retention.or_else(|| kept(&name, &value));
        }
    }
    for c in containers {
        let words =
            ["command", "args"].iter().flat_map(|k| c.get(k).map(Node::items).unwrap_or_default());
        let words: Vec<String> = words.filter_map(Node::scalar).collect();
        let text = words.join(" ");
        if let Some((_, after)) = text.split_once("retention") {
            // `--retention-days=30`, `--retention 30d`
            let at = after.find([' ', '=']).unwrap_or(after.len());
            let (name, value) = after.split_at(at);
            let value = value.trim_start_matches([' ', '=']).split_whitespace().next();
            retention = retention.or_else(|| kept(name, value.unwrap_or_default()));
        }
    }
    Schedule {
        labels: labels(node.at(&["metadata", "labels"])),
        schedule: node.at(&["spec", "schedule"]).and_then(Node::scalar).unwrap_or_default(),
        suspended: node.at(&["spec", "suspend"]).and_then(Node::flag).unwrap_or(false),
        retention_days: retention,
        seen,
    }
}

/// Days in `30` under a name that says days, or in what has a unit.
fn kept(name: &str, value: &str) -> Option<u64> {
    let plain = value.trim().parse::<u64>().ok();
    plain.filter(|_| name.to_ascii_lowercase().contains("day")).or_else(|| days(value))
}

/// Days in `30d` or `720h0m0s`. A number without unit may be hours, or copies.
fn days(text: &str) -> Option<u64> {
    let text = text.trim();
    odg_profiles::parse_duration(text).ok().map(|d| d.as_secs() / 86_400)
}

fn secret(node: &Node, seen: Seen, inventory: &mut Inventory, wrong: &mut impl FnMut(String)) {
    let entries = |key: &str| node.get(key).map(Node::entries).unwrap_or_default();
    let plain = entries("stringData").iter().map(|e| (e, e.node.scalar()));
    let encoded = entries("data").iter().map(|e| {
        let text = e.node.scalar().unwrap_or_default();
        let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let bytes = STANDARD.decode(compact).ok();
        (e, bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    });
    for (entry, value) in plain.chain(encoded) {
        let Some(value) = value else {
            wrong(format!("{} at line {} is not base64", entry.key, entry.place.line));
            continue;
        };
        let why = weakness(&entry.key, &value).or_else(|| url_weakness(&value));
        weak(inventory, &seen, &entry.key, why);
        routes(&value, inventory);
    }
    inventory.secrets.push(seen);
}

fn config_map(node: &Node, seen: &Seen, inventory: &mut Inventory) {
    inventory.configs += 1;
    for entry in node.get("data").map(Node::entries).unwrap_or_default() {
        let Some(text) = entry.node.text() else { continue };
        let why = weakness(&entry.key, text).or_else(|| url_weakness(text));
        weak(inventory, seen, &entry.key, why);
        routes(text, inventory);
        if inventory.max_connections.is_none() {
            let limit = in_configuration(text).map(|limit| (limit, seen.clone()));
            inventory.max_connections = limit;
        }
        if text.contains("listener") {
            inventory.listeners.push((listener_lines(text), seen.clone()));
        }
    }
}

/// The lines about listeners, so that whole configurations are not kept.
fn listener_lines(text: &str) -> String {
    let lines = text.lines().filter(|l| l.contains("listener") && !l.trim_start().starts_with('#'));
    lines.collect::<Vec<_>>().join("\n")
}

/// Kinds of alert routes, by the names of their settings in Alertmanager.
fn routes(text: &str, inventory: &mut Inventory) {
    for (route, marks) in [
        ("pagerduty", ["pagerduty_configs", "pagerdutyConfigs"]),
        ("slack", ["slack_configs", "slackConfigs"]),
        ("email", ["email_configs", "emailConfigs"]),
    ] {
        if marks.iter().any(|mark| text.contains(mark)) {
            inventory.routes.insert(route);
        }
    }
}

/// Somebody else's kind: read where it is a backup schedule or an alert route, counted otherwise.
fn custom(node: &Node, seen: Seen, version: &str, inventory: &mut Inventory) {
    let group = version.split('/').next().unwrap_or(version).to_owned();
    if group == "velero.io" && seen.kind == "Schedule" {
        let ttl = node.at(&["spec", "template", "ttl"]).and_then(Node::scalar);
        inventory.schedules.push(Schedule {
            labels: labels(node.at(&["metadata", "labels"])),
            schedule: node.at(&["spec", "schedule"]).and_then(Node::scalar).unwrap_or_default(),
            suspended: node.at(&["spec", "paused"]).and_then(Node::flag).unwrap_or(false),
            retention_days: ttl.and_then(|ttl| days(&ttl)),
            seen,
        });
        return;
    }
    if seen.kind == "AlertmanagerConfig" {
        let mut keys = String::new();
        key_names(node, &mut keys);
        routes(&keys, inventory);
    }
    inventory.custom.push(Custom { seen, group });
}

fn key_names(node: &Node, out: &mut String) {
    for entry in node.entries() {
        out.push_str(&entry.key);
        out.push(' ');
        key_names(&entry.node, out);
    }
    node.items().iter().for_each(|item| key_names(item, out));
}
