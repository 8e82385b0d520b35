//! Runs that are repeated or made in turn, and what comparing them says.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use odg_reports::record::{PairSide, RunRecord, RunState, Turn};
use odg_tests::program::{Place, Started, read, stderr, turn};

/// A short run of a small load on local servers.
const SHORT: [&str; 10] = [
    "--profile",
    "dev",
    "--provider",
    "local",
    "--scale",
    "0.05",
    "--duration",
    "3s",
    "--warmup",
    "1s",
];

/// The only group in this place.
fn group(place: &Place) -> PathBuf {
    place.only_run()
}

fn runs_in(dir: &PathBuf) -> Vec<PathBuf> {
    let mut runs: Vec<PathBuf> =
        fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    runs.sort();
    runs
}

#[test]
fn repeated_runs_get_fresh_stacks_and_seeds_of_their_own_and_are_a_side_to_compare() {
    let _turn = turn();
    let place = Place::new();
    let mut arguments = SHORT.to_vec();
    arguments.extend(["--repeat", "2", "--seed", "5"]);
    let output = place.run(&arguments);
    let records: Vec<RunRecord> = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("no records on standard output: {e}; {}", stderr(&output)));
    assert_eq!(records.len(), 2, "{}", stderr(&output));
    let group = group(&place);
    let name = group.file_name().unwrap().to_string_lossy().into_owned();
    for (index, record) in (1..).zip(&records) {
        assert_eq!(record.state, RunState::Complete);
        assert!(record.ledger.balanced, "{:#?}", record.ledger);
        let repeat = record.repeat.as_ref().unwrap();
        assert_eq!((repeat.group.as_str(), repeat.index, repeat.of), (name.as_str(), index, 2));
        assert_eq!((repeat.turn, record.config.seed), (None, 4 + u64::from(index)));
        assert!(!record.command.iter().any(|word| word == "--repeat"), "{:?}", record.command);
        assert!(record.command.ends_with(&["--seed".into(), record.config.seed.to_string()]));
        assert_eq!(&read(&group.join(&record.run_id)), record, "what is printed is what is kept");
    }
    // A fresh stack has ports of its own, since a port is not taken twice at once and both were chosen at random.
    let endpoints = |record: &RunRecord| -> Vec<String> {
        record.implementations.iter().map(|one| one.endpoint.clone()).collect()
    };
    assert_ne!(endpoints(&records[0]), endpoints(&records[1]));
    // FAIL is worse than INVALID and INCONCLUSIVE, these than PASS.
    let codes: Vec<u8> = records.iter().map(|record| record.exit_code).collect();
    let worst = [1, 4, 0].into_iter().find(|code| codes.contains(code)).unwrap();
    assert_eq!(output.status.code(), Some(i32::from(worst)), "{codes:?}: {}", stderr(&output));
    assert_eq!(place.leftovers(), Vec::<PathBuf>::new());

    let path = group.to_str().unwrap();
    let compared =
        place.command(&["compare", path, path, "--force", "--output", "json"]).output().unwrap();
    let told: serde_json::Value = serde_json::from_slice(&compared.stdout).unwrap();
    assert_eq!(told[0]["base"]["runs"].as_array().unwrap().len(), 2, "{}", stderr(&compared));
}

#[test]
fn the_text_of_repeated_runs_names_each_verdict_and_their_spread() {
    let _turn = turn();
    let place = Place::new();
    let mut arguments = vec!["run", "--runs-dir", "runs", "--quiet", "--repeat", "2"];
    arguments.extend(SHORT);
    let output = place.command(&arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for said in ["seed 1", "seed 2", "report.html", "bus.publish", "95 % interval", "Runs: "] {
        assert!(text.contains(said), "{said}: {text}; {}", stderr(&output));
    }
}

#[test]
fn interleaved_runs_take_turns_with_equal_seeds_and_are_compared() {
    let _turn = turn();
    let place = Place::new();
    let output = interleave(&place, "2", "").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let group = group(&place);
    let mut order: Vec<(u32, PairSide, u32, u64)> = Vec::new();
    for side in [PairSide::Base, PairSide::Candidate] {
        for dir in runs_in(&group.join(side.label())) {
            let record = read(&dir);
            let repeat = record.repeat.unwrap();
            let Turn { side: said, order: number } = repeat.turn.unwrap();
            assert_eq!((said, repeat.of), (side, 2));
            order.push((number, said, repeat.index, record.config.seed));
        }
    }
    order.sort();
    let (a, b) = (PairSide::Base, PairSide::Candidate);
    assert_eq!(order, [(1, a, 1, 1), (2, b, 1, 1), (3, b, 2, 2), (4, a, 2, 2)]);
    let told: serde_json::Value = serde_json::from_str(
        &fs::read_to_string(place.runs().join("../out/compare.json")).unwrap(),
    )
    .unwrap();
    assert_eq!(told["pairs"]["count"], 2, "{told}");
    assert!(!told["rows"].as_array().unwrap().is_empty());
    let page = fs::read_to_string(place.runs().join("../out/compare.html")).unwrap();
    assert!(page.contains("Interleaved: 2 pairs of runs"));
    assert_eq!(place.leftovers(), Vec::<PathBuf>::new());
}

/// `compare --interleave`; forced, since a busy machine can make a run INVALID.
fn interleave(place: &Place, pairs: &str, candidate: &str) -> std::process::Command {
    let mut arguments =
        vec!["compare", "--interleave", "--repeat", pairs, "--force", "--out", "out"];
    arguments.extend(["--base-run", "", "--candidate-run", candidate, "--"]);
    arguments.extend(SHORT);
    arguments.extend(["--runs-dir", "runs", "--quiet"]);
    place.command(&arguments)
}

#[test]
fn a_side_that_cannot_start_ends_it_with_3_and_keeps_what_was_measured() {
    let _turn = turn();
    let place = Place::new();
    let broken = place.program("echo broken on purpose >&2; exit 7");
    let candidate = format!("ODG_BENCH_REDIS={}", broken.display());
    let output = interleave(&place, "2", &candidate).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("--candidate-run: ") && said.contains("redis"), "{said}");
    assert!(said.contains("1 of 4 runs are in "), "{said}");
    let base = runs_in(&group(&place).join("base"));
    assert_eq!(base.len(), 1, "the base's run is kept");
    assert_eq!(read(&base[0]).state, RunState::Complete);
    assert_eq!(place.leftovers(), Vec::<PathBuf>::new());
}

