use std::path::Path;

use hdrhistogram::Histogram;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use super::*;
use crate::record::{
    JournalLine, OperationSummary, PairSide, Repeat, RunRecord, RunState, SeriesRow, Turn, Verdict,
};
use crate::store::{IntervalHistogram, Kind, RunWriter};
use crate::testing;

const SECONDS: u32 = 64;

/// A run of two operations, the second of which takes `factor` times as long as usual.
pub(super) fn run(dir: &Path, seed: u64, factor: f64, edit: impl Fn(&mut RunRecord)) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut record = testing::record();
    record.run_id = format!("run-{seed}");
    record.operations = ["bus.publish", "s3.get"]
        .map(|name| OperationSummary {
            name: name.into(),
            completed: 60 * u64::from(SECONDS),
            ..OperationSummary::default()
        })
        .into();
    record.ledger.balanced = true;
    (record.config.warmup_s, record.config.duration_s) = (0.0, f64::from(SECONDS));
    record.events.clear();
    let mut totals = [(); 2].map(|()| Histogram::<u64>::new(3).unwrap());
    let mut writer = RunWriter::create(dir).unwrap();
    for second in 0..SECONDS {
        let operations = [("bus.publish", 2e6), ("s3.get", 9e6 * factor)];
        for ((name, median), total) in operations.into_iter().zip(&mut totals) {
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
            total.add(&histogram).unwrap();
        }
    }
    for (operation, total) in record.operations.iter_mut().zip(&totals) {
        operation.response = crate::summary::latency_summary(total, 0);
    }
    edit(&mut record);
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
    let options = Options { noise: 0.5, ..Options::default() };
    assert!(!compare(("a", &a), ("b", &b), options).unwrap().is_worse());
}

#[test]
fn a_single_run_a_side_shows_a_difference_and_no_regression_unless_that_is_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (side_of(&dir, "a", 0..1, 1.0), side_of(&dir, "b", 1..2, 1.25));
    let one = compare(("a", &a), ("b", &b), Options::default()).unwrap();
    assert!(one.single_runs && !one.is_worse() && one.is_undecided());
    let told = text(&one);
    assert!(told.contains("3 figures worse within these two runs, repeat to know"), "{told}");
    assert!(told.contains("worse once") && told.contains("One run a side"), "{told}");
    let back = compare(("b", &b), ("a", &a), Options::default()).unwrap();
    assert!(!back.is_worse() && !back.is_undecided(), "what is better once holds nothing up");
    assert!(text(&back).contains("better once"));
    let allowed = Options { allow_single: true, ..Options::default() };
    let one = compare(("a", &a), ("b", &b), allowed).unwrap();
    assert!(one.is_worse() && !one.is_undecided() && text(&one).contains("--allow-single"));
    // One run against several borrows their variation, so it can be called.
    let several = side_of(&dir, "c", 10..14, 1.0);
    let one = compare(("c", &several), ("b", &b), Options::default()).unwrap();
    assert!(!one.single_runs && one.is_worse());
}

#[test]
fn candidates_that_share_a_base_are_corrected_together() {
    let dir = tempfile::tempdir().unwrap();
    let base = side_of(&dir, "a", 0..3, 1.0);
    let (b, c) = (side_of(&dir, "b", 3..6, 1.25), side_of(&dir, "c", 6..9, 1.0));
    let alone = compare(("a", &base), ("b", &b), Options::default()).unwrap();
    let both = compare_all(("a", &base), &[("b", &b), ("c", &c)], Options::default()).unwrap();
    assert_eq!((both.len(), both[0].corrected.candidates, alone.corrected.candidates), (2, 2, 1));
    assert_eq!(both[0].corrected.comparisons, 2 * alone.corrected.comparisons);
    // Holm over twice as many: no p-value gets smaller, and the smallest doubles.
    let least = |c: &Comparison| c.rows.iter().filter_map(|r| r.p_adjusted).fold(1.0, f64::min);
    assert!((least(&both[0]) / least(&alone) - 2.0).abs() < 1e-9);
    for (one, among) in alone.rows.iter().zip(&both[0].rows) {
        assert_eq!(one.p_value, among.p_value);
        assert!(among.p_adjusted >= one.p_adjusted, "{among:?}");
    }
    let paths = render(&both[1], &dir.path().join("out")).unwrap();
    for path in [paths.html, paths.markdown] {
        let page = std::fs::read_to_string(path).unwrap();
        assert!(page.contains("of all 2 candidates"), "the page says what the correction is over");
    }
}

