use std::fs;
use std::path::Path;
use std::time::Instant;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::record::{OperationSummary, ResourceSummary, SCHEMA_VERSION};
use crate::stats::synthetic::normal;
use crate::testing;

/// A night's record: p50 and p99 of `bus.publish` around 5 and 20 ms with 2 % of noise, times `factor`.
fn night(number: usize, factor: f64, edit: impl Fn(&mut RunRecord)) -> RunRecord {
    let mut rng = ChaCha8Rng::seed_from_u64(number as u64);
    let mut noisy = |value: f64| value * (1.0 + 0.02 * normal(&mut rng));
    let mut record = testing::record();
    record.run_id = format!("night-{number:03}");
    let (month, day) = (1 + number / 28, 1 + number % 28);
    record.started_at = format!("2026-{month:02}-{day:02}T02:00:00Z");
    if number >= 12 * 28 {
        record.started_at = format!("2027-{:02}-{day:02}T02:00:00Z", month - 12);
    }
    record.events.clear();
    let mut operation = |name: &str, ms: f64| {
        let mut o = OperationSummary {
            name: name.into(),
            completed: 54_000,
            ..OperationSummary::default()
        };
        o.completed = noisy(54_000.0) as u64;
        o.response.count = o.completed;
        o.response.p50_ns = noisy(ms * 1e6) as u64;
        o.response.p99_ns = noisy(ms * 4e6) as u64;
        o
    };
    let mut publish = operation("bus.publish", 5.0);
    let get = operation("s3.get", 9.0);
    publish.response.p50_ns = (publish.response.p50_ns as f64 * factor) as u64;
    publish.response.p99_ns = (publish.response.p99_ns as f64 * factor) as u64;
    record.operations = vec![publish, get];
    record.resources = vec![ResourceSummary {
        component: "kafka".into(),
        cpu_cores_mean: noisy(0.3),
        ..ResourceSummary::default()
    }];
    edit(&mut record);
    record
}

fn write(dir: &Path, record: &RunRecord) {
    let at = dir.join(&record.run_id);
    fs::create_dir_all(&at).unwrap();
    fs::write(at.join("run.json"), serde_json::to_string_pretty(record).unwrap()).unwrap();
}

fn nights(count: usize, factor: impl Fn(usize) -> f64) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    (0..count).for_each(|n| write(dir.path(), &night(n, factor(n), |_| {})));
    dir
}

fn read(dir: &Path) -> History {
    History::read(dir, &Options::default()).unwrap()
}

#[test]
fn the_first_bad_run_is_named_with_what_changed_with_it_and_raises_an_alarm() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..40 {
        let record = night(n, if n >= 33 { 1.3 } else { 1.0 }, |r| {
            if n >= 33 {
                r.implementations[3].version = "4.2.0".into();
            }
        });
        write(dir.path(), &record);
    }
    let history = read(dir.path());
    let alarms: Vec<_> =
        history.alarms().map(|(_, s, c)| (s.metric, s.name.as_str(), c.run_id.as_str())).collect();
    assert_eq!(
        alarms,
        [(Metric::P50, "bus.publish", "night-033"), (Metric::P99, "bus.publish", "night-033")]
    );
    for (_, _, change) in history.alarms() {
        assert!((change.worse_by - 0.3).abs() < 0.05, "{change:?}");
        assert_eq!(change.last_before, "night-032");
        assert_eq!(change.with, ["kafka 4.1.0 → 4.2.0"]);
    }
    assert_eq!(history.eras.len(), 1, "a version is marked and splits nothing");
    let told = text(&history);
    assert!(
        told.contains("REGRESSION") && told.contains("night-033") && told.contains("4.2.0"),
        "{told}"
    );
}

