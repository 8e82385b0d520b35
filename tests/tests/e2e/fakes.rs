//! Runs on test doubles.

use std::fs;

use odg_reports::record::{Fidelity, RunState};
use odg_tests::program::{Place, record, stderr, turn};

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
    // The mock cluster keeps 5 MiB a partition. A volume that no consumer on this machine follows makes
    // it evict unread events.
    let output = place
        .command(&[
            "run",
            "--profile",
            "small",
            "--volume",
            "20TB/day",
            "--scale",
            "1",
            "--duration",
            "6s",
            "--warmup",
            "1s",
            "--drain",
            "20s",
            "--runs-dir",
            "runs",
            "--quiet",
            "--output",
            "json",
        ])
        .env("ODG_BENCH_IMPLEMENTATION_KAFKA", "fake")
        .output()
        .unwrap();
    let record = record(&output);
    let lost: u64 = record.ledger.hops.iter().map(|h| h.lost).sum();
    assert!(lost > 0, "{:#?}", record.ledger);
    assert!(!record.ledger.balanced);
    assert_eq!(output.status.code(), Some(1), "{:?}", record.reasons);
}