/// Interleaved runs on a machine that gets slower from pair to pair.
fn interleaved(dir: &TempDir, pairs: u32, shift: f64) -> [Vec<Sample>; 2] {
    let group = dir.path().join("group");
    [PairSide::Base, PairSide::Candidate].map(|side| {
        for index in 1..=pairs {
            let level = 1.0 + 0.15 * f64::from(index);
            let (factor, seed) = match side {
                PairSide::Base => (level, index),
                PairSide::Candidate => (level * shift, 100 + index),
            };
            let place = group.join(side.label()).join(index.to_string());
            let first = (index % 2 == 1) == (side == PairSide::Base);
            let turn = Turn { side, order: 2 * index - u32::from(first) };
            run(&place, u64::from(seed), factor, |record| {
                record.config.seed = u64::from(index);
                record.config.hash = index.to_string();
                record.repeat =
                    Some(Repeat { group: "group".into(), index, of: pairs, turn: Some(turn) });
            });
        }
        let mut samples = super::side(&group.join(side.label())).unwrap();
        samples.sort_by_key(|sample| sample.record.repeat.as_ref().map(|repeat| repeat.index));
        samples
    })
}

#[test]
fn interleaved_runs_are_compared_within_their_pairs_and_the_page_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let [a, b] = interleaved(&dir, 4, 1.1);
    let comparison = compare(("a", &a), ("b", &b), Options::default()).unwrap();
    let pairs = comparison.pairs.as_ref().unwrap();
    assert_eq!((pairs.count, pairs.base_first, pairs.alone.len()), (4, 2, 0));
    // The drift of 15 % a pair hides a tenth from independent runs, and not from pairs.
    assert!(comparison.is_worse(), "{:?}", comparison.rows);
    let mut unpaired = (a.clone(), b.clone());
    for sample in unpaired.0.iter_mut().chain(&mut unpaired.1) {
        sample.record.repeat = None;
    }
    let without = compare(("a", &unpaired.0), ("b", &unpaired.1), Options::default()).unwrap();
    assert!(without.pairs.is_none() && !without.is_worse());
    let told = text(&comparison);
    assert!(
        told.contains("Interleaved: 4 pairs of runs, in 2 of which the base ran first"),
        "{told}"
    );
    let page = render(&comparison, &dir.path().join("out")).unwrap().html;
    assert!(std::fs::read_to_string(page).unwrap().contains("differences within pairs"));
}

#[test]
fn runs_without_a_partner_are_left_out_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let [a, mut b] = interleaved(&dir, 3, 1.0);
    let lone = a.last().unwrap().record.run_id.clone();
    b.pop();
    let comparison = compare(("a", &a), ("b", &b), Options::default()).unwrap();
    let pairs = comparison.pairs.as_ref().unwrap();
    assert_eq!((pairs.count, pairs.alone.as_slice()), (2, [lone.clone()].as_slice()));
    assert!(text(&comparison).contains(&lone));
    // A pair of another group, or of runs with other seeds, is no pair.
    b[0].record.config.seed = 77;
    assert!(compare(("a", &a), ("b", &b), Options::default()).unwrap().pairs.is_none());
    let [a, mut b] = interleaved(&tempfile::tempdir().unwrap(), 2, 1.0);
    b[0].record.repeat.as_mut().unwrap().group = "other".into();
    assert!(compare(("a", &a), ("b", &b), Options::default()).unwrap().pairs.is_none());
}

