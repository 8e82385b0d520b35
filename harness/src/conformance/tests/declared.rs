use super::*;
use crate::conformance::requirement;
use odg_reports::conformance::Relation;

const PAGE_SMALL: &str = include_str!("../../../../tests/fixtures/values/page-small.yaml");
const PAGE_MEDIUM: &str = include_str!("../../../../tests/fixtures/values/page-medium.yaml");
const PAGE_LARGE: &str = include_str!("../../../../tests/fixtures/values/page-large.yaml");
const CHART_SMALL: &str = include_str!("../../../../tests/fixtures/values/chart-small.yaml");
const CHART_LARGE: &str = include_str!("../../../../tests/fixtures/values/chart-large.yaml");

/// Settings that the page recommends for large, and connections that suffice.
const TUNED: &str =
    "\npostgres: {maxConnections: 700, sharedBuffers: 16GB}\nminio: {mode: distributed}\n";

/// Requirement, profile, values in which it holds, and what breaks them: text and its replacement.
const BREAKS: [(&str, &str, &str, &str, &str); 41] = [
    ("component.presence", "small", PAGE_SMALL, "kafka: true", "kafka: false"),
    ("component.presence", "small", PAGE_SMALL, "qdrant: false", "qdrant: true"),
    (
        "component.presence",
        "small",
        CHART_SMALL,
        "qdrant: {enabled: false}",
        "qdrant: {enabled: true}",
    ),
    (
        "component.presence",
        "small",
        CHART_SMALL,
        "redis:\n  enabled: true",
        "redis:\n  enabled: false",
    ),
    (
        "service.presence",
        "small",
        CHART_SMALL,
        "quality-gate:\n  enabled: true",
        "quality-gate:\n  enabled: false",
    ),
    ("service.replicas", "large", PAGE_LARGE, "lakehouseAgent: 3", "lakehouseAgent: 2"),
    ("service.replicas", "large", PAGE_LARGE, "  lakehouseAgent: 3\n", ""),
    ("service.limits", "large", PAGE_LARGE, "cpu: 16000m", "cpu: 15999m"),
    (
        "service.limits",
        "large",
        CHART_LARGE,
        "limits: {cpu: 16, memory: 64Gi}",
        "limits: {cpu: 16, memory: 63Gi}",
    ),
    ("service.requests", "large", PAGE_LARGE, "memory: 32Gi", "memory: 32G"),
    ("service.gpu", "large", PAGE_LARGE, "nvidia.com/gpu: 2", "nvidia.com/gpu: 1"),
    (
        "service.gpu",
        "large",
        CHART_LARGE,
        "gpu: {enabled: true, count: 2}\n\npostgresql",
        "gpu: {enabled: true, count: 1}\n\npostgresql",
    ),
    ("scaling.bounds", "large", PAGE_LARGE, "maxReplicas: 20", "maxReplicas: 19"),
    (
        "scaling.bounds",
        "large",
        PAGE_LARGE,
        "autoscaling:\n  enabled: true",
        "autoscaling:\n  enabled: false",
    ),
    (
        "scaling.targets",
        "large",
        PAGE_LARGE,
        "targetCPUUtilization: 60",
        "targetCPUUtilization: 80",
    ),
    ("storage.size", "large", PAGE_LARGE, "size: 1000Gi", "size: 999Gi"),
    ("storage.size", "large", PAGE_LARGE, "size: 5000Gi", "size: 4Ti"),
    ("storage.replicas", "large", PAGE_LARGE, "replicas: 5", "replicas: 3"),
    ("storage.distributed", "large", PAGE_LARGE, "distributedMode: true", "distributedMode: false"),
    ("storage.class", "large", PAGE_LARGE, "class: premium-ssd", "class: local-path"),
    ("storage.copies", "large", PAGE_LARGE, "replicationFactor: 3", "replicationFactor: 2"),
    ("zones.count", "large", PAGE_LARGE, "    - us-east-1c\n", ""),
    ("regions.promised", "large", PAGE_LARGE, "    - ap-southeast-1\n", ""),
    (
        "federation.settings",
        "large",
        PAGE_LARGE,
        "conflictResolution: lww",
        "conflictResolution: manual",
    ),
    (
        "observability.stack",
        "small",
        CHART_SMALL,
        "loki: {enabled: true}",
        "loki: {enabled: false}",
    ),
    ("observability.routes", "large", PAGE_LARGE, "slack: true", "slack: false"),
    ("objective.stated", "large", PAGE_LARGE, "uptime: 99.99", "uptime: 99.9"),
    ("objective.stated", "large", PAGE_LARGE, "latencyP99: 100ms", "latencyP99: 1s"),
    (
        "backup.enabled",
        "large",
        PAGE_LARGE,
        "backup:\n  enabled: true",
        "backup:\n  enabled: false",
    ),
    ("backup.schedule", "large", PAGE_LARGE, "0 */6 * * *", "0 */8 * * *"),
    ("backup.retention", "large", PAGE_LARGE, "retention: 30", "retention: 7"),
    ("backup.cross-region", "large", PAGE_LARGE, "crossRegion: true", "crossRegion: false"),
    ("placement.node-label", "medium", PAGE_MEDIUM, "nvidia-tesla-t4", "nvidia-l4"),
    ("tuning.setting", "large", "TUNED", "sharedBuffers: 16GB", "sharedBuffers: 1GB"),
    ("files.profile", "large", PAGE_LARGE, "profile: large", "profile: medium"),
    (
        "files.layout",
        "small",
        PAGE_SMALL,
        "profile: small",
        "profile: small\nquality-gate: {replicaCount: 2}",
    ),
    ("files.unread", "small", PAGE_SMALL, "qualityGate: 1", "qualityGat: 1"),
    ("files.types", "small", PAGE_SMALL, "qualityGate: 1", "qualityGate: one"),
    ("totals.storage", "small", PAGE_SMALL, "size: 50Gi", "size: 70Gi"),
    ("connections.limit", "large", "TUNED", "maxConnections: 700", "maxConnections: 500"),
    (
        "security.kafka",
        "small",
        CHART_SMALL,
        "clientProtocol: sasl_ssl",
        "clientProtocol: plaintext",
    ),
];