#[test]
fn ctrl_c_ends_repeated_runs_in_order_and_keeps_what_was_measured() {
    let _turn = turn();
    let place = Place::new();
    let mut arguments = vec!["run", "--runs-dir", "runs", "--output", "json", "--repeat", "3"];
    arguments.extend(SHORT);
    let child = Started::new(&mut place.command(&arguments));
    // The second run has begun once the group holds two runs, and has intervals once its load goes on.
    let deadline = Instant::now() + Duration::from_secs(180);
    let measuring = |place: &Place| {
        let groups = runs_in(&place.runs());
        let second = groups.first().and_then(|group| runs_in(group).into_iter().nth(1));
        let journal = second.and_then(|run| fs::read_to_string(run.join("journal.jsonl")).ok());
        journal.is_some_and(|journal| journal.contains(r#"{"type":"interval""#))
    };
    while !measuring(&place) {
        assert!(Instant::now() < deadline, "the second run never measured anything");
        std::thread::sleep(Duration::from_millis(50));
    }
    kill(Pid::from_raw(child.pid()), Signal::SIGINT).unwrap();
    let output = child.output();
    let said = stderr(&output);
    let records: Vec<RunRecord> = serde_json::from_slice(&output.stdout).unwrap();
    let states: Vec<RunState> = records.iter().map(|record| record.state).collect();
    assert_eq!(states, [RunState::Complete, RunState::Interrupted], "{said}");
    assert!(said.contains("interrupted; 2 of 3 runs are in "), "{said}");
    assert!(matches!(output.status.code(), Some(1 | 4)), "{:?}: {said}", output.status);
    assert_eq!(runs_in(&group(&place)).len(), 2, "no third run was begun");
    assert_eq!(place.leftovers(), Vec::<PathBuf>::new());
}

#[test]
fn what_cannot_be_compared_is_refused_before_anything_starts() {
    let place = Place::new();
    for (base, candidate, rest, said) in [
        ("--scale 2", "--scale 1", "", "scale is 2 for the base and 1 for the candidate"),
        ("--seed 1", "--seed 2", "", "seed is 1"),
        ("--no-such-option", "", "", "--base-run: unexpected argument '--no-such-option'"),
        ("", "--images 'x", "", "--candidate-run: a quote is not closed"),
        ("", "--endpoints nowhere.yaml --yes", "", "--candidate-run: nowhere.yaml"),
        ("", "", "--repeat", "--base-run: --repeat has no place"),
    ] {
        let mut arguments = vec!["compare", "--interleave", "--base-run", base];
        arguments.extend(["--candidate-run", candidate, "--", "--profile", "dev"]);
        arguments.extend(["--provider", "local", "--runs-dir", "runs"].iter().filter(|_| {
            // A side that attaches brings its own provider.
            !candidate.contains("--endpoints")
        }));
        if !rest.is_empty() {
            arguments.extend([rest, "2"]);
        }
        let output = place.command(&arguments).output().unwrap();
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{base} {candidate}: {text}");
        assert!(text.contains(said) && !text.contains("panicked"), "{said}: {text}");
    }
    assert_eq!(fs::read_dir(place.runs()).unwrap().count(), 0, "nothing was started");
}

#[test]
fn consent_to_load_an_attached_stack_is_wanted_before_the_first_run_starts() {
    let place = Place::new();
    let file = place.private_file("redis.yaml", "redis: {host: 127.0.0.1, port: 1}\n");
    let side = format!("--endpoints {}", file.display());
    let mut arguments = vec!["compare", "--interleave", "--repeat", "3", "--base-run", &side];
    arguments.extend(["--candidate-run", &side, "--", "--profile", "dev", "--runs-dir", "runs"]);
    let output = place.command(&arguments).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("3 times") && said.contains("--base-run: loading"), "{said}");
    assert_eq!(fs::read_dir(place.runs()).unwrap().count(), 0, "nothing was started");
}

#[test]
fn a_dry_run_of_several_says_how_long_they_take_together() {
    let place = Place::new();
    let mut arguments = vec!["run", "--repeat", "4", "--dry-run", "--seed", "7"];
    arguments.extend(SHORT);
    let output = place.command(&arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("4 times, seeds 7 to 10: 16 s of load"), "{text}; {}", stderr(&output));
    arguments.extend(["--output", "json"]);
    let output = place.command(&arguments).output().unwrap();
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (plan["repeat"]["load_s"].as_f64(), plan["repeat"]["runs"].as_u64()),
        (Some(16.0), Some(4))
    );
    let last = u64::MAX.to_string();
    let output = place
        .command(&["run", "--profile", "dev", "--repeat", "2", "--dry-run", "--seed", &last])
        .output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--seed"), "{}", stderr(&output));
}