#[test]
fn a_run_that_was_killed_is_named_and_never_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let a = side_of(&dir, "a", 0..2, 1.0);
    side_of(&dir, "b", 2..5, 1.0);
    let killed = dir.path().join("b").join("3");
    let start = JournalLine::Start {
        record: Box::new(RunRecord { run_id: "run-3".into(), ..a[0].record.clone() }),
    };
    std::fs::write(killed.join("journal.jsonl"), serde_json::to_string(&start).unwrap() + "\n")
        .unwrap();
    std::fs::remove_file(killed.join("run.json")).unwrap();
    let b = side(&dir.path().join("b")).unwrap();
    assert_eq!(b.len(), 3);
    let error = compare(("a", &a), ("b", &b), Options::default()).unwrap_err().to_string();
    assert!(error.contains("in run-3, killed before it had ended"), "{error}");
    let forced = Options { force: true, ..Options::default() };
    let comparison = compare(("a", &a), ("b", &b), forced).unwrap();
    assert_eq!(comparison.left_out, ["run-3"]);
    assert!(text(&comparison).contains("Left out, since cut off: run-3"));
    assert!(comparison.rows.iter().all(|r| r.p_value.is_some()), "the others are compared");
}

#[test]
fn every_run_that_did_not_end_in_order_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let a = side_of(&dir, "a", 0..1, 1.0);
    let mut b = side_of(&dir, "b", 1..4, 1.0);
    for sample in &mut b {
        sample.record.state = RunState::Interrupted;
    }
    let error = compare(("a", &a), ("b", &b), Options::default()).unwrap_err().to_string();
    assert!(["run-1", "run-2", "run-3"].iter().all(|run| error.contains(run)), "{error}");
}

#[test]
fn other_seeds_are_compared_unless_they_offer_another_load() {
    let dir = tempfile::tempdir().unwrap();
    let a = side_of(&dir, "a", 0..2, 1.0);
    let mut b = side_of(&dir, "b", 2..4, 1.0);
    for (seed, sample) in (50..).zip(&mut b) {
        sample.record.config.seed = seed;
        sample.record.config.hash = format!("of seed {seed}");
        sample.record.config.offered_events_per_s *= 1.02;
    }
    let comparison = compare(("a", &a), ("b", &b), Options::default()).unwrap();
    assert!(comparison.differences.iter().any(|d| d.field == "seed"));
    // Of another profile the rest may be the same, and the hash without the seed is not.
    for (sample, hash) in a.iter().zip(&mut b) {
        assert_eq!(sample.record.config.load_hash, None);
        hash.record.config.load_hash = Some("one".into());
    }
    assert!(compare(("a", &a), ("b", &b), Options::default()).is_ok(), "older records have none");
    b[1].record.config.load_hash = Some("another".into());
    let error = compare(("a", &a), ("b", &b), Options::default()).unwrap_err().to_string();
    assert!(error.contains("without the seed"), "{error}");
    b[1].record.config.load_hash = None;
    b[0].record.config.offered_events_per_s *= 1.1;
    let error = compare(("a", &a), ("b", &b), Options::default()).unwrap_err().to_string();
    assert!(error.contains("same seeds"), "{error}");
    // Of one seed there is one load.
    b[0].record.config = b[1].record.config.clone();
    b[0].record.config.hash = "another".into();
    let error = compare(("a", &a), ("b", &b), Options::default()).unwrap_err().to_string();
    assert!(error.contains("hash of profile and load"), "{error}");
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
    run(&other, 9, 1.0, |_| {});
    let mut b = side(&other).unwrap();
    b[0].record.operations.pop();
    b[0].record.operations[0].completed = 0;
    let comparison = compare(("a", &a), ("b", &b), Options::default()).unwrap();
    let what: Vec<&str> = comparison.lost.iter().map(|l| l.what.as_str()).collect();
    let few = "at most 1.0 % of s3.get failed";
    assert_eq!(what, [few, "operation bus.publish", "operation s3.get"]);
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
fn a_directory_with_one_group_of_repeated_runs_is_a_side_and_one_with_two_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let runs = dir.path().join("runs");
    for (group, seed) in [("x2", 1), ("x2", 2)] {
        run(&runs.join(group).join(seed.to_string()), seed, 1.0, |_| {});
    }
    std::fs::create_dir(runs.join("empty")).unwrap();
    assert_eq!(side(&runs).unwrap().len(), 2);
    // Both sides of interleaved runs must not become one.
    run(&runs.join("other").join("3"), 3, 1.0, |_| {});
    let error = side(&runs).unwrap_err().to_string();
    assert!(error.contains("holds the groups of runs") && error.contains("other"), "{error}");
    assert!(error.contains("x2"), "{error}");
    // Nor may a group beside single runs be passed over.
    let beside = dir.path().join("beside");
    run(&beside.join("single"), 4, 1.0, |_| {});
    run(&beside.join("x1").join("1"), 5, 1.0, |_| {});
    let error = side(&beside).unwrap_err().to_string();
    assert!(error.contains("1 single run and the group of runs x1"), "{error}");
}