/// As above, where several lines change.
const BREAKS_SUMS: [(&str, &str, &str); 4] = [
    ("totals.requests", "governanceEngine: 1", "governanceEngine: 13"),
    ("totals.limits", "governanceEngine: 1", "governanceEngine: 13"),
    (
        "totals.gpu",
        "limits:\n      cpu: 2000m",
        "limits:\n      nvidia.com/gpu: 1\n      cpu: 2000m",
    ),
    ("security.default-secret", "profile: small", "profile: small\npostgres: {password: postgres}"),
];

fn text(base: &str) -> String {
    match base {
        "TUNED" => format!("{PAGE_LARGE}{TUNED}"),
        other => other.to_owned(),
    }
}

#[test]
fn every_declared_requirement_holds_in_sound_values_and_breaks_in_its_own_way() {
    let sums =
        BREAKS_SUMS.map(|(requirement, from, to)| (requirement, "small", PAGE_SMALL, from, to));
    let mut failed = Vec::new();
    for (requirement, profile, base, from, to) in BREAKS.into_iter().chain(sums) {
        let sound = text(base);
        let good = judge_values(profile, &sound);
        let bad = judge_values(profile, &replaced(&sound, from, to));
        failed.extend(unbroken(requirement, &good, &bad).map(|told| format!("{told} ({to})")));
    }
    assert_eq!(failed, Vec::<String>::new());
}

#[test]
fn no_declared_requirement_is_without_a_test() {
    let tested: Vec<&str> =
        BREAKS.iter().map(|b| b.0).chain(BREAKS_SUMS.iter().map(|b| b.0)).collect();
    for requirement in requirement::ALL.iter().filter(|r| r.declared.is_some()) {
        assert!(tested.contains(&requirement.id), "{}", requirement.id);
    }
}

fn required_broken(findings: &[Finding]) -> Vec<String> {
    let broken = findings.iter().filter(|f| f.required && f.verdict == Verdict::Fail);
    broken.map(|f| format!("{} {}", f.requirement, f.subject).trim().to_owned()).collect()
}

#[test]
fn the_pages_own_values_break_only_what_the_page_contradicts_itself_in() {
    assert_eq!(required_broken(&judge_values("small", PAGE_SMALL)), Vec::<String>::new());
    // Two replicas with a GPU each, and one GPU promised; thirty connections of each of ten processes.
    let medium = judge_values("medium", PAGE_MEDIUM);
    assert_eq!(required_broken(&medium), ["totals.gpu", "connections.limit governance-engine"]);
    let large = judge_values("large", &text("TUNED").replace("700", "500"));
    assert_eq!(required_broken(&large), ["connections.limit governance-engine"]);
    // Lower bounds that are exceeded are shown, and do not count.
    for requirement in ["totals.storage", "totals.gpu", "totals.limits"] {
        assert!(!broken(&large, requirement).is_empty(), "{requirement}");
    }
}

#[test]
fn the_charts_own_values_differ_from_the_page_where_they_are_known_to() {
    let large = required_broken(&judge_values("large", CHART_LARGE));
    // 4 × 1 TiB against 5000 GiB, 5 × 500 against 5 × 1000 GiB, and no NATS, VictoriaMetrics or federation at all.
    for known in [
        "storage.size minio in all",
        "storage.size kafka",
        "component.presence nats",
        "component.presence cosmos-federation",
        "observability.stack VictoriaMetrics",
        "scaling.targets governance-engine cpu target",
        "connections.limit governance-engine",
    ] {
        assert!(large.iter().any(|b| b == known), "{known} among {large:?}");
    }
    // No values file of the chart has a key for backups: that can be kept elsewhere.
    let findings = judge_values("large", CHART_LARGE);
    let backup = findings.iter().find(|f| f.requirement == "backup.schedule").unwrap();
    assert_eq!((backup.verdict, backup.relation), (Verdict::NotVerified, Relation::Missing));
}

