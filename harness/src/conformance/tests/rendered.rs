use super::*;
use crate::conformance::requirement;
use odg_reports::conformance::Relation;

/// Requirement, profile, and what breaks its manifests: text and its replacement.
const BREAKS: [(&str, &str, &str, &str); 49] = [
    (
        "component.presence",
        "large",
        "metadata: {labels: {app.kubernetes.io/name: nats}} # nats",
        "metadata: {labels: {app.kubernetes.io/name: bus}} # nats",
    ),
    ("component.presence", "large", "replicas: 5 # kafka", "replicas: 0 # kafka"),
    (
        "service.presence",
        "large",
        "metadata: {labels: {app.kubernetes.io/name: quality-gate}} # quality-gate",
        "metadata: {labels: {app.kubernetes.io/name: gate}} # quality-gate",
    ),
    ("service.replicas", "large", "replicas: 3 # lakehouse-agent", "replicas: 2 # lakehouse-agent"),
    ("service.limits", "large", "limits: {cpu: 16,", "limits: {cpu: 15,"),
    ("service.limits", "large", "limits: {cpu: 16, memory: 68719476736}}", "limits: {cpu: 16}}"),
    ("service.requests", "large", "requests: {cpu: 8,", "requests: {cpu: 7,"),
    (
        "service.gpu",
        "large",
        "limits: {cpu: 8, memory: 34359738368, nvidia.com/gpu: 2}",
        "limits: {cpu: 8, memory: 34359738368, nvidia.com/gpu: 1}",
    ),
    ("scaling.bounds", "large", "maxReplicas: 20 #", "maxReplicas: 10 #"),
    (
        "scaling.bounds",
        "large",
        "scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: odg-governance-engine}",
        "scaleTargetRef: {kind: Deployment, name: other}",
    ),
    ("scaling.targets", "large", "averageUtilization: 60", "averageUtilization: 80"),
    (
        "scaling.works",
        "large",
        "scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: odg-governance-engine}",
        "scaleTargetRef: {kind: Deployment, name: other}",
    ),
    ("scaling.works", "large", "minReplicas: 5 #", "minReplicas: 50 #"),
    (
        "scaling.works",
        "large",
        "resources: {requests: {cpu: 8, memory: 34359738368}, limits: {cpu: 16, memory: 68719476736}} # governance-engine",
        "resources: {} # governance-engine",
    ),
    ("storage.size", "large", "storage: 500Gi}}} # postgresql", "storage: 50Gi}}} # postgresql"),
    ("storage.replicas", "large", "replicas: 3 # postgresql", "replicas: 1 # postgresql"),
    ("storage.distributed", "large", "replicas: 4 # minio", "replicas: 1 # minio"),
    (
        "storage.class",
        "large",
        "storageClassName: premium-ssd, resources: {requests: {storage: 500Gi}}} # postgresql",
        "storageClassName: slow, resources: {requests: {storage: 500Gi}}} # postgresql",
    ),
    (
        "storage.copies",
        "large",
        "REPLICATION_FACTOR, value: \"3\"",
        "REPLICATION_FACTOR, value: \"1\"",
    ),
    (
        "zones.spread",
        "large",
        "topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule}] # quality-gate",
        "topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule}] # quality-gate",
    ),
    (
        "zones.spread",
        "large",
        "labelSelector: {matchLabels: {app.kubernetes.io/name: quality-gate}}, topologyKey",
        "labelSelector: {matchLabels: {app.kubernetes.io/name: other}}, topologyKey",
    ),
    ("totals.storage", "small", "requests: {storage: 1Gi}", "requests: {storage: 900Gi}"),
    (
        "observability.stack",
        "large",
        "metadata: {labels: {app.kubernetes.io/name: loki}} # loki",
        "metadata: {labels: {app.kubernetes.io/name: logs}} # loki",
    ),
    ("observability.routes", "large", "slack_configs", "webhook_configs"),
    ("backup.enabled", "large", "suspend: false", "suspend: true"),
    ("backup.enabled", "large", "name: odg-backup", "name: odg-cleanup"),
    ("backup.schedule", "large", "0 */6 * * *", "0 3 * * *"),
    ("backup.retention", "large", "RETENTION_DAYS, value: \"30\"", "RETENTION_DAYS, value: \"7\""),
    ("placement.node-label", "medium", "nvidia-tesla-t4", "nvidia-l4"),
    ("files.types", "large", "replicas: 3 # quality-gate", "replicas: \"3\" # quality-gate"),
    (
        "files.types",
        "large",
        "requests: {cpu: 100m, memory: 128Mi}",
        "requests: {cpu: a lot, memory: 128Mi}",
    ),
    ("files.types", "large", "cThYbjJ2THI5dFl3", "not*base64"),
    ("files.api-version", "large", "apiVersion: autoscaling/v2", "apiVersion: autoscaling/v2beta2"),
    (
        "totals.requests",
        "small",
        "replicas: 1 # governance-engine",
        "replicas: 20 # governance-engine",
    ),
    (
        "totals.limits",
        "small",
        "replicas: 1 # governance-engine",
        "replicas: 20 # governance-engine",
    ),
    ("totals.storage", "small", "storage: 50Gi", "storage: 500Gi"),
    (
        "totals.gpu",
        "small",
        "limits: {cpu: 50m, memory: 64Mi}",
        "limits: {cpu: 50m, memory: 64Mi, nvidia.com/gpu: 1}",
    ),
    ("connections.limit", "large", "max_connections=1000", "max_connections=500"),
    ("security.kafka", "large", "CLIENT:SASL_SSL", "CLIENT:PLAINTEXT"),
    ("security.kafka", "large", "listener.security.protocol.map", "nothing"),
    ("security.default-secret", "large", "cThYbjJ2THI5dFl3", "cG9zdGdyZXM="),
    (
        "security.network-policy",
        "large",
        "podSelector: {matchLabels: {app.kubernetes.io/name: quality-gate}}",
        "podSelector: {matchLabels: {app.kubernetes.io/name: other}}",
    ),
    (
        "disruption.budget",
        "large",
        "maxUnavailable: 1 # pdb quality-gate",
        "minAvailable: 3 # pdb quality-gate",
    ),
    (
        "disruption.budget",
        "large",
        "selector: {matchLabels: {app.kubernetes.io/name: quality-gate}} # pdb",
        "selector: {matchLabels: {a: b}} # pdb",
    ),
    (
        "wiring.selector",
        "large",
        "selector: {matchLabels: {app.kubernetes.io/name: quality-gate}} # quality-gate",
        "selector: {matchLabels: {app.kubernetes.io/name: gate}} # quality-gate",
    ),
    (
        "wiring.service",
        "large",
        "selector: {app.kubernetes.io/name: redis} # svc",
        "selector: {app.kubernetes.io/name: cache} # svc",
    ),
    ("wiring.service", "large", "targetPort: main}] # svc redis", "targetPort: tcp}] # svc redis"),
    ("wiring.claim", "large", "claimName: shared", "claimName: lost"),
    (
        "wiring.idle",
        "large",
        "selector: {matchLabels: {app.kubernetes.io/name: redis}} # pdb",
        "selector: {matchLabels: {a: b}} # pdb",
    ),
];

