use std::path::Path;

use hdrhistogram::Histogram;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use super::*;
use crate::record::{OperationSummary, RunRecord, SeriesRow};
use crate::store::{IntervalHistogram, Kind, RunWriter};
use crate::testing;

const SECONDS: u32 = 64;

/// A run of two operations, the second of which takes `factor` times as long as usual.
fn run(dir: &Path, seed: u64, factor: f64, edit: impl Fn(&mut RunRecord)) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut record = testing::record();
    record.run_id = format!("run-{seed}");
    record.operations = ["bus.publish", "s3.get"]
        .map(|name| OperationSummary {
            name: name.into(),
            completed: 60,
            ..OperationSummary::default()
        })
        .into();
    record.ledger.balanced = true;
    (record.config.warmup_s, record.config.duration_s) = (0.0, f64::from(SECONDS));
    record.events.clear();
    edit(&mut record);
    let mut writer = RunWriter::create(dir).unwrap();
    for second in 0..SECONDS {
        for (name, median) in [("bus.publish", 2e6), ("s3.get", 9e6 * factor)] {
            let mut histogram = Histogram::<u64>::new(3).unwrap();
            for _ in 0..60 {
                let spread: f64 = rng.random_range(0.6..1.6);
                histogram.record((median * spread) as u64).unwrap();
            }
            let row = SeriesRow {
                t_s: f64::from(second + 1),
                dt_s: 1.0,
                operation: name.into(),
                measured: true,
                offered: 60,
                completed: 60,
                response_mean_us: histogram.mean() / 1e3,
                ..SeriesRow::default()
            };
            let part = IntervalHistogram {
                operation: name,
                kind: Kind::Response,
                start_s: f64::from(second),
                dt_s: 1.0,
                histogram: &histogram,
            };
            writer.interval(&[row], &[part]).unwrap();
        }
    }
    writer.finish(&record).unwrap();
}

fn side_of(dir: &TempDir, name: &str, seeds: std::ops::Range<u64>, factor: f64) -> Vec<Sample> {
    let parent = dir.path().join(name);
    std::fs::create_dir(&parent).unwrap();
    for seed in seeds {
        run(&parent.join(seed.to_string()), seed, factor, |_| {});
    }
    side(&parent).unwrap()
}

#[test]
fn a_slower_operation_is_named_and_the_other_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (side_of(&dir, "a", 0..4, 1.0), side_of(&dir, "b", 4..8, 1.25));
    let comparison = compare(("a", &a), ("b", &b), Options::default()).unwrap();
    let named: Vec<_> =
        comparison.regressions().map(|r| (r.operation.as_str(), r.metric)).collect();
    assert_eq!(named, [("s3.get", Metric::Mean), ("s3.get", Metric::P50), ("s3.get", Metric::P99)]);
    for row in comparison.regressions() {
        let (low, high) = row.ci95.unwrap();
        assert!(low <= 0.25 && 0.25 <= high && low > 0.0, "{row:?}");
    }
    let publish = comparison.rows.iter().filter(|r| r.operation == "bus.publish");
    assert!(publish.into_iter().all(|r| r.change == Change::Equivalent), "{:?}", comparison.rows);
    let back = compare(("b", &b), ("a", &a), Options::default()).unwrap();
    assert!(!back.is_worse());
    assert_eq!(back.rows.iter().filter(|r| r.change == Change::Improvement).count(), 3);
    // A wider threshold keeps the same difference quiet.
    let options = Options { noise: 0.5, force: false };
    assert!(!compare(("a", &a), ("b", &b), options).unwrap().is_worse());
}

#[test]
fn a_single_run_a_side_is_compared_and_says_what_it_cannot_know() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (side_of(&dir, "a", 0..1, 1.0), side_of(&dir, "b", 1..2, 1.0));
    let comparison = compare(("a", &a), ("b", &b), Options::default()).unwrap();
    assert!(comparison.single_runs && !comparison.is_worse());
    assert!(text(&comparison).contains("One run a side"));
}

#[test]
fn other_conditions_are_refused_by_name_unless_forced() {
    let dir = tempfile::tempdir().unwrap();
    let a = side_of(&dir, "a", 0..1, 1.0);
    let other = dir.path().join("other");
    run(&other, 9, 1.0, |record| {
        record.config.scale = 0.5;
        record.implementations[0].name = "Another <Kafka>".into();
        record.implementations[0].version = "99".into();
        record.host.cores += 2;
    });
    let b = side(&other).unwrap();
    let error = compare(("a", &a), ("b", &b), Options::default()).unwrap_err().to_string();
    for field in ["scale is 1 and, in run-9, 0.5", "cores is", "Another <Kafka>", "--force"] {
        assert!(error.contains(field), "{field}: {error}");
    }
    assert!(!error.contains("version of"), "versions may differ: {error}");
    let forced = Options { force: true, ..Options::default() };
    let comparison = compare(("a", &a), ("b", &b), forced).unwrap();
    assert!(text(&comparison).contains("FORCED"));
    assert!(comparison.differences.iter().any(|d| d.other == "99"), "{:?}", comparison.differences);
}

