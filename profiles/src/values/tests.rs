use super::*;
use crate::component::Component;
use crate::model::Profile;

const PAGE_SMALL: &str = include_str!("../../../tests/fixtures/values/page-small.yaml");
const PAGE_LARGE: &str = include_str!("../../../tests/fixtures/values/page-large.yaml");
const CHART_LARGE: &str = include_str!("../../../tests/fixtures/values/chart-large.yaml");

fn values(files: &[(&str, &str)]) -> Values {
    Values::read(files.iter().copied()).unwrap_or_else(|e| panic!("{e}"))
}

fn stated(values: &Values, topic: &Topic) -> Stated {
    match values.declared().lookup(topic) {
        Lookup::Stated(stated) => stated,
        other => panic!("{topic:?}: {other:?}"),
    }
}

fn replicas(service: &str) -> Topic {
    Topic::Service(service.to_owned(), ServiceTopic::Replicas)
}

#[test]
fn both_layouts_are_recognised_by_themselves() {
    assert_eq!(values(&[("a", PAGE_SMALL)]).declared().layout, Layout::Page);
    assert_eq!(values(&[("a", CHART_LARGE)]).declared().layout, Layout::Chart);
    // The page's own tuning blocks bear names of the chart.
    let tuned = "replicas: {qualityGate: 1}\nkafka: {config: {num.partitions: 10}}\n";
    assert_eq!(values(&[("a", tuned)]).declared().layout, Layout::Page);
}

#[test]
fn files_are_merged_as_helm_merges_them_and_keep_their_places() {
    let over = "replicas:\n  lakehouseAgent: 4\nha:\n  zones: [a]\nbackup: ~\n";
    let both = values(&[("base.yaml", PAGE_LARGE), ("over.yaml", over)]);
    assert_eq!(stated(&both, &replicas("lakehouse-agent")).place.to_string(), "over.yaml:2");
    assert_eq!(stated(&both, &replicas("quality-gate")).fact, Fact::count(3));
    assert_eq!(stated(&both, &replicas("quality-gate")).place.file.as_ref(), "base.yaml");
    // Lists are replaced, and null takes a key away.
    assert_eq!(stated(&both, &Topic::Zones).fact, Fact::Names(vec!["a".into()]));
    let backup = both.declared().lookup(&Topic::Backup(BackupTopic::Schedule));
    assert_eq!(backup, Lookup::Missing { key: "backup.schedule".into() });
}

#[test]
fn every_promise_of_the_pages_profiles_is_stated_in_its_own_values() {
    for (name, text) in [("small", PAGE_SMALL), ("large", PAGE_LARGE)] {
        let profile = Profile::load(name).unwrap();
        let file = values(&[("v.yaml", text)]);
        for promise in promises(&profile).iter().filter(|p| p.required) {
            let found = file.declared().lookup(&promise.topic);
            let inherited = promise.source.stated_in != name;
            assert!(
                matches!(found, Lookup::Stated(_) | Lookup::NoKey)
                    || promise.fact == Fact::Flag(false)
                    || inherited,
                "{name} {}: {found:?}",
                promise.path
            );
        }
    }
}

#[test]
fn a_value_of_the_wrong_type_is_named_with_its_place() {
    let file =
        values(&[("v.yaml", "replicas:\n  qualityGate: two\ncomponents: {kafka: \"yes\"}\n")]);
    let declared = file.declared();
    match declared.lookup(&replicas("quality-gate")) {
        Lookup::Wrong { problem, place, .. } => {
            assert!(problem.contains("`two`") && problem.contains("whole number"), "{problem}");
            assert_eq!(place.to_string(), "v.yaml:2");
        }
        other => panic!("{other:?}"),
    }
    let kafka = declared.lookup(&Topic::Component(Component::Kafka));
    assert!(matches!(kafka, Lookup::Wrong { .. }), "{kafka:?}");
}

#[test]
fn keys_that_nothing_reads_are_called_out_with_the_nearest_that_something_does() {
    let text = "profile: small\nreplicas: {governanceEngin: 1}\nstroage: {class: x}\n";
    let file = values(&[("v.yaml", text)]);
    let unread = file.declared().unread(None);
    let found: Vec<_> =
        unread.iter().map(|u| (u.key.as_str(), u.nearest.as_deref().unwrap_or(""))).collect();
    assert_eq!(
        found,
        [("stroage", "storage"), ("replicas.governanceEngin", "replicas.governanceEngine")]
    );
    for (name, text) in [("page", PAGE_LARGE), ("chart", CHART_LARGE)] {
        assert_eq!(values(&[(name, text)]).declared().unread(None), [], "{name}");
    }
}