/// Requirements that have a test of their own below.
const BY_THEMSELVES: [&str; 2] = ["files.custom", "carried"];

#[test]
fn every_rendered_requirement_holds_in_sound_manifests_and_breaks_in_its_own_way() {
    let mut failed = Vec::new();
    for (requirement, name, from, to) in BREAKS {
        let sound = stack::manifests(&profile(name));
        let good = judge_manifests(name, &sound);
        let bad = judge_manifests(name, &replaced(&sound, from, to));
        failed.extend(unbroken(requirement, &good, &bad).map(|told| format!("{told} ({to})")));
    }
    assert_eq!(failed, Vec::<String>::new());
}

#[test]
fn no_rendered_requirement_is_without_a_test() {
    let tested: Vec<&str> = BREAKS.iter().map(|b| b.0).chain(BY_THEMSELVES).collect();
    for requirement in requirement::ALL.iter().filter(|r| r.rendered.is_some()) {
        assert!(tested.contains(&requirement.id), "{}", requirement.id);
    }
}

#[test]
fn sound_manifests_break_nothing_but_what_the_promise_contradicts_itself_in() {
    for (name, known) in [("small", vec![]), ("medium", vec!["totals.gpu"]), ("large", vec![])] {
        let findings = judge_manifests(name, &stack::manifests(&profile(name)));
        let broken: Vec<String> = findings
            .iter()
            .filter(|f| f.required && f.verdict == Verdict::Fail)
            .map(|f| format!("{} {} {}", f.requirement, f.subject, f.found))
            .collect();
        assert_eq!(broken.len(), known.len(), "{name}: {broken:?}");
        assert!(known.iter().zip(&broken).all(|(k, b)| b.starts_with(k)), "{broken:?}");
    }
}

