//! Runs that go well.

use std::fs;
use std::time::Duration;

use odg_reports::record::{Fidelity, RunState, Verdict};
use odg_tests::processes::{descendants, survivors};
use odg_tests::program::{Place, operation, program, read, record, stderr, turn};

/// The five components that the local provider starts for small.
const SMALL: [&str; 5] = ["postgresql", "redis", "minio", "nats", "kafka"];

#[test]
fn small_at_full_volume_keeps_its_books_on_real_servers_and_leaves_nothing_behind() {
    let _turn = turn();
    let place = Place::new();
    let child = place.start(&["--profile", "small", "--duration", "12s", "--warmup", "3s"]);
    place.await_intervals(3, Duration::from_secs(90));
    let started = descendants(child.pid());
    assert!(started.len() >= 5, "servers run as child processes: {started:?}");
    let output = child.output();
    let record = record(&output);

    assert_eq!(record.state, RunState::Complete, "{}", stderr(&output));
    assert!(record.ledger.balanced, "{:#?}", record.ledger);
    let sent = record.ledger.hops[0].reached;
    assert!(sent > 10_000, "fifteen seconds of 1 TB a day are about 17,000 events, not {sent}");
    assert!(record.ledger.hops.iter().all(|hop| hop.reached == sent));
    assert!(record.ledger.checks.len() >= 10 && record.ledger.checks.iter().all(|c| c.ok));

    assert_eq!(record.config.scale, 1.0);
    let events = operation(&record, "bus.publish");
    let offered = events.offered as f64 / record.config.duration_s;
    assert!((offered / record.config.offered_events_per_s - 1.0).abs() < 0.1, "{offered}/s");
    for (component, name) in SMALL.iter().zip(&record.implementations) {
        assert_eq!(name.component, *component);
        assert!(name.fidelity == Fidelity::Real || fake_allowed(), "{name:?}: run ci/setup");
        assert!(!name.version.is_empty());
        let cell = record.features.iter().find(|f| f.feature == *component).unwrap();
        let shown = match name.fidelity {
            Fidelity::Fake => Verdict::NotVerified,
            _ => Verdict::Pass,
        };
        assert_eq!(cell.verdict, shown, "{cell:?}");
    }
    let gpu = record.features.iter().find(|f| f.feature == "trino").unwrap();
    assert_eq!(gpu.verdict, Verdict::NotVerified, "what was not started is never a pass");
    for o in &record.operations {
        let law = o.littles_law.as_ref().unwrap();
        assert_ne!(law.holds, Some(false), "Little's law on {}: {law:?}", o.name);
        assert!(o.errors.is_empty(), "{}: {:?}", o.name, o.errors);
    }

    assert_eq!(survivors(&started, Duration::from_secs(5)), []);
    assert_eq!(place.leftovers(), Vec::<std::path::PathBuf>::new());

    let dir = place.only_run();
    for file in [
        "run.json",
        "latency.hlog",
        "series.csv",
        "journal.jsonl",
        "report.html",
        "report.md",
        "junit.xml",
        "metrics.om",
    ] {
        assert!(fs::metadata(dir.join(file)).is_ok_and(|m| m.len() > 0), "{file}");
    }
    // A fake inside odg-bench has no log of its own.
    for one in record.implementations.iter().filter(|one| one.fidelity != Fidelity::Fake) {
        let log = dir.join(format!("logs/{}.log", one.component));
        assert!(log.exists(), "{}", log.display());
    }
    assert!(fs::metadata(dir.join("logs/postgresql.log")).is_ok_and(|m| m.len() > 0));
    assert_eq!(read(&dir), record, "what is printed is what is kept");

    // The report can be made again from the four files that are the record.
    fs::remove_file(dir.join("report.html")).unwrap();
    fs::remove_dir_all(dir.join("plots")).unwrap();
    let again = std::process::Command::new(program()).arg("report").arg(&dir).output().unwrap();
    assert!(again.status.success(), "{}", stderr(&again));
    assert!(fs::read_to_string(dir.join("report.html")).unwrap().contains("bus.publish"));
}

/// Whether this machine may lack real servers. Unset in CI, so that nothing is skipped in silence.
fn fake_allowed() -> bool {
    std::env::var_os("ODG_BENCH_TEST_ALLOW_MISSING").is_some()
}

#[test]
fn dev_starts_no_kafka_and_its_events_travel_over_nats() {
    let _turn = turn();
    let place = Place::new();
    let output = place.run(&[
        "--profile",
        "dev",
        "--duration",
        "8s",
        "--warmup",
        "2s",
        "--volume",
        "50GB/day",
    ]);
    let record = record(&output);
    assert_eq!(record.state, RunState::Complete, "{}", stderr(&output));
    assert!(record.implementations.iter().all(|i| i.component != "kafka"));
    let kafka = record.features.iter().find(|f| f.feature == "kafka").unwrap();
    assert_eq!((kafka.promised.as_str(), kafka.verdict), ("absent", Verdict::Pass));
    assert_eq!(operation(&record, "bus.publish").component, "nats");
    assert!(record.ledger.balanced, "{:#?}", record.ledger);
    assert!(record.ledger.hops.iter().all(|hop| hop.reordered == 0));
}

#[test]
fn a_slice_of_the_day_is_replayed_compressed_and_named_in_the_record() {
    let _turn = turn();
    let place = Place::new();
    let output = place.run(&[
        "--profile",
        "dev",
        "--window",
        "09:00-09:10",
        "--speedup",
        "60",
        "--warmup",
        "2s",
    ]);
    let record = record(&output);
    assert_eq!(record.state, RunState::Complete, "{}", stderr(&output));
    assert_eq!(record.config.window.as_deref(), Some("09:00-09:10"));
    assert_eq!((record.config.arrivals.as_str(), record.config.duration_s), ("day", 8.0));
    assert!(record.ledger.balanced, "{:#?}", record.ledger);
}

#[test]
fn medium_runs_on_a_small_machine_scaled_down_and_says_so() {
    let _turn = turn();
    let place = Place::new();
    let output = place.run(&[
        "--profile",
        "medium",
        "--duration",
        "6s",
        "--warmup",
        "2s",
        "--scale",
        "0.05",
    ]);
    let record = record(&output);
    assert_eq!(record.state, RunState::Complete, "{}", stderr(&output));
    assert!(record.marks.iter().any(|m| m == "scaled load ×0.05"), "{:?}", record.marks);
    assert!(record.ledger.balanced, "{:#?}", record.ledger);
    let dir = place.only_run();
    for file in ["report.html", "report.md"] {
        assert!(fs::read_to_string(dir.join(file)).unwrap().contains("scaled load"), "{file}");
    }
}
