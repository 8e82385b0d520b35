//! The command line where nothing is started.

use std::fs;
use std::process::{Command, Output, Stdio};

fn odg_bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_odg-bench"))
        .args(arguments)
        .env("NO_COLOR", "1")
        .output()
        .unwrap_or_else(|e| panic!("start odg-bench: {e}"))
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(arguments: &[&str]) -> serde_json::Value {
    let output = odg_bench(arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("no JSON: {e}"))
}

#[test]
fn bad_input_is_one_clear_line_and_exit_code_2_and_nothing_is_started() {
    let dir = tempfile::tempdir().unwrap();
    let runs = dir.path().join("runs");
    let file = dir.path().join("mine.yaml");
    fs::write(&file, "name: mine\nextends: small\nresources:\n  vcpus: 4\n").unwrap();
    let broken = dir.path().join("broken.yaml");
    fs::write(&broken, "name: [mine\n").unwrap();
    let (file, broken) = (file.to_str().unwrap(), broken.to_str().unwrap());
    for (arguments, said) in [
        (vec!["run", "--profile", "smal"], "small"),
        (vec!["run", "--profile", file], "mine.yaml:4"),
        (vec!["run", "--profile", file], "vcpu"),
        (vec!["run", "--profile", broken], "broken.yaml:"),
        (vec!["run", "--profile", "small", "--volume", "-1TB/day"], "TB/day"),
        (vec!["run", "--profile", "small", "--duration", "soon"], "soon"),
        (vec!["run", "--profile", "small", "--duration", "0.5s"], "1s"),
        (vec!["run", "--profile", "small", "--scale", "NaN"], "0.1"),
        (vec!["run", "--profile", "small", "--window", "9-8"], "08:00-09:30"),
        (
            vec!["run", "--profile", "small", "--window", "08:00-09:00", "--arrivals", "poisson"],
            "--window",
        ),
        (vec!["profiles", "show", "medum"], "medium"),
        (vec!["profiles", "recommend", "--volume", "3TB/day", "--needs", "gpus"], "gpu"),
        (vec!["report", "nowhere"], "nowhere"),
        (vec!["profile"], "profiles"),
    ] {
        let mut arguments = arguments;
        if arguments[0] == "run" {
            arguments.extend(["--runs-dir", runs.to_str().unwrap()]);
        }
        let output = odg_bench(&arguments);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(said), "{arguments:?} should name {said}: {text}");
        assert!(!text.contains("panicked"), "{text}");
    }
    assert!(!runs.exists());
}

#[test]
fn a_missing_server_is_named_with_the_command_that_adds_it_and_exit_code_3() {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_odg-bench"))
        .args(["run", "--profile", "small", "--quiet", "--runs-dir"])
        .arg(dir.path().join("runs"))
        .env("ODG_BENCH_REDIS", dir.path().join("no-such-redis"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("redis"), "{}", stderr(&output));
    assert!(!dir.path().join("runs").exists());
}

#[test]
fn a_run_that_the_disk_cannot_hold_is_refused_with_the_bytes_needed() {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_odg-bench"))
        .args([
            "run",
            "--profile",
            "large",
            "--scale",
            "1000",
            "--duration",
            "7d",
            "--quiet",
            "--runs-dir",
        ])
        .arg(dir.path().join("runs"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("needed"), "{}", stderr(&output));
    assert!(!dir.path().join("runs").exists());
}

#[test]
fn a_dry_run_says_what_would_start_and_be_offered_and_starts_nothing() {
    let output = odg_bench(&["run", "--profile", "small", "--scale", "1", "--dry-run"]);
    let text = stdout(&output);
    assert!(output.status.success(), "{}", stderr(&output));
    for said in ["postgresql", "kafka", "11.6 MB/s", "bus.publish", "nothing was started"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let plan = json(&["run", "--profile", "dev", "--dry-run", "--output", "json"]);
    let started: Vec<&str> = plan["would_start"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|c| c["component"].as_str())
        .collect();
    assert!(!started.contains(&"kafka"), "dev promises no Kafka: {started:?}");
}

#[test]
fn profiles_are_listed_shown_compared_and_recommended() {
    let list = stdout(&odg_bench(&["profiles", "list"]));
    assert!(["dev", "small", "medium", "large"].iter().all(|name| list.contains(name)), "{list}");
    let small = json(&["profiles", "show", "small", "--output", "json"]);
    assert_eq!(
        (small["resources"]["vcpu"].as_u64(), small["name"].as_str()),
        (Some(16), Some("small"))
    );
    let shown = stdout(&odg_bench(&["profiles", "show", "large"]));
    assert!(shown.contains("documented") && shown.contains("derived"), "{shown}");
    let diff = stdout(&odg_bench(&["profiles", "diff", "small", "medium"]));
    assert!(diff.contains("qdrant") && diff.contains("resources.gpu"), "{diff}");
    let same = json(&["profiles", "diff", "small", "small", "--output", "json"]);
    assert_eq!(same, serde_json::json!([]));
    for (volume, needs, profile) in [
        ("3TB/day", "gpu", "medium"),
        ("500GB/day", "datahub", "small"),
        ("500GB/day", "multi-az", "large"),
        ("20TB/day", "gpu", "large"),
    ] {
        let arguments =
            ["profiles", "recommend", "--volume", volume, "--needs", needs, "--output", "json"];
        assert_eq!(json(&arguments)["profile"], profile, "{volume} {needs}");
    }
}

#[test]
fn the_doctor_says_what_is_missing_and_what_would_add_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_odg-bench"))
        .args(["doctor", "--output", "json"])
        .env("ODG_BENCH_NATS", "/no/such/nats-server")
        .output()
        .unwrap();
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let nats = rows.as_array().unwrap().iter().find(|r| r["component"] == "nats").unwrap();
    assert_eq!(nats["status"], "missing", "{nats}");
    assert!(nats["fix"].as_str().is_some_and(|fix| !fix.is_empty()), "{nats}");
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_command_quietly() {
    for arguments in [vec!["profiles", "show", "small"], vec!["completions", "bash"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_odg-bench"))
            .args(&arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Nobody reads: the first write meets a closed pipe.
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            (output.status.code(), stderr(&output).as_str()),
            (Some(0), ""),
            "{arguments:?}"
        );
    }
}

#[test]
fn help_has_examples_and_completions_know_every_command() {
    let help = stdout(&odg_bench(&["run", "--help"]));
    assert!(help.contains("odg-bench run --profile small") && help.contains("--dry-run"), "{help}");
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout(&odg_bench(&["completions", shell]));
        assert!(script.contains("profiles") && script.contains("doctor"), "{shell}");
        assert!(!script.is_empty());
    }
}
