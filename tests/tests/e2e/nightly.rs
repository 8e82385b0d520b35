//! The night's script, driven with the real program.

#![allow(clippy::unwrap_used)] // What fails in a helper here fails the test that uses it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hdrhistogram::Histogram;
use odg_reports::record::{RunRecord, Verdict};
use odg_reports::store::{IntervalHistogram, Kind};
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
        .args(["--night", TONIGHT, "--profiles", "dev", "--duration", "20s", "--warmup", "2s"])
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

/// A good night before tonight, made of tonight's runs with every response `factor` times as long.
fn plant(store: &Path, factor: f64, edit: impl Fn(&mut RunRecord)) {
    let before = store.join("nights/2026-01-01/dev");
    let _ = fs::remove_dir_all(&before);
    for dir in runs_below(&store.join("nights").join(TONIGHT)) {
        let run = Run::open(&dir).unwrap();
        let mut record = run.record.clone();
        record.run_id = format!("before-{}", record.run_id);
        record.started_at = record.started_at.replacen("20", "19", 1);
        edit(&mut record);
        let mut writer = RunWriter::create(&before.join(&record.run_id)).unwrap();
        for row in &run.series {
            let mut row = row.clone();
            row.response_mean_us *= factor;
            let mut histogram = Histogram::<u64>::new(3).unwrap();
            for place in 0..row.completed {
                // A spread between the second's median and its p99.
                let share = place as f64 / row.completed as f64;
                let us = row.response_p50_us * (1.0 + 0.1 * share) * factor;
                histogram.record((us * 1e3).max(1.0) as u64).unwrap();
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
        writer.finish(&record).unwrap();
    }
    fs::write(before.join("good"), "planted\n").unwrap();
    fs::write(before.join("exit"), "0\n").unwrap();
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

    // As good as the night before.
    plant(&store, 1.0, |_| {});
    let same = night(&place, &["--summary", store.join("job").to_str().unwrap()]);
    let told = String::from_utf8_lossy(&same.stdout).into_owned();
    assert_ne!(same.status.code(), Some(2), "{told}{}", stderr(&same));
    assert_eq!(runs_below(&store.join("nights").join(TONIGHT)), runs, "nothing is measured twice");
    assert!(fs::read_to_string(store.join("job")).unwrap().contains("| dev |"));

    // Ten times as slow as the night before.
    plant(&store, 0.1, |_| {});
    let worse = night(&place, &[]);
    let told = String::from_utf8_lossy(&worse.stdout).into_owned();
    assert_eq!(worse.status.code(), Some(1), "{told}{}", stderr(&worse));
    assert!(told.contains("**worse than 2026-01-01**"), "{told}");
    let summary = fs::read_to_string(store.join("summary.md")).unwrap();
    assert!(summary.contains("REGRESSION") && summary.contains("bus.publish"), "{summary}");

    // A promise that the night before kept.
    plant(&store, 1.0, |record| {
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