#[test]
fn quiet_nights_raise_no_alarm_and_what_was_repaired_or_is_old_or_known_does_not_either() {
    let alarms = |history: &History| history.alarms().count();
    let quiet = nights(60, |_| 1.0);
    let history = read(quiet.path());
    assert_eq!((alarms(&history), history.changes().len()), (0, 0), "{:?}", history.changes());

    let repaired = nights(60, |n| if (50..55).contains(&n) { 1.5 } else { 1.0 });
    let history = read(repaired.path());
    assert_eq!(alarms(&history), 0);
    let regressions: Vec<_> =
        history.changes().into_iter().filter(|c| c.2.kind == Kind::Regression).collect();
    assert!(!regressions.is_empty() && regressions.iter().all(|c| c.2.repaired), "{regressions:?}");

    let old = nights(60, |n| if n >= 30 { 1.5 } else { 1.0 });
    let history = read(old.path());
    assert_eq!(alarms(&history), 0, "30 points ago");
    assert!(history.changes().iter().any(|c| c.2.kind == Kind::Regression));

    let new = nights(60, |n| if n >= 52 { 1.5 } else { 1.0 });
    assert_eq!(alarms(&read(new.path())), 2);
    let file = new.path().join("known");
    // One run beside the one that is named: the place of a change wanders by a run.
    fs::write(&file, "# planned\nnight-053 bus.publish p99 # slower disk\nnight-003\n").unwrap();
    let acknowledged = Acknowledged::read(&file).unwrap();
    let options = Options { acknowledged, ..Options::default() };
    let history = History::read(new.path(), &options).unwrap();
    assert_eq!(history.alarms().map(|(_, s, _)| s.metric).collect::<Vec<_>>(), [Metric::P50]);
    assert_eq!(history.unmatched, ["night-003"]);
    fs::write(&file, "night-053 bus.publish p99 and more\n").unwrap();
    let error = Acknowledged::read(&file).unwrap_err().to_string();
    assert!(error.contains("line 1") && !error.contains('\n'), "{error}");
}

#[test]
fn other_conditions_make_another_era_that_is_not_compared_and_says_what_differs() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..40 {
        let record = night(n, if n >= 20 { 2.0 } else { 1.0 }, |r| {
            if n >= 20 {
                r.host.cores = 4;
            }
        });
        write(dir.path(), &record);
    }
    // Of equal seeds and other hashes the profile is another.
    for n in 40..50 {
        let record = night(n, 4.0, |r| {
            r.host.cores = 4;
            r.config.hash = "another".into();
        });
        write(dir.path(), &record);
    }
    let history = read(dir.path());
    assert_eq!(history.eras.iter().map(|e| e.runs.len()).collect::<Vec<_>>(), [10, 20, 20]);
    assert_eq!(history.changes().len(), 0, "{:?}", history.changes());
    assert_eq!(history.eras[1].differs, ["cores: 4, before 2"]);
    assert!(history.eras[0].differs[0].contains("profile"), "{:?}", history.eras[0].differs);
    assert!(history.eras[0].current && !history.eras[1].current);
}

#[test]
fn runs_that_prove_nothing_are_shown_and_not_used() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..40 {
        let record = night(n, if n % 10 == 9 { 50.0 } else { 1.0 }, |r| {
            if n % 10 == 9 {
                r.verdict = Verdict::Invalid;
            }
        });
        write(dir.path(), &record);
    }
    let mut interrupted = night(41, 50.0, |_| {});
    interrupted.state = RunState::Interrupted;
    interrupted.marks.push("interrupted".into());
    write(dir.path(), &interrupted);
    let history = read(dir.path());
    assert_eq!((history.runs.len(), history.not_used(), history.eras.len()), (41, 5, 1));
    assert!(history.eras[0].series.iter().all(|s| s.values.len() == 36));
    assert_eq!(history.changes().len(), 0);
    let page = html(&history).unwrap();
    assert!(page.contains("INVALID") && page.contains("interrupted, not used"));
}

