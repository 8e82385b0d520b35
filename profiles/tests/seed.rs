//! The shipped data against figures copied by hand from the promise.

use odg_profiles::model::{PlatformKind, Quantities, Reach};
use odg_profiles::{
    ByteSize, Component, Cpu, OPERATIONS, Origin, Presence, Profile, Volume, checks, names,
};

fn load(name: &str) -> Profile {
    Profile::load(name).unwrap_or_else(|error| panic!("{error}"))
}

fn size(text: &str) -> ByteSize {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn volume(text: &str) -> Volume {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_profile_comparison_table_is_in_the_data() {
    for (name, vcpu, memory, gpu, storage, cost, at_least) in [
        ("dev", 4, "16GB", 0, "2GB", 50, false),
        ("small", 16, "64GB", 0, "100GB", 400, false),
        ("medium", 64, "256GB", 1, "1TB", 2500, false),
        ("large", 256, "1TB", 2, "10TB", 15_000, true),
    ] {
        let profile = load(name);
        let r = &profile.resources;
        assert_eq!(profile.name, name);
        assert_eq!((r.vcpu, r.gpu, r.at_least), (vcpu, gpu, at_least), "{name}");
        assert_eq!((r.memory, r.storage), (size(memory), size(storage)), "{name}");
        assert_eq!((profile.cost.total_usd, profile.cost.at_least), (cost, at_least), "{name}");
    }
}

#[test]
fn the_component_table_is_in_the_data_cell_by_cell() {
    // Dev, small, medium, large: + present, o optional, - absent.
    let table = [
        (Component::Postgresql, "++++"),
        (Component::Redis, "++++"),
        (Component::Minio, "++++"),
        (Component::Nats, "++++"),
        (Component::Kafka, "-+++"),
        (Component::Trino, "-+++"),
        (Component::Airflow, "-+++"),
        (Component::Datahub, "-+++"),
        (Component::Qdrant, "--++"),
        (Component::AiExperts, "-o++"),
        (Component::Gpu, "--++"),
        (Component::MultiAz, "---+"),
        (Component::CosmosFederation, "---+"),
    ];
    for (component, cells) in table {
        for (name, cell) in names().iter().zip(cells.chars()) {
            let promised = match cell {
                '+' => Presence::Present,
                'o' => Presence::Optional,
                _ => Presence::Absent,
            };
            assert_eq!(load(name).presence(component), promised, "{component} in {name}");
        }
    }
}

fn quantities(cpu: u64, memory: &str, gpu: Option<u32>) -> Option<Quantities> {
    Some(Quantities { cpu: Cpu::from_millicores(cpu), memory: size(memory), gpu })
}

#[test]
fn replicas_limits_and_requests_are_those_of_the_values_files() {
    let of = |profile: &Profile, name: &str| profile.services[name].clone();
    let small = load("small");
    for name in ["governance-engine", "lakehouse-agent", "quality-gate"] {
        assert_eq!(of(&small, name).replicas, Some(1));
        assert_eq!(of(&small, name).limits, quantities(2000, "4Gi", None));
    }
    assert_eq!(of(&small, "governance-engine").requests, quantities(1000, "2Gi", None));
    assert_eq!(of(&small, "lakehouse-agent").requests, None);
    assert_eq!(of(&small, "data-expert").presence, Presence::Optional);

    let medium = load("medium");
    let governance = of(&medium, "governance-engine");
    assert_eq!(governance.limits, quantities(8000, "16Gi", None));
    assert_eq!(governance.requests, quantities(4000, "8Gi", None));
    let expert = of(&medium, "data-expert");
    assert_eq!(expert.limits, quantities(4000, "16Gi", Some(1)));
    assert_eq!(expert.requests, quantities(2000, "8Gi", Some(1)));
    assert_eq!(expert.node_selector["cloud.google.com/gke-accelerator"], "nvidia-tesla-t4");

    let large = load("large");
    let governance = of(&large, "governance-engine");
    assert_eq!(governance.limits, quantities(16_000, "64Gi", None));
    assert_eq!(governance.requests, quantities(8000, "32Gi", None));
    let expert = of(&large, "data-expert");
    assert_eq!(expert.limits, quantities(8000, "32Gi", Some(2)));
    assert_eq!(expert.requests, quantities(4000, "16Gi", Some(2)));

    for (profile, replicas) in [(&medium, [3, 2, 2, 2]), (&large, [5, 3, 3, 3])] {
        let services = ["governance-engine", "lakehouse-agent", "quality-gate", "data-expert"];
        for (name, replicas) in services.into_iter().zip(replicas) {
            assert_eq!(of(profile, name).replicas, Some(replicas), "{name} in {}", profile.name);
        }
    }
}

#[test]
fn what_a_larger_profile_does_not_state_is_not_inherited_as_its_promise() {
    let (small, medium, large) = (load("small"), load("medium"), load("large"));
    assert_eq!(medium.services["lakehouse-agent"].limits, None);
    assert_eq!(large.services["quality-gate"].limits, None);
    assert!(large.services["data-expert"].node_selector.is_empty());
    assert!(small.environment.is_empty() && small.consoles.is_empty());
    assert!(small.limitations.is_empty());
    assert_eq!(large.volume.max, None);
}

#[test]
fn autoscaling_is_that_of_the_values_files() {
    let of = |name: &str| {
        let a = load(name).services["governance-engine"].autoscaling.clone()?;
        Some((a.min_replicas, a.max_replicas, a.target_cpu_percent, a.target_memory_percent))
    };
    assert_eq!(of("dev"), None);
    assert_eq!(of("small"), None);
    assert_eq!(of("medium"), Some((3, 10, 70, None)));
    assert_eq!(of("large"), Some((5, 20, 60, Some(70))));
}

#[test]
fn storage_is_that_of_the_values_files() {
    for (name, class, claims) in [
        ("small", "standard", ["20Gi", "50Gi", "20Gi"].as_slice()),
        ("medium", "premium-ssd", &["100Gi", "500Gi", "100Gi", "50Gi"]),
        ("large", "premium-ssd", &["500Gi", "5000Gi", "1000Gi", "500Gi"]),
    ] {
        let storage = load(name).storage;
        assert!(storage.persistent);
        assert_eq!(storage.class.as_deref(), Some(class));
        let components =
            [Component::Postgresql, Component::Minio, Component::Kafka, Component::Qdrant];
        assert_eq!(storage.claims.len(), claims.len(), "{name}");
        for (component, claim) in components.iter().zip(claims) {
            assert_eq!(storage.claims[component].size, size(claim), "{component} in {name}");
        }
    }
    assert!(!load("dev").storage.persistent);
    let large = load("large").storage;
    assert_eq!(large.replication_factor, Some(3));
    let replicas = |c| large.claims[&c].replicas;
    assert_eq!(replicas(Component::Postgresql), Some(3));
    assert_eq!(replicas(Component::Kafka), Some(5));
    assert_eq!(replicas(Component::Qdrant), Some(3));
    assert!(large.claims[&Component::Minio].distributed);
}

#[test]
fn availability_federation_backup_and_alerting_are_promised_for_large_only() {
    let large = load("large");
    assert_eq!(large.ha.zones, ["us-east-1a", "us-east-1b", "us-east-1c"]);
    assert_eq!(large.multi_region.regions, ["us-east-1", "eu-west-1", "ap-southeast-1"]);
    let ids: Vec<_> = large.cosmos.instances.iter().map(|i| i.id.as_str()).collect();
    assert_eq!(ids, ["us-primary", "eu-primary"]);
    assert!(large.cosmos.crdt);
    assert_eq!(large.cosmos.conflict_resolution.as_deref(), Some("lww"));
    assert_eq!(large.backup.schedule.as_deref(), Some("0 */6 * * *"));
    assert_eq!(large.backup.retention_days, Some(30));
    assert!(large.backup.cross_region);
    assert_eq!(large.observability.alert_routes, ["pagerduty", "slack", "email"]);
    assert_eq!(large.platform.kind, PlatformKind::MultiCluster);
    assert_eq!(load("medium").network.multi_region, Reach::Capable);
    for name in ["dev", "small", "medium"] {
        let profile = load(name);
        assert!(!profile.ha.enabled && !profile.multi_region.enabled && !profile.cosmos.enabled);
        assert!(!profile.backup.enabled && profile.observability.alert_routes.is_empty());
        assert_eq!(profile.observability.stack, ["Grafana", "VictoriaMetrics", "Loki"]);
        assert_eq!(profile.uptime, None);
    }
}

#[test]
fn bills_are_those_of_the_cost_breakdowns_and_only_larges_misses_its_total() {
    for (name, items, sum, unexplained) in [
        ("small", vec![240, 80, 20, 40, 20], 400, 0),
        ("medium", vec![960, 320, 400, 200, 200, 20, 400], 2500, 0),
        ("large", vec![3840, 1280, 4000, 2000, 1500, 300, 1500, 500, 200], 15_120, 120),
    ] {
        let cost = load(name).cost;
        assert_eq!(cost.breakdown.iter().map(|i| i.usd).collect::<Vec<_>>(), items, "{name}");
        assert_eq!((cost.breakdown_sum(), cost.unexplained_usd()), (Some(sum), Some(unexplained)));
    }
    assert_eq!(load("dev").cost.breakdown_sum(), None);
}

#[test]
fn volume_classes_follow_the_promise_and_default_to_the_presets() {
    for (name, min, default, max) in [
        ("dev", None, "0.01TB/day", None),
        ("small", None, "1TB/day", Some("1TB/day")),
        ("medium", Some("1TB/day"), "10TB/day", Some("10TB/day")),
        ("large", Some("10TB/day"), "12TB/day", None),
    ] {
        let class = load(name).volume;
        assert_eq!(class.default, volume(default), "{name}");
        assert_eq!((class.min, class.max), (min.map(volume), max.map(volume)), "{name}");
    }
}

#[test]
fn each_profile_has_one_required_objective_for_each_operation() {
    for name in names() {
        let profile = load(name);
        let operations: Vec<_> = profile.objectives.iter().map(|o| o.operation.as_str()).collect();
        assert_eq!(operations, OPERATIONS.map(|(name, _)| name), "{name}");
        for objective in &profile.objectives {
            let batch = ["s3.put", "postgres.register"].contains(&objective.operation.as_str());
            assert_eq!(objective.percentile, if batch { 95.0 } else { 99.0 });
            assert!(objective.required);
            assert_eq!(objective.id, format!("{}.p{}", objective.operation, objective.percentile));
        }
    }
}

#[test]
fn objectives_never_loosen_from_a_profile_to_the_next_larger() {
    for pair in names().windows(2) {
        let (smaller, larger) = (load(pair[0]), load(pair[1]));
        for (s, l) in smaller.objectives.iter().zip(&larger.objectives) {
            assert!(s.threshold_ns >= l.threshold_ns, "{} from {} to {}", s.id, pair[0], pair[1]);
        }
    }
}

#[test]
fn only_larges_interactive_operations_and_uptime_are_documented() {
    for name in names() {
        for objective in load(name).objectives {
            let interactive = ["bus.publish", "s3.get", "postgres.lookup", "redis.session"]
                .contains(&objective.operation.as_str());
            let documented = *name == "large" && interactive;
            assert_eq!(
                objective.origin == Origin::Documented,
                documented,
                "{name} {}",
                objective.id
            );
            if documented {
                assert_eq!(objective.threshold_ns, 100_000_000);
                assert!(objective.source.contains("monitoring.sla.latencyP99"));
            }
        }
    }
    let uptime = load("large").uptime.unwrap_or_else(|| panic!("large promises uptime"));
    assert_eq!((uptime.percent, uptime.origin), (99.99, Origin::Documented));
    assert!(!uptime.required && !uptime.verifiable);
    assert!((uptime.allowed_downtime_s() - 259.2).abs() < 0.1);
}

#[test]
fn every_server_that_a_provider_can_start_has_a_pinned_image_and_a_limit_that_fits_the_machine() {
    use Component::{Kafka, Minio, Nats, Postgresql, Redis};
    for name in names() {
        let profile = load(name);
        let (mut millicores, mut bytes) = (0, 0);
        for component in [Postgresql, Redis, Minio, Nats, Kafka] {
            if profile.presence(component) != Presence::Present {
                continue;
            }
            assert!(profile.images.contains_key(&component), "{name}: {component} has no image");
            let limit = &profile.limits[&component];
            millicores += limit.cpu.millicores();
            bytes += limit.memory.bytes();
        }
        for service in profile.services.values() {
            let replicas = u64::from(service.replicas.unwrap_or(1));
            if let Some(limit) = &service.limits {
                millicores += replicas * limit.cpu.millicores();
                bytes += replicas * limit.memory.bytes();
            }
        }
        assert!(millicores <= u64::from(profile.resources.vcpu) * 1000, "{name}: {millicores} m");
        assert!(bytes <= profile.resources.memory.bytes(), "{name}: {bytes} bytes");
        assert_eq!(profile.provenance["limits.redis.cpu"].origin, Origin::Derived);
        assert_eq!(profile.provenance["images.redis"].origin, Origin::Derived);
    }
}

#[test]
fn every_figure_says_where_it_comes_from() {
    for name in names() {
        let profile = load(name);
        assert!(profile.sections().len() > 60, "{name}");
        for row in profile.sections() {
            assert!(!row.provenance.source.contains("no source"), "{name}: {}", row.path);
            assert!(!row.value.is_empty(), "{name}: {}", row.path);
            assert!(names().contains(&row.provenance.stated_in.as_str()), "{name}: {}", row.path);
        }
        assert_eq!(
            profile.provenance.len(),
            profile.sections().len(),
            "paths of {name} are unique"
        );
        assert_eq!(profile.provenance["resources.vcpu"].source, "Profile Comparison");
        assert_eq!(profile.provenance["volume.default"].origin, Origin::Derived);
    }
}

#[test]
fn inherited_figures_name_the_profile_that_states_them() {
    let large = load("large");
    assert_eq!(large.lineage, ["dev", "small", "medium", "large"]);
    assert_eq!(large.provenance["components.redis"].stated_in, "dev");
    assert_eq!(large.provenance["components.kafka"].stated_in, "small");
    assert_eq!(large.provenance["components.gpu"].stated_in, "medium");
    assert_eq!(large.provenance["components.multi-az"].stated_in, "large");
}

#[test]
fn no_password_is_in_any_output_of_a_profile() {
    for name in names() {
        let text = serde_json::to_string(&load(name)).unwrap_or_default();
        assert!(!text.contains("dev_password") && !text.contains("dev_redis"));
    }
}

#[test]
fn a_profile_serialises_with_plain_figures_and_its_provenance() {
    let json = serde_json::to_value(load("small")).unwrap_or_default();
    assert_eq!(json["resources"]["memory"], "64GB");
    assert_eq!(json["components"]["ai-experts"], "optional");
    assert_eq!(json["objectives"][0]["threshold_ns"], 250_000_000);
    assert_eq!(json["provenance"]["cost.total_usd"]["origin"], "documented");
    assert_eq!(checks(&load("small")).len(), 3);
}

#[test]
fn rows_for_people_show_bounds_estimates_and_objectives() {
    let large = load("large");
    let value = |path: &str| {
        let row = large.sections().iter().find(|row| row.path == path);
        row.map(|row| row.value.clone()).unwrap_or_default()
    };
    assert_eq!(large.sections()[0].value, "large");
    assert_eq!(value("resources.vcpu"), "256+");
    assert_eq!(value("resources.storage"), "10TB+");
    assert_eq!(value("cost.total_usd"), "~$15000+");
    assert_eq!(value("cost.breakdown.Memory (1TB)"), "$1280");
    assert_eq!(value("objectives.s3.get.p99"), "p99 response time of s3.get ≤ 100 ms");
    assert_eq!(value("tuning.minio.replicas"), "16 (4 servers × 4 drives)");
    let partitions = "tuning.kafka.config.num.partitions";
    assert_eq!(value(partitions), "10 (Optimize Kafka for throughput)");
    let origin =
        large.provenance.get(partitions).map(|p| (p.stated_in.as_str(), p.source.as_str()));
    assert_eq!(origin, Some(("medium", "Performance Tuning / Medium Profile Optimizations")));
    let dev = load("dev");
    let secret = dev.sections().iter().find(|row| row.key == "POSTGRES_PASSWORD");
    assert_eq!(secret.map(|row| row.value.as_str()), Some("secret"));
}
