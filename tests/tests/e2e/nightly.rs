//! The night's script, driven with the real program.

#![allow(clippy::unwrap_used)] // What fails in a helper here fails the test that uses it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use odg_reports::record::{RunRecord, Verdict};
use odg_reports::store::{IntervalHistogram, Kind};
use odg_reports::summary::latency_summary;
use odg_reports::{Run, RunWriter};
use odg_tests::program::{Place, program, stderr, turn};

const TONIGHT: &str = "2026-01-02";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A short night of dev, all of whose state is in the place.
fn night(place: &Place, arguments: &[&str]) -> Output {
    let store = place.runs();
    Command::new(repository().join("ci/nightly"))
        .args(["--night", TONIGHT, "--profiles", "dev", "--duration", "30s", "--warmup", "2s"])
        .args(["--repeat", "2", "--scale", "1", "--store"])
        .arg(&store)
        .arg("--program")
        .arg(program())
        .args(arguments)
        .env("ODG_BENCH_WORK_DIR", place.work())
        .env_remove("GITHUB_STEP_SUMMARY")
        .output()
        .unwrap_or_else(|e| panic!("start ci/nightly: {e}"))
}

fn runs_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.join("run.json").exists() {
            found.push(path);
        } else if path.is_dir() {
            found.extend(runs_below(&path));
        }
    }
    found.sort();
    found
}

/// The night before tonight, good, with every response `factor` times as long as in these runs.
fn plant(store: &Path, runs: &[Run], factor: f64, edit: impl Fn(&mut RunRecord)) {
    let before = store.join("nights/2026-01-01/dev");
    plant_at(&before, runs, factor, |record| {
        record.run_id = format!("before-{}", record.run_id);
        record.started_at = record.started_at.replacen("20", "19", 1);
        edit(record);
    });
    fs::write(before.join("good"), "planted\n").unwrap();
}

/// Runs of known figures and verdict, whatever the machine was busy with while these were made.
fn plant_at(night: &Path, runs: &[Run], factor: f64, edit: impl Fn(&mut RunRecord)) {
    let _ = fs::remove_dir_all(night);
    for run in runs {
        let mut record = run.record.clone();
        (record.verdict, record.exit_code) = (Verdict::Pass, 0);
        // So short a run is no PASS by its own figures; what another version judged is taken as it is.
        record.tool_version = "0.0.1".into();
        edit(&mut record);
        let mut writer = RunWriter::create(&night.join(&record.run_id)).unwrap();
        let mut whole: BTreeMap<&str, Histogram<u64>> = BTreeMap::new();
        for row in &run.series {
            let (mut row, name) = (row.clone(), row.operation.as_str());
            row.response_mean_us *= factor;
            let mut histogram = Histogram::<u64>::new(3).unwrap();
            for place in 0..row.completed {
                // A spread between the second's median and its p99.
                let share = place as f64 / row.completed as f64;
                let us = row.response_p50_us * (1.0 + 0.1 * share) * factor;
                histogram.record((us * 1e3).max(1.0) as u64).unwrap();
            }
            if row.measured {
                let fresh = || Histogram::new(3).unwrap();
                whole.entry(name).or_insert_with(fresh).add(&histogram).unwrap();
            }
            let part = IntervalHistogram {
                operation: &row.operation,
                kind: Kind::Response,
                start_s: (row.t_s - row.dt_s).max(0.0),
                dt_s: row.dt_s,
                histogram: &histogram,
            };
            writer.interval(&[row.clone()], &[part]).unwrap();
        }
        // A record that contradicts itself would fail the night for another reason.
        for operation in &mut record.operations {
            let all = whole.get(operation.name.as_str());
            operation.response = all.map_or_else(Default::default, |h| latency_summary(h, 0));
        }
        writer.finish(&record).unwrap();
    }
    fs::write(night.join("exit"), "0\n").unwrap();
}

#[test]
fn a_night_is_measured_once_and_one_that_is_worse_or_lost_a_promise_fails_by_name() {
    let _turn = turn();
    let place = Place::new();
    let store = place.runs();
    let first = night(&place, &[]);
    let told = String::from_utf8_lossy(&first.stdout).into_owned();
    // So short a run may claim too little for a verdict; it is no failure.
    assert!(matches!(first.status.code(), Some(0 | 4)), "{told}{}", stderr(&first));
    assert!(told.contains("no good night before") && told.contains("built and verified"), "{told}");
    let runs = runs_below(&store.join("nights"));
    assert_eq!(runs.len(), 2, "{runs:?}");
    for file in ["site/index.html", "history/history.html", "summary.md"] {
        assert!(store.join(file).exists(), "{file}");
    }

    let real: Vec<Run> = runs.iter().map(|dir| Run::open(dir).unwrap()).collect();
    plant_at(&store.join("nights").join(TONIGHT).join("dev"), &real, 1.0, |_| {});
    let runs = runs_below(&store.join("nights"));

    // As good as the night before.
    plant(&store, &real, 1.0, |_| {});
    let same = night(&place, &["--summary", store.join("job").to_str().unwrap()]);
    let told = String::from_utf8_lossy(&same.stdout).into_owned();
    assert!(told.contains("| dev | PASS | not worse than 2026-01-01 |"), "{told}");
    assert_eq!(runs_below(&store.join("nights").join(TONIGHT)), runs, "nothing is measured twice");
    assert!(fs::read_to_string(store.join("job")).unwrap().contains("| dev |"));

    // A thousand times as slow as the night before: two runs a side, and all rows corrected together, show little less.
    plant(&store, &real, 0.001, |_| {});
    let worse = night(&place, &[]);
    let told = String::from_utf8_lossy(&worse.stdout).into_owned();
    assert_eq!(worse.status.code(), Some(1), "{told}{}", stderr(&worse));
    assert!(told.contains("**worse than 2026-01-01**"), "{told}");
    let summary = fs::read_to_string(store.join("summary.md")).unwrap();
    assert!(summary.contains("REGRESSION") && summary.contains("bus.publish"), "{summary}");

    // A promise that the night before kept.
    plant(&store, &real, 1.0, |record| {
        let mut cell = record.features[0].clone();
        cell.feature = "planted".into();
        cell.verdict = Verdict::Pass;
        record.features.push(cell);
    });
    let lost = night(&place, &[]);
    let told = String::from_utf8_lossy(&lost.stdout).into_owned();
    assert_eq!(lost.status.code(), Some(1), "{told}{}", stderr(&lost));
    let summary = fs::read_to_string(store.join("summary.md")).unwrap();
    assert!(summary.contains("LOST") && summary.contains("feature planted"), "{summary}");

    // Until a person accepts tonight, from the next night on.
    let accepted = night(&place, &["--accept", "dev"]);
    assert!(accepted.status.success(), "{}", stderr(&accepted));
    let good = store.join("nights").join(TONIGHT).join("dev/good");
    assert!(fs::read_to_string(good).unwrap().contains("by hand"));
    assert_eq!(place.leftovers(), Vec::<PathBuf>::new());
}