#[test]
fn an_operation_that_dies_or_begins_to_fail_is_a_change_for_the_worse() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..40 {
        let record = night(n, 1.0, |r| {
            if n >= 36 {
                r.operations[0].errors.insert("timeout".into(), 400);
                r.operations[1].completed = 0;
                r.operations[1].response.count = 0;
            }
        });
        write(dir.path(), &record);
    }
    let history = read(dir.path());
    let alarms: Vec<_> = history.alarms().map(|(_, s, _)| (s.name.as_str(), s.metric)).collect();
    assert_eq!(alarms, [("bus.publish", Metric::Errors), ("s3.get", Metric::Rate)]);
}

#[test]
fn the_runs_of_a_day_are_one_point_where_that_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..20 {
        for repeat in 0..3 {
            let record = night(n, if n == 19 { 3.0 } else { 1.0 }, |r| {
                r.run_id = format!("night-{n:03}-{repeat}");
                r.started_at = r.started_at.replace("T02:00", &format!("T02:{repeat}0"));
            });
            write(dir.path(), &record);
        }
    }
    let per_run = read(dir.path());
    assert_eq!(per_run.eras[0].points.len(), 60);
    assert!(per_run.alarms().next().is_some(), "three runs in a row");
    let options = Options { per: Per::Day, ..Options::default() };
    let per_day = History::read(dir.path(), &options).unwrap();
    assert_eq!(per_day.eras[0].points.len(), 20);
    assert_eq!(per_day.alarms().count(), 0, "one bad night is an outlier");
}

