//! Runs on test doubles.

use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;
use odg_reports::record::{Fidelity, RunState};
use odg_tests::processes::{named, signal};
use odg_tests::program::{Place, Started, record, stderr, turn};

#[test]
fn a_fake_is_marked_in_every_output() {
    let _turn = turn();
    let place = Place::new();
    let output = place
        .command(&[
            "run",
            "--profile",
            "small",
            "--scale",
            "0.1",
            "--duration",
            "5s",
            "--warmup",
            "1s",
            "--runs-dir",
            "runs",
            "--quiet",
        ])
        .env("ODG_BENCH_IMPLEMENTATION_KAFKA", "fake")
        .env("ODG_BENCH_IMPLEMENTATION_MINIO", "fake")
        .output()
        .unwrap();
    let screen = String::from_utf8_lossy(&output.stdout).into_owned();
    let dir = place.only_run();
    let record = odg_tests::program::read(&dir);
    assert_eq!(record.state, RunState::Complete, "{}", stderr(&output));
    assert!(record.ledger.balanced, "{:#?}", record.ledger);
    for component in ["kafka", "minio"] {
        let implementation =
            record.implementations.iter().find(|i| i.component == component).unwrap();
        assert_eq!(implementation.fidelity, Fidelity::Fake);
        let mark = format!("fake {component}");
        assert!(record.marks.contains(&mark), "{:?}", record.marks);
        assert!(screen.contains(&mark), "{screen}");
        for file in ["report.html", "report.md", "junit.xml", "run.json"] {
            let text = fs::read_to_string(dir.join(file)).unwrap();
            assert!(text.contains("fake"), "{file}");
        }
    }
}

#[test]
fn what_a_fake_broker_evicts_before_it_is_read_shows_as_loss() {
    let _turn = turn();
    let place = Place::new();
    // The mock cluster keeps 5 MiB of each of 16 partitions. While storage stands still, the consumer holds
    // its 32 MiB of prefetch and at most six batches of 24 MiB: 256 MiB in all, which 46 MB/s exceed in
    // less than six seconds. After that unread events are evicted, on any machine.
    let mut command = place.command(&[
        "run",
        "--profile",
        "small",
        "--volume",
        "4TB/day",
        "--scale",
        "1",
        "--arrivals",
        "constant",
        "--duration",
        "12s",
        "--warmup",
        "1s",
        "--drain",
        "20s",
        "--runs-dir",
        "runs",
        "--quiet",
        "--output",
        "json",
    ]);
    let child = Started::new(command.env("ODG_BENCH_IMPLEMENTATION_KAFKA", "fake"));
    place.await_intervals(2, Duration::from_secs(90));
    let storage = named(child.pid(), "minio");
    if storage.is_empty() && std::env::var_os("ODG_BENCH_TEST_ALLOW_MISSING").is_some() {
        eprintln!("skipped: without MinIO there is no storage that can be stopped");
        return;
    }
    assert!(!storage.is_empty(), "MinIO runs below odg-bench: run ci/setup --with-minio");
    signal(&storage, Signal::SIGSTOP);
    std::thread::sleep(Duration::from_secs(8));
    signal(&storage, Signal::SIGCONT);
    let output = child.output();
    let record = record(&output);
    let lost: u64 = record.ledger.hops.iter().map(|h| h.lost).sum();
    assert!(lost > 0, "{:#?}", record.ledger);
    assert!(!record.ledger.balanced);
    assert_eq!(output.status.code(), Some(1), "{:?}", record.reasons);
}
