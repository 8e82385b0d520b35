//! `history`, `publish` and `verify` on a real run.

use std::fs;

use odg_tests::program::{Place, record, stderr, turn};

#[test]
fn a_real_run_is_published_verified_and_one_edited_byte_is_named() {
    let _turn = turn();
    let place = Place::new();
    let run =
        place.run(&["--profile", "dev", "--scale", "0.05", "--duration", "5s", "--warmup", "1s"]);
    let record = record(&run);
    let run_odg = |arguments: &[&str]| {
        let output = place.command(arguments).output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
        (output.status.code(), text)
    };

    let (code, text) = run_odg(&["history", "runs", "--out", "history", "--fail-on", "regression"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("TOO FEW RUNS") && text.contains("history.html"), "{text}");

    let (code, text) = run_odg(&["publish", "runs", "--out", "site", "--strict"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("less than 10 min"), "{text}");
    let (code, text) = run_odg(&["publish", "runs", "--out", "site"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains(&format!("NOT PUBLISHABLE {}", record.run_id)), "{text}");

    // A real record does not contradict itself.
    let (code, text) = run_odg(&["verify", "site"]);
    assert_eq!(code, Some(0), "{text}");
    let site = place.runs().parent().unwrap().join("site");
    let series = site.join("runs").join(&record.run_id).join("series.csv");
    let mut bytes = fs::read(&series).unwrap();
    let last = bytes.len() - 2;
    bytes[last] = if bytes[last] == b'1' { b'2' } else { b'1' };
    fs::write(&series, bytes).unwrap();
    let (code, text) = run_odg(&["verify", "site"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("edited: runs/") && text.contains("series.csv"), "{text}");

    for (arguments, said) in [
        (vec!["verify", "runs"], "no site of odg-bench"),
        (vec!["history", "work"], "no run records"),
        (vec!["history", "nowhere"], "nowhere"),
        (vec!["publish", "runs", "--out", "runs"], "not a site of odg-bench"),
        (vec!["publish", "work", "--out", "other"], "no run"),
    ] {
        let (code, text) = run_odg(&arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
        assert!(text.contains(said) && text.trim().lines().count() == 1, "{arguments:?}: {text}");
    }
}
