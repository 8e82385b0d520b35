//! A request becomes the plan that it asks for, and nonsense is refused in one line.

use super::*;

fn only(carries: Carries) -> Brings {
    Brings::Only { carries, services: false }
}

fn request(profile: &str) -> RunRequest {
    RunRequest {
        profile: profile.into(),
        volume: None,
        scale: Scale::Auto,
        arrivals: None,
        window: None,
        speedup: 1.0,
        duration: None,
        warmup: None,
        seed: 1,
        max_rate: None,
        read_only: false,
        strict: false,
        brings: Brings::Everything,
        decisions_per_s: None,
    }
}

#[test]
fn small_runs_unscaled_on_two_cores_and_offers_a_terabyte_a_day() {
    let plan = request("small").plan(2, true).unwrap();
    assert_eq!(plan.load.scale, 1.0);
    assert!((plan.offered.bytes_per_s / 1e6 - 11.574).abs() < 0.01);
    assert!(plan.config.scale_reason.is_none());
}

#[test]
fn medium_on_two_cores_is_scaled_and_says_so_everywhere() {
    let plan = request("medium").plan(2, true).unwrap();
    assert!(plan.load.scale < 0.5);
    assert!(plan.marks.iter().any(|m| m.starts_with("scaled load")));
    assert!(plan.config.scale_reason.is_some());
    assert!(plan.warnings.iter().any(|w| w.code == "scaled-load"));
    let forced = RunRequest { scale: Scale::Fixed(1.0), ..request("medium") };
    assert_eq!(forced.plan(2, true).unwrap().load.scale, 1.0);
}

#[test]
fn endpoints_on_this_machine_are_not_taken_for_servers_on_it_without_saying_so() {
    let attached = RunRequest { brings: only(Carries::ALL), ..request("medium") };
    let reason = attached.plan(2, true).unwrap().config.scale_reason.unwrap();
    assert!(reason.starts_with("if the servers run on this machine, "), "{reason}");
    let started = request("medium").plan(2, true).unwrap().config.scale_reason.unwrap();
    assert!(started.starts_with("servers and generator share 2 cores"), "{started}");
}

#[test]
fn a_rate_limit_scales_the_load_down_to_it_and_never_up() {
    let limited = RunRequest { max_rate: Some(1e6), ..request("small") }.plan(64, false).unwrap();
    assert!(limited.offered.bytes_per_s <= 1e6 && limited.offered.bytes_per_s > 0.9e6);
    assert!(limited.marks.iter().any(|m| m.starts_with("scaled load")), "{:?}", limited.marks);
    assert!(limited.config.scale_reason.unwrap().contains("--max-rate"));
    let above = RunRequest { max_rate: Some(1e9), ..request("small") }.plan(64, false).unwrap();
    assert_eq!((above.load.scale, above.config.scale_reason), (1.0, None));
}

#[test]
fn a_subset_carries_what_is_promised_and_given_and_says_what_is_missing() {
    let given = Carries { kafka: false, s3: false, ..Carries::ALL };
    let asked = RunRequest { brings: only(given), ..request("small") };
    let plan = asked.plan(64, false).unwrap();
    assert_eq!(plan.load.carries, given);
    assert!(plan.marks.contains(&"subset: no minio, no kafka".to_owned()), "{:?}", plan.marks);
    let dev = RunRequest { brings: only(Carries::ALL), ..request("dev") };
    let dev = dev.plan(64, false).unwrap();
    assert!(!dev.load.carries.kafka, "dev promises none, so none is loaded");
    let nothing = RunRequest { brings: only(Carries::NOTHING), ..request("small") };
    assert_eq!(nothing.plan(64, false).unwrap_err().code, crate::exit::USAGE);
}

#[test]
fn a_run_that_only_reads_offers_nothing() {
    let asked = RunRequest { read_only: true, ..request("small") };
    let plan = asked.plan(64, false).unwrap();
    assert_eq!(plan.offered.operations_per_s(), 0.0);
    assert!(plan.marks.contains(&"read-only".to_owned()), "{:?}", plan.marks);
}

#[test]
fn a_window_implies_the_day_curve_and_sets_the_length() {
    let asked = RunRequest {
        window: Some((8.0 * 3600.0, 9.0 * 3600.0)),
        speedup: 60.0,
        ..request("small")
    };
    let plan = asked.plan(2, true).unwrap();
    assert_eq!(plan.config.arrivals, "day");
    assert_eq!(plan.config.window.as_deref(), Some("08:00-09:00"));
    assert_eq!(plan.config.duration_s, 30.0);
}

#[test]
fn a_load_other_than_the_daily_volume_is_marked_whatever_made_it_so() {
    let slower = RunRequest { speedup: 0.5, ..request("small") };
    let volume = Some("250GB/day".parse().unwrap());
    let smaller = RunRequest { volume, ..request("small") };
    let both = RunRequest { scale: Scale::Fixed(2.0), volume, ..request("small") };
    for (asked, mark) in [(slower, "×0.5"), (smaller, "×0.25"), (both, "×0.5")] {
        let plan = asked.plan(2, true).unwrap();
        assert!(plan.marks.contains(&format!("scaled load {mark}")), "{:?}", plan.marks);
    }
    assert!(request("small").plan(2, true).unwrap().marks.iter().all(|m| !m.contains("load")));
}

#[test]
fn options_that_contradict_each_other_are_refused_in_one_line() {
    let window = Some((0.0, 600.0));
    for bad in [
        RunRequest { window, arrivals: Some("poisson".into()), ..request("small") },
        RunRequest { window, speedup: 100.0, ..request("small") },
        RunRequest { window, speedup: 1e-15, ..request("small") },
        RunRequest { window, duration: Some(Duration::from_secs(1200)), ..request("small") },
        request("smal"),
    ] {
        let failure = bad.plan(2, true).unwrap_err();
        assert_eq!(failure.code, crate::exit::USAGE);
        assert!(!failure.message.contains('\n'), "{failure}");
    }
}

#[test]
fn documented_kafka_tuning_reaches_the_client() {
    assert_eq!(request("medium").plan(64, true).unwrap().partitions, 10);
    let large = request("large").plan(256, true).unwrap();
    assert_eq!(large.kafka.linger, Duration::from_millis(10));
    assert_eq!(large.kafka.queue_kbytes, 65_536);
}

#[test]
fn the_hash_changes_with_anything_that_shapes_the_load() {
    let base = request("small").plan(2, true).unwrap().config.hash;
    assert_eq!(base, request("small").plan(2, true).unwrap().config.hash);
    let seed = RunRequest { seed: 2, ..request("small") };
    let slower = RunRequest { scale: Scale::Fixed(0.5), ..request("small") };
    for other in [seed, slower, request("dev")] {
        assert_ne!(base, other.plan(2, true).unwrap().config.hash);
    }
}

#[test]
fn scales_are_rounded_down_to_two_figures() {
    assert_eq!(round_down(0.2073), 0.20);
    assert_eq!(round_down(0.0199), 0.019);
    assert_eq!(round_down(0.999), 0.99);
}

#[test]
fn the_hash_without_the_seed_is_that_of_the_load_and_tells_profiles_apart() {
    let plan = |profile: &str, seed| RunRequest { seed, ..request(profile) }.plan(2, true).unwrap();
    let (one, other) = (plan("small", 1).config, plan("small", 2).config);
    assert_ne!(one.hash, other.hash);
    assert!(one.load_hash.is_some() && one.load_hash == other.load_hash);
    assert_ne!(one.load_hash, plan("dev", 1).config.load_hash);
}