#[test]
fn a_finding_names_what_is_promised_what_is_declared_where_and_how_they_stand() {
    let broken = replaced(PAGE_LARGE, "lakehouseAgent: 3", "lakehouseAgent: 2");
    let findings = judge_values("large", &broken);
    let is = |f: &&Finding| f.requirement == "service.replicas" && f.subject == "lakehouse-agent";
    let found = findings.iter().find(is).unwrap();
    let line = 1 + broken.lines().position(|l| l.contains("lakehouseAgent: 2")).unwrap();
    assert_eq!(found.place, format!("v.yaml:{line}"));
    assert_eq!((found.promised.as_str(), found.found.as_str()), ("3 or more", "2"));
    assert_eq!(found.relation, Relation::Less);
    assert!(found.source.contains("values-large.yaml"), "{}", found.source);
    let more = replaced(PAGE_LARGE, "lakehouseAgent: 3", "lakehouseAgent: 4");
    let findings = judge_values("large", &more);
    let found = findings.iter().find(is).unwrap();
    assert_eq!((found.relation, found.verdict), (Relation::More, Verdict::Pass));
}

#[test]
fn a_placeholder_in_a_list_of_passwords_is_found_and_not_quoted() {
    let listed =
        format!("{CHART_SMALL}\nkeycloak: {{auth: {{clientPasswords: [abc-change-me-xyz]}}}}\n");
    let findings = judge_values("small", &listed);
    let found = findings.iter().find(|f| f.requirement == "security.default-secret").unwrap();
    assert_eq!((found.verdict, found.required), (Verdict::Fail, true));
    let all = serde_json::to_string(&findings).unwrap();
    assert!(!all.contains("abc-change"), "{all}");
}

fn verdict_of(findings: &[Finding], requirement: &str, subject: &str) -> Verdict {
    let is = |f: &&Finding| f.requirement == requirement && f.subject == subject;
    findings.iter().find(is).unwrap_or_else(|| panic!("{requirement} {subject}")).verdict
}

#[test]
fn silence_is_no_absence_until_the_chart_says_so() {
    let silent = replaced(CHART_SMALL, "qdrant: {enabled: false}", "");
    let findings = judge_values("small", &silent);
    assert_eq!(verdict_of(&findings, "component.presence", "qdrant"), Verdict::NotVerified);
    let judge = |reads: &[&str]| {
        let material = Material {
            values: Some(values(&silent)),
            chart_reads: Some(reads.iter().map(|r| (*r).to_owned()).collect()),
            ..Material::default()
        };
        let findings = certificate("small", &material).findings;
        verdict_of(&findings, "component.presence", "qdrant")
    };
    assert_eq!(judge(&["kafka", "redis"]), Verdict::Pass);
    assert_eq!(judge(&["kafka", "qdrant"]), Verdict::NotVerified);
}

#[test]
fn a_volume_or_an_autoscaler_that_is_not_switched_on_keeps_nothing() {
    let off = replaced(
        CHART_LARGE,
        "persistence: {enabled: true, size: 500Gi}",
        "persistence: {enabled: false, size: 500Gi}",
    );
    let findings = judge_values("large", &off);
    assert_eq!(verdict_of(&findings, "storage.size", "postgresql"), Verdict::Fail);
    let scaled = "autoscaling: {enabled: true, minReplicas: 5, maxReplicas: 20}";
    let open = replaced(CHART_LARGE, scaled, "autoscaling: {minReplicas: 5, maxReplicas: 20}");
    let findings = judge_values("large", &open);
    let bounds = |subject: &str| verdict_of(&findings, "scaling.bounds", subject);
    assert_eq!(bounds("governance-engine max"), Verdict::NotVerified);
    // The autoscaler's minimum is what runs.
    let least = replaced(
        CHART_LARGE,
        scaled,
        "autoscaling: {enabled: true, minReplicas: 1, maxReplicas: 20}",
    );
    let findings = judge_values("large", &least);
    assert_eq!(verdict_of(&findings, "service.replicas", "governance-engine"), Verdict::Fail);
}

#[test]
fn nested_keys_of_the_chart_are_not_said_to_be_read() {
    let findings = judge_values("small", CHART_SMALL);
    let unread = findings.iter().find(|f| f.requirement == "files.unread").unwrap();
    assert_eq!((unread.verdict, unread.required), (Verdict::NotVerified, false));
    assert!(unread.found.ends_with("nested ones are not checked"), "{}", unread.found);
}

#[test]
fn a_zone_named_twice_is_one_and_a_gpu_may_be_quoted() {
    let twice = replaced(PAGE_LARGE, "- us-east-1c", "- us-east-1a");
    assert!(!broken(&judge_values("large", &twice), "zones.count").is_empty());
    let quoted = replaced(PAGE_LARGE, "nvidia.com/gpu: 2", "nvidia.com/gpu: \"2\"");
    assert_eq!(broken(&judge_values("large", &quoted), "service.gpu"), Vec::<String>::new());
}