#[test]
fn a_promise_that_broke_is_lost_with_its_evidence() {
    let dir = tempfile::tempdir().unwrap();
    let a = side_of(&dir, "a", 0..1, 1.0);
    let other = dir.path().join("other");
    run(&other, 9, 1.0, |record| {
        record.objectives[0].verdict = Verdict::Fail;
        record.objectives[0].evidence = "40 of 900 over".into();
        record.ledger.balanced = false;
    });
    let comparison = compare(("a", &a), ("b", &side(&other).unwrap()), Options::default()).unwrap();
    let what: Vec<&str> = comparison.lost.iter().map(|l| l.what.as_str()).collect();
    let objective = format!("objective {}", a[0].record.objectives[0].id);
    assert_eq!(what, ["ledger", objective.as_str()]);
    assert!(comparison.is_worse() && text(&comparison).contains("40 of 900 over"));
}

#[test]
fn an_operation_that_died_is_lost_and_a_run_counts_once() {
    let dir = tempfile::tempdir().unwrap();
    let a = side_of(&dir, "a", 0..1, 1.0);
    let other = dir.path().join("other");
    run(&other, 9, 1.0, |record| {
        record.operations.pop();
        record.operations[0].completed = 0;
    });
    let comparison = compare(("a", &a), ("b", &side(&other).unwrap()), Options::default()).unwrap();
    let what: Vec<&str> = comparison.lost.iter().map(|l| l.what.as_str()).collect();
    assert_eq!(what, ["operation bus.publish", "operation s3.get"]);
    let error = compare(("a", &a), ("a", &a), Options::default()).unwrap_err().to_string();
    assert!(error.contains("given twice"), "{error}");
}

#[test]
fn equal_runs_raise_few_alarms_and_three_are_too_few_to_tell() {
    let dir = tempfile::tempdir().unwrap();
    let all = side_of(&dir, "a", 0..6, 1.0);
    let told = false_alarms(&all, Options::default()).unwrap();
    assert!(told.rate() <= 0.05, "{told:?}");
    assert_eq!(told.splits, 10, "half of C(6, 3)");
    assert!(told.comparisons >= 10 * 6, "{told:?}");
    let error = false_alarms(&all[..3], Options::default()).unwrap_err().to_string();
    assert!(error.contains("3 runs") && error.contains("at least 4"), "{error}");
}

#[test]
fn names_of_others_are_harmless_on_every_page() {
    let dir = tempfile::tempdir().unwrap();
    let hostile = "<img src=x onerror=alert(1)> | @you [x](y) `";
    let a = side_of(&dir, "a", 0..1, 1.0);
    let other = dir.path().join("other");
    run(&other, 9, 1.0, |record| {
        record.run_id = format!("{hostile}\u{1b}[2J\n");
        record.profile = hostile.into();
        record.implementations[0].version = hostile.into();
        record.objectives[0].verdict = Verdict::Fail;
        record.objectives[0].evidence = format!("{hostile}\u{1b}[31m");
    });
    let forced = Options { force: true, ..Options::default() };
    let b = side(&other).unwrap();
    let comparison = compare((hostile, &a), (hostile, &b), forced).unwrap();
    let paths = render(&comparison, &dir.path().join("out")).unwrap();
    let html = std::fs::read_to_string(paths.html).unwrap();
    assert!(html.contains("&lt;img") && !html.contains("<img") && !html.contains("<script"));
    let markdown = std::fs::read_to_string(paths.markdown).unwrap();
    assert!(
        !markdown.contains("<img") && !markdown.contains("@you") && !markdown.contains("[x](y)")
    );
    assert!(!text(&comparison).contains('\u{1b}'));
    let refused = compare(("a", &a), ("b", &b), Options::default()).unwrap_err().to_string();
    assert!(!refused.contains(['\u{1b}', '\n']) && refused.len() < 2_000, "{refused}");
}

#[test]
fn what_is_no_run_is_said_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path().to_path_buf(), dir.path().join("none")] {
        let error = side(&path).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()) && !error.contains('\n'), "{error}");
    }
    let cut = dir.path().join("cut");
    run(&cut, 1, 1.0, |_| {});
    std::fs::remove_file(cut.join("latency.hlog")).unwrap();
    assert!(side(&cut).unwrap_err().to_string().contains("latency.hlog"));
}