#[test]
fn broken_foreign_and_newer_records_are_named_and_the_rest_is_shown() {
    let dir = nights(8, |_| 1.0);
    let at = |name: &str| dir.path().join(name).join("run.json");
    let text = fs::read_to_string(at("night-000")).unwrap();
    fs::write(at("night-000"), &text[..text.len() / 2]).unwrap();
    let version = |of: &str| format!(r#""schema_version": "{of}""#);
    let newer = text.replace(&version(SCHEMA_VERSION), &version("9.0"));
    assert_ne!(newer, text);
    fs::write(at("night-001"), newer).unwrap();
    fs::write(at("night-002"), r#"{"hello": "world"}"#).unwrap();
    fs::write(at("night-003"), "").unwrap();
    write(&dir.path().join("copies"), &night(5, 1.0, |_| {}));
    std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();
    let history = read(dir.path());
    assert_eq!((history.runs.len(), history.broken.len(), history.twice.len()), (4, 4, 1));
    for (broken, said) in
        history.broken.iter().zip(["cut or edited", "newer", "schema_version", "line 1"])
    {
        assert!(broken.why.contains(said) && !broken.why.contains('\n'), "{said}: {broken:?}");
    }
    let error = History::read(&dir.path().join("night-003"), &Options::default()).unwrap_err();
    assert!(error.to_string().contains("none of its 1 records"), "{error}");
    let empty = tempfile::tempdir().unwrap();
    let error = History::read(empty.path(), &Options::default()).unwrap_err().to_string();
    assert!(error.contains("no run records") && !error.contains('\n'), "{error}");
}

#[test]
fn names_of_others_are_harmless_on_every_page() {
    let dir = tempfile::tempdir().unwrap();
    let hostile = "<img src=x onerror=alert(1)> | @you [x](y) `\u{1b}[2J\n";
    for n in 0..30 {
        let mut record = night(n, if n >= 25 { 2.0 } else { 1.0 }, |_| {});
        let directory = record.run_id.clone();
        testing::poison(&mut record, hostile);
        record.started_at = format!("2026-01-{:02}{hostile}", n + 1);
        if n >= 25 {
            record.implementations[0].version = format!("9{hostile}");
        }
        let at = dir.path().join(directory);
        fs::create_dir_all(&at).unwrap();
        fs::write(at.join("run.json"), serde_json::to_string(&record).unwrap()).unwrap();
    }
    let history = read(dir.path());
    assert!(history.alarms().next().is_some());
    let paths = render(&history, &dir.path().join("out")).unwrap();
    let page = fs::read_to_string(paths.html).unwrap();
    assert!(page.contains("&lt;img") && !page.contains("<img") && !page.contains("<script"));
    let markdown = fs::read_to_string(paths.markdown).unwrap();
    assert!(
        !markdown.contains("<img") && !markdown.contains("@you") && !markdown.contains("[x](y)")
    );
    assert!(!text(&history).contains('\u{1b}'));
}

#[test]
fn a_year_of_records_is_read_and_drawn_and_its_page_holds_the_table_of_each_chart() {
    let dir = nights(365, |n| if n >= 200 { 1.2 } else { 1.0 });
    let began = Instant::now();
    let history = read(dir.path());
    let paths = render(&history, &dir.path().join("out")).unwrap();
    eprintln!("365 records: {:?}", began.elapsed());
    let page = fs::read_to_string(paths.html).unwrap();
    assert_eq!(page.matches("<svg").count(), page.matches("<figure>").count());
    assert_eq!(page.matches("Figures of “").count(), page.matches("<figure>").count());
    assert!(page.matches("night-364").count() > 7, "the last run is in every table");
    assert!(
        !page.contains("http://")
            || page.matches("http://").count()
                == page.matches("http://www.w3.org/2000/svg").count()
    );
}

#[test]
fn a_regression_stays_an_alarm_beside_a_run_of_other_conditions_and_never_passes_while_it_is_open()
{
    let dir = nights(40, |n| if n >= 33 { 1.3 } else { 1.0 });
    assert_eq!(read(dir.path()).alarms().count(), 2);
    write(dir.path(), &night(40, 1.0, |r| r.host.cores = 4));
    let history = read(dir.path());
    assert!(history.eras[0].current && history.eras[1].live && !history.eras[1].current);
    assert_eq!(history.alarms().count(), 2, "one night on another machine silences nothing");
    write(
        dir.path(),
        &night(41, 1.0, |r| {
            r.host.cores = 8;
            r.verdict = Verdict::Invalid;
        }),
    );
    assert_eq!(read(dir.path()).alarms().count(), 2, "nor does one that proves nothing");
    // Gone with its machine, it is no news, and no pass either.
    (42..62).for_each(|n| write(dir.path(), &night(n, 1.0, |r| r.host.cores = 4)));
    let history = read(dir.path());
    assert_eq!((history.alarms().count(), history.open().count()), (0, 2));
    assert!(text(&history).starts_with("OLD REGRESSION OPEN"), "{}", text(&history));
}

#[test]
fn many_small_changes_for_the_worse_raise_an_alarm_until_one_is_acknowledged() {
    let dir = nights(102, |n| 1.04f64.powi(n as i32 / 30));
    let options = Options { noise: 0.06, ..Options::default() };
    let history = History::read(dir.path(), &options).unwrap();
    let alarms: Vec<_> = history.alarms().map(|(_, _, change)| change.clone()).collect();
    assert!(!alarms.is_empty(), "{:?}", history.changes());
    for change in &alarms {
        assert_eq!(change.kind, Kind::Creep);
        assert!((change.worse_by - 0.125).abs() < 0.04, "{change:?}");
    }
    let file = dir.path().join("known");
    // p50 and p99 may have moved a few nights apart.
    let open: Vec<String> = history.open().map(|(_, _, c)| format!("{}\n", c.run_id)).collect();
    fs::write(&file, open.concat()).unwrap();
    let acknowledged = Acknowledged::read(&file).unwrap();
    let history = History::read(dir.path(), &Options { acknowledged, ..options }).unwrap();
    assert_eq!((history.alarms().count(), history.open().count()), (0, 0));
}

#[test]
fn of_very_many_operations_the_first_are_followed_and_the_page_says_so() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..3 {
        let record = night(n, 1.0, |r| {
            let one = r.operations[0].clone();
            let numbered = |i: usize| OperationSummary { name: format!("op{i:05}"), ..one.clone() };
            r.operations = (0..1_100).map(numbered).collect();
        });
        write(dir.path(), &record);
    }
    let history = read(dir.path());
    assert_eq!(history.not_followed, 100);
    assert!(text(&history).contains("100 operations and components are not followed"));
    assert!(html(&history).unwrap().contains("more series of this era are not drawn"));
}