#[test]
fn what_must_be_absent_breaks_the_promise_where_it_is_there() {
    let medium = stack::manifests(&profile("medium"));
    let findings = judge_manifests("small", &medium);
    let broken = broken(&findings, "component.presence");
    assert!(
        broken.iter().any(|s| s == "qdrant") && broken.iter().any(|s| s == "gpu"),
        "{broken:?}"
    );
}

#[test]
fn a_manifest_that_does_not_carry_what_was_declared_is_named_with_both_places() {
    let large = include_str!("../../../../tests/fixtures/values/page-large.yaml");
    let sound = stack::manifests(&profile("large"));
    let judge = |manifests: &str| {
        let material = Material {
            values: Some(values(large)),
            inventory: Some(inventory(manifests)),
            ..Material::default()
        };
        certificate("large", &material).findings
    };
    let good = judge(&sound);
    let bad = judge(&replaced(&sound, "replicas: 3 # quality-gate", "replicas: 4 # quality-gate"));
    assert_eq!(unbroken("carried", &good, &bad), None);
    let is = |f: &&Finding| f.requirement == "carried" && f.verdict == Verdict::Fail;
    let found = bad.iter().find(is).unwrap();
    assert!(found.subject.starts_with("quality-gate"), "{found:?}");
    assert_eq!((found.found.as_str(), found.relation), ("4", Relation::Contradictory));
    assert!(found.evidence.contains("v.yaml:") && found.place.contains("odg-quality-gate"));
    // More replicas than promised keep the promise all the same.
    let promise = |f: &&Finding| f.requirement == "service.replicas" && f.subject == "quality-gate";
    let rendered = bad.iter().filter(|f| f.level == Level::Rendered).find(promise).unwrap();
    assert_eq!((rendered.verdict, rendered.relation), (Verdict::Pass, Relation::More));
}

#[test]
fn an_operators_object_is_not_taken_for_absence() {
    let sound = stack::manifests(&profile("small"));
    let operated = replaced(
        &sound,
        "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: odg-kafka,",
        "apiVersion: kafka.strimzi.io/v1beta2\nkind: Kafka\nmetadata: {name: odg-kafka,",
    );
    let findings = judge_manifests("small", &operated);
    let kafka = |f: &&Finding| f.requirement == "component.presence" && f.subject == "kafka";
    assert_eq!(findings.iter().find(kafka).unwrap().verdict, Verdict::NotVerified);
    let service = |f: &&Finding| f.requirement == "wiring.service" && f.subject == "odg-kafka";
    assert_eq!(findings.iter().find(service).unwrap().verdict, Verdict::NotVerified);
    let custom = findings.iter().find(|f| f.requirement == "files.custom").unwrap();
    assert_eq!((custom.subject.as_str(), custom.relation), ("kafka.strimzi.io", Relation::Unread));
}

#[test]
fn an_unknown_api_version_is_a_finding_and_no_error() {
    let sound = stack::manifests(&profile("small"));
    let text = replaced(
        &sound,
        "apiVersion: apps/v1\nkind: Deployment",
        "apiVersion: apps/v7\nkind: Deployment",
    );
    let findings = judge_manifests("small", &text);
    let api = findings.iter().find(|f| f.requirement == "files.api-version").unwrap();
    assert_eq!((api.verdict, api.found.as_str()), (Verdict::NotVerified, "Deployment apps/v7"));
}