#[test]
fn operations_that_fail_more_often_are_a_lost_promise_and_verdicts_stand_beside_the_runs() {
    let dir = tempfile::tempdir().unwrap();
    let a = side_of(&dir, "a", 0..2, 1.0);
    let mut b = side_of(&dir, "b", 2..4, 1.0);
    b.sort_by(|one, other| one.record.run_id.cmp(&other.record.run_id));
    b[1].record.verdict = Verdict::Fail;
    for sample in &mut b {
        // One in a hundred is still no failure of a run, half is.
        sample.record.operations[0].errors = [("timeout".into(), 30)].into();
        sample.record.operations[1].errors = [("timeout".into(), 3_840)].into();
    }
    let comparison = compare(("a", &a), ("b", &b), Options::default()).unwrap();
    let what: Vec<&str> = comparison.lost.iter().map(|l| l.what.as_str()).collect();
    assert_eq!(what, ["at most 1.0 % of s3.get failed"]);
    assert!(comparison.is_worse());
    let told = text(&comparison);
    assert!(told.contains("2 runs: run-3 FAIL, run-2 PASS"), "the worst first: {told}");
    assert!(told.contains("3,840 of 7,680 failed"), "{told}");
    let paths = render(&comparison, &dir.path().join("out")).unwrap();
    assert!(std::fs::read_to_string(paths.html).unwrap().contains("run-3 FAIL"));
    assert!(std::fs::read_to_string(paths.markdown).unwrap().contains("run-3 FAIL"));
}

#[test]
fn the_mean_that_is_compared_is_that_of_all_operations() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("a");
    // A drain that no steady interval shows.
    run(&place, 1, 1.0, |record| record.operations[1].response.mean_ns *= 3.0);
    let sample = &side(&place).unwrap()[0];
    let estimate = sample.estimates[&("s3.get".to_owned(), Metric::Mean)];
    let said = sample.record.operations[1].response.mean_ns;
    assert!((estimate.value.exp() / said - 1.0).abs() < 1e-9 && estimate.variance > 0.0);
}

#[test]
fn many_lost_promises_fit_the_pages_and_their_number_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (side_of(&dir, "a", 0..1, 1.0), side_of(&dir, "b", 1..2, 1.0));
    let mut comparison = compare(("a", &a), ("b", &b), Options::default()).unwrap();
    comparison.lost = vec![
        Lost {
            what: "objective".into(),
            now: Verdict::Fail,
            run: "run".into(),
            evidence: "<&>".repeat(5_000),
        };
        5_000
    ];
    let paths = render(&comparison, &dir.path().join("out")).unwrap();
    let markdown = std::fs::read_to_string(paths.markdown).unwrap();
    assert!(markdown.len() < 65_536 && markdown.contains("s3.get"), "{}", markdown.len());
    assert!(markdown.contains("more, in compare.json"));
    let html = std::fs::read_to_string(paths.html).unwrap();
    assert!(html.len() < 5_000_000 && html.contains("4900 more are in compare.json"));
    assert!(text(&comparison).contains("4900 more"));
}

#[test]
fn runs_without_a_figure_in_common_say_so_and_give_no_rate_of_false_alarms() {
    let dir = tempfile::tempdir().unwrap();
    let mut a = side_of(&dir, "a", 0..4, 1.0);
    let empty = compare(("a", &a[..2]), ("b", &[]), Options::default()).unwrap();
    assert!(empty.is_empty() && text(&empty).contains("nothing could be compared"));
    a[0].killed = true;
    a[0].record.state = RunState::Interrupted;
    let forced = Options { force: true, ..Options::default() };
    let error = false_alarms(&a, forced).unwrap_err().to_string();
    assert!(error.contains("3 runs"), "what was cut off is left out: {error}");
    a[0].record.state = RunState::Complete;
    for sample in &mut a {
        sample.estimates.clear();
    }
    let error = false_alarms(&a, Options::default()).unwrap_err();
    assert!(matches!(error, CompareError::NothingCompared { runs: 4 }), "{error}");
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