#[test]
fn a_mixture_of_layouts_is_seen() {
    let file =
        values(&[("page.yaml", PAGE_SMALL), ("x.yaml", "governance-engine: {replicaCount: 3}\n")]);
    let declared = file.declared();
    assert_eq!(declared.layout, Layout::Page);
    assert_eq!(declared.mixed.len(), 1);
    assert_eq!(declared.mixed[0].place.to_string(), "x.yaml:1");
}

#[test]
fn what_a_component_spreads_over_servers_is_counted_over_all_of_them() {
    let topic = Topic::Claim(Component::Minio, ClaimTopic::Capacity);
    let size = stated(&values(&[("v", CHART_LARGE)]), &topic);
    assert_eq!(size.fact, Fact::Amount("4Ti".parse().unwrap(), Unit::Bytes));
    let database = Topic::Claim(Component::Postgresql, ClaimTopic::Replicas);
    assert_eq!(stated(&values(&[("v", CHART_LARGE)]), &database).fact, Fact::count(3));
}

#[test]
fn demands_are_those_worked_out_by_hand() {
    let sum = |text: &str, of: fn(&Demand) -> Quantity| {
        let file = values(&[("v", text)]);
        file.declared().demands().iter().fold(Quantity::ZERO, |sum, d| sum.plus(of(d)))
    };
    let cpu = |d: &Demand| d.requests.cpu.unwrap_or_default().times(d.replicas);
    // 1 × 1 (request) + 1 × 2 + 1 × 2 (limits, where nothing is requested).
    assert_eq!(sum(PAGE_SMALL, cpu), Quantity::whole(5));
    let disks = |d: &Demand| d.volume.times(d.replicas);
    assert_eq!(sum(PAGE_SMALL, disks), "90Gi".parse().unwrap());
    // 3 × 500 + 5000 + 5 × 1000 + 3 × 500.
    assert_eq!(sum(PAGE_LARGE, disks), "13000Gi".parse().unwrap());
    let gpus = |d: &Demand| d.requests.gpu.unwrap_or_default().times(d.replicas);
    assert_eq!(sum(PAGE_LARGE, gpus), Quantity::whole(6));
    assert_eq!(sum(CHART_LARGE, gpus), Quantity::whole(6));
    // 500 (the primary's) + 50 + 4 × 1024 + 5 × 500 + 3 × 500.
    assert_eq!(sum(CHART_LARGE, disks), "8646Gi".parse().unwrap());
}

#[test]
fn connections_are_counted_at_the_most_replicas() {
    let file = values(&[("v", PAGE_LARGE), ("t", "postgres: {maxConnections: 500}\n")]);
    let (pool, _) = file.declared().pool("governance-engine").unwrap();
    assert_eq!((pool.wanted(), pool.usable(), pool.limit), (600, 497, 500));
    let env =
        "governance-engine: {replicaCount: 2, env: [{name: DATABASE_POOL_SIZE, value: \"5\"}]}\n";
    let (pool, _) = values(&[("v", env)]).declared().pool("governance-engine").unwrap();
    assert_eq!((pool.wanted(), pool.limit), (50, DEFAULT_CONNECTIONS));
}

#[test]
fn a_recommendation_is_asked_of_its_own_profile_and_only_where_it_breaks_no_promise() {
    let settings = |name: &str| -> Vec<String> {
        let profile = Profile::load(name).unwrap();
        let tuning = promises(&profile).into_iter().filter_map(|p| match p.topic {
            Topic::Tuning(setting) => Some(setting),
            _ => None,
        });
        tuning.collect()
    };
    assert_eq!(settings("small"), Vec::<String>::new());
    assert!(settings("medium").contains(&"kafka.config.num.partitions".to_owned()));
    assert!(!settings("large").contains(&"kafka.config.num.partitions".to_owned()));
    let env =
        "profile: medium\ndataExpert: {env: [{name: PYTORCH_CUDA_ALLOC_CONF, value: \"x\"}]}\n";
    let topic = Topic::Tuning("dataExpert.env.PYTORCH_CUDA_ALLOC_CONF".into());
    assert_eq!(stated(&values(&[("v", env)]), &topic).fact, Fact::Text("x".into()));
}

#[test]
fn a_values_file_that_is_none_is_one_line_with_its_place() {
    for (text, line, word) in [
        ("- a\n- b\n", 1, "a list"),
        ("a: [1\nb: 2\n", 1, "YAML"),
        ("a: 1\n---\nb: 1\n", 2, "YAML"),
    ] {
        let error = Values::read([("v.yaml", text)]).unwrap_err();
        assert!(error.line >= line && error.to_string().contains(word), "{error}");
        assert!(!error.to_string().contains('\n'));
    }
}
