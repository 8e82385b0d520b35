//! The proof that the schedule is open-loop.

use std::time::Duration;

use nix::sys::signal::Signal;
use odg_reports::record::RunState;
use odg_tests::processes::{named, signal};
use odg_tests::program::{Place, operation, record, stderr, turn};

#[test]
fn stopping_postgresql_for_two_seconds_shows_in_response_time_and_hardly_in_service_time() {
    let _turn = turn();
    let place = Place::new();
    let child = place.start(&[
        "--profile",
        "small",
        "--scale",
        "0.5",
        "--duration",
        "20s",
        "--warmup",
        "3s",
    ]);
    place.await_intervals(8, Duration::from_secs(90));
    let postgres = named(child.pid(), "postgres");
    assert!(!postgres.is_empty(), "PostgreSQL runs below odg-bench");
    signal(&postgres, Signal::SIGSTOP);
    std::thread::sleep(Duration::from_secs(2));
    signal(&postgres, Signal::SIGCONT);
    let output = child.output();
    let record = record(&output);

    assert_eq!(record.state, RunState::Complete, "{}", stderr(&output));
    let lookup = operation(&record, "postgres.lookup");
    let (response, service) =
        (lookup.response.p99_ns as f64 / 1e9, lookup.service.p99_ns as f64 / 1e9);
    // About a tenth of the look-ups were due during the stall; the slowest tenth of those, one in a
    // hundred, waited for most of it. Only the few that were in flight had it as service time.
    assert!(response > 1.0, "p99 response time {response:.3} s");
    assert!(service < response / 3.0, "p99 service time {service:.3} s, response {response:.3} s");
    assert!(lookup.service.max_ns as f64 / 1e9 > 1.0, "those in flight did wait");
    // Nothing was thinned: the schedule's count arrived, and every event was accounted for.
    let offered = lookup.offered as f64 / record.config.duration_s;
    assert!((offered / 50.0 - 1.0).abs() < 0.15, "{offered} look-ups/s offered");
    assert!(record.ledger.balanced, "{:#?}", record.ledger);
    assert!(record.generator.dropped == 0);
}