/// Stands in for the program: it says and ends with what the environment tells it.
const STUB: &str = r#"#!/usr/bin/env bash
case $1 in
  run)
    while [ $# -gt 0 ]; do if [ "$1" = --runs-dir ]; then dir=$2; fi; shift; done
    mkdir -p "$dir/run"
    echo '{"state": "complete"}' >"$dir/run/run.json"
    if [ -n "$STUB_WAITS" ]; then
      trap 'echo "{\"state\": \"interrupted\"}" >"$dir/run/run.json"; exit 4' TERM
      touch "$STUB_WAITS"
      sleep 60 & wait
    fi
    exit "${STUB_RUN:-0}" ;;
  compare)
    case $2 in */"$STUB_OTHER"/*) echo 'not comparable: cores is 2 and, in x, 4'; exit 2 ;; esac
    echo "$STUB_SAYS"
    exit "${STUB_COMPARE:-0}" ;;
  history) echo 'TOO FEW RUNS: not long enough.' ;;
esac
"#;

#[test]
fn what_a_comparison_could_not_decide_is_told_as_it_is_and_a_stopped_night_is_measured_again() {
    let place = Place::new();
    let stub = place.work().join("stub");
    fs::create_dir_all(place.work()).unwrap();
    fs::write(&stub, STUB).unwrap();
    fs::set_permissions(&stub, fs::Permissions::from_mode(0o755)).unwrap();
    let store = place.runs();
    let command = |night: &str, environment: &[(&str, &str)]| {
        let mut command = Command::new(repository().join("ci/nightly"));
        command.args(["--profiles", "dev", "--night", night, "--store"]).arg(&store);
        command.arg("--program").arg(&stub).env_remove("GITHUB_STEP_SUMMARY");
        command.envs(environment.iter().copied());
        command
    };
    for (night, environment, code, said) in [
        ("01", vec![], 0, "no good night before"),
        ("02", vec![], 0, "not worse than 01"),
        ("03", vec![("STUB_OTHER", "02")], 0, "not worse than 01"),
        ("04", vec![("STUB_COMPARE", "4")], 4, "undecided against 03"),
        (
            "05",
            vec![
                ("STUB_RUN", "4"),
                ("STUB_COMPARE", "2"),
                ("STUB_SAYS", "not comparable: the state of a run"),
            ],
            4,
            "not compared with 03: a run was INVALID",
        ),
        (
            "06",
            vec![("STUB_COMPARE", "2"), ("STUB_SAYS", "not comparable: cores")],
            0,
            "so a new base (03: not comparable: cores)",
        ),
    ] {
        let output = command(night, &environment).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(code), "{night}: {told}{}", stderr(&output));
        assert!(told.contains(said) && told.contains("History: TOO FEW RUNS"), "{night}: {told}");
    }

    let waits = place.work().join("waits");
    let mut night = command("07", &[("STUB_WAITS", waits.to_str().unwrap())]).spawn().unwrap();
    let began = Instant::now();
    while !waits.exists() && began.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = night.id().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
    assert_eq!(night.wait().unwrap().code(), Some(143));
    assert!(!store.join("nights/07/dev/exit").exists(), "it was not measured");
    let again = command("07", &[]).output().unwrap();
    assert!(again.status.success(), "{}", stderr(&again));
    assert!(store.join("nights/07/dev/good").exists());
}

#[test]
fn bad_usage_is_one_line_and_exit_code_2_and_nothing_is_run() {
    let place = Place::new();
    for (arguments, said) in [
        (vec!["--night", "../up"], "--night"),
        (vec!["--repeat", "0"], "--repeat"),
        (vec!["--profiles", "a;b"], "a;b"),
        (vec!["--profiles", " "], "empty"),
        (vec!["--program", "/no/such/program"], "/no/such/program"),
        (vec!["--frobnicate"], "--frobnicate"),
        (vec!["--accept", "dev"], "no runs"),
    ] {
        let output = night(&place, &arguments);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(said) && text.lines().count() == 1, "{arguments:?}: {text}");
        assert!(runs_below(&place.runs()).is_empty());
    }
}