#[test]
fn a_secret_is_never_quoted_unless_it_is_a_published_default() {
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: x7-replace-me-q, token: kQ9vXw2Lr8}\n\
        ---\napiVersion: v1\nkind: Secret\nmetadata: {name: t}\nstringData: {root-password: minioadmin}\n";
    let findings = judge_manifests("small", text);
    let all = serde_json::to_string(&findings).unwrap();
    assert_eq!(broken(&findings, "security.default-secret").len(), 2);
    assert!(
        all.contains("`minioadmin`") && !all.contains("x7-replace") && !all.contains("kQ9vXw2Lr8")
    );
}

#[test]
fn veleros_schedule_is_a_backup() {
    let sound = stack::manifests(&profile("large"));
    let at = sound.find("---\napiVersion: batch/v1").unwrap();
    let velero = "---\napiVersion: velero.io/v1\nkind: Schedule\nmetadata: {name: all}\nspec: {schedule: \"0 */4 * * *\", template: {ttl: 720h0m0s}}\n";
    let findings = judge_manifests("large", &format!("{}{velero}", &sound[..at]));
    for requirement in ["backup.enabled", "backup.schedule", "backup.retention"] {
        let found = findings.iter().find(|f| f.requirement == requirement).unwrap();
        assert_eq!(found.verdict, Verdict::Pass, "{found:?}");
    }
}

fn verdict_of(findings: &[Finding], requirement: &str, subject: &str) -> Verdict {
    let is = |f: &&Finding| f.requirement == requirement && f.subject == subject;
    findings.iter().find(is).unwrap_or_else(|| panic!("{requirement} {subject}")).verdict
}

#[test]
fn somebody_elses_object_does_not_excuse_a_service_without_pods() {
    let sound = stack::manifests(&profile("large"));
    let broken = replaced(
        &sound,
        "selector: {app.kubernetes.io/name: redis} # svc",
        "selector: {app.kubernetes.io/name: cache} # svc",
    );
    let custom = |kind: &str, name: &str| {
        let text =
            format!("---\napiVersion: x.example/v1\nkind: {kind}\nmetadata: {{name: {name}}}\n");
        judge_manifests("large", &format!("{broken}{text}"))
    };
    let of = |findings: &[Finding]| verdict_of(findings, "wiring.service", "odg-redis");
    assert_eq!(of(&custom("Certificate", "tls")), Verdict::Fail);
    assert_eq!(of(&custom("Certificate", "odg-redis")), Verdict::NotVerified);
    assert_eq!(of(&custom("RedisFailover", "x")), Verdict::NotVerified);
}

#[test]
fn a_sub_charts_own_database_is_not_the_platforms() {
    let sound = stack::manifests(&profile("small"));
    let text = replaced(
        &sound,
        "metadata: {name: odg-postgresql, labels: {app.kubernetes.io/name: postgresql}}",
        "metadata: {name: odg-airflow-postgresql, labels: {app.kubernetes.io/name: postgresql}}",
    );
    let findings = judge_manifests("small", &text);
    let is = |f: &&Finding| f.requirement == "component.presence" && f.subject == "postgresql";
    let found = findings.iter().find(is).unwrap();
    assert_eq!(found.verdict, Verdict::Fail);
    assert!(found.evidence.contains("odg-airflow-postgresql"), "{found:?}");
}

#[test]
fn an_operators_object_of_what_must_be_absent_breaks_the_promise() {
    let kafka =
        "apiVersion: kafka.strimzi.io/v1beta2\nkind: Kafka\nmetadata: {name: odg}\nspec: {}\n";
    let findings = judge_manifests("dev", kafka);
    assert_eq!(verdict_of(&findings, "component.presence", "kafka"), Verdict::Fail);
}

#[test]
fn a_sum_with_gaps_that_fits_is_not_verified() {
    let sound = stack::manifests(&profile("small"));
    let text = replaced(&sound, "resources: {limits: {cpu: 50m, memory: 64Mi}}", "resources: {}");
    let findings = judge_manifests("small", &text);
    for subject in ["cpu", "memory"] {
        assert_eq!(verdict_of(&findings, "totals.requests", subject), Verdict::NotVerified);
    }
    let is = |f: &&Finding| f.requirement == "totals.requests" && f.subject == "cpu";
    let found = &findings.iter().find(is).unwrap().found;
    assert!(found.starts_with("at least ") && found.ends_with("; 1 state nothing"), "{found}");
    let large =
        replaced(&text, "replicas: 1 # governance-engine", "replicas: 20 # governance-engine");
    let findings = judge_manifests("small", &large);
    assert_eq!(verdict_of(&findings, "totals.requests", "cpu"), Verdict::Fail);
}

#[test]
fn a_spread_that_gives_way_shows_nothing() {
    let soft = stack::manifests(&profile("large")).replace("DoNotSchedule", "ScheduleAnyway");
    let findings = judge_manifests("large", &soft);
    assert_eq!(verdict_of(&findings, "zones.spread", "quality-gate"), Verdict::NotVerified);
    assert_eq!(verdict_of(&findings, "component.presence", "multi-az"), Verdict::NotVerified);
}

#[test]
fn default_secrets_are_found_wherever_they_are_written() {
    let spec = |env: &str| {
        format!(
            "{{containers: [{{name: c, image: i}}], initContainers: [{{name: i, image: i, env: [{env}]}}]}}"
        )
    };
    let url = spec("{name: DATABASE_URL, value: \"postgresql://odg:postgres@db/x\"}");
    let password = spec("{name: DB_PASSWORD, value: minioadmin}");
    let text = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: a}}\nspec: {{template: {{spec: {url}}}}}\n---\n\
         apiVersion: batch/v1\nkind: Job\nmetadata: {{name: b}}\nspec: {{template: {{spec: {password}}}}}\n---\n\
         apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: c}}\nspec: {{jobTemplate: {{spec: {{template: {{spec: {url}}}}}}}}}\n---\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: d}}\ndata: {{REDIS_PASSWORD: redis, conf: \"u=redis://:changeme@r/0\"}}\n"
    );
    let found = broken(&judge_manifests("small", &text), "security.default-secret");
    let expected =
        ["a/DATABASE_URL", "b/DB_PASSWORD", "c/DATABASE_URL", "d/REDIS_PASSWORD", "d/conf"];
    assert_eq!(found, expected);
}

#[test]
fn a_retention_without_days_is_not_verified_and_every_backup_is_judged() {
    let sound = stack::manifests(&profile("large"));
    let hours = replaced(&sound, "RETENTION_DAYS, value: \"30\"", "RETENTION_HOURS, value: \"48\"");
    let findings = judge_manifests("large", &hours);
    assert_eq!(verdict_of(&findings, "backup.retention", "retention days"), Verdict::NotVerified);
    let job = |name: &str| {
        format!(
            "---\napiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: {name}}}\nspec: {{schedule: \"0 0 * * *\"}}\n"
        )
    };
    let of = |name: &str| {
        let findings = judge_manifests("large", &format!("{}{sound}", job(name)));
        verdict_of(&findings, "backup.schedule", "schedule")
    };
    assert_eq!(of("backup-cleanup"), Verdict::Pass);
    assert_eq!(of("a-backup"), Verdict::NotVerified);
}

#[test]
fn what_has_no_replicas_is_no_backend_and_no_gpu() {
    let small = stack::manifests(&profile("small"));
    let idle = replaced(&small, "replicas: 1 # quality-gate", "replicas: 0 # quality-gate");
    let findings = judge_manifests("small", &idle);
    assert_eq!(verdict_of(&findings, "wiring.service", "odg-quality-gate"), Verdict::Fail);
    let off = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: g}\nspec:\n  replicas: 0\n  template: {spec: {containers: [{name: g, resources: {limits: {nvidia.com/gpu: 1}}}]}}\n";
    assert_eq!(
        verdict_of(&judge_manifests("small", off), "component.presence", "gpu"),
        Verdict::Pass
    );
}
