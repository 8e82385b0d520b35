//! Records that were cut, edited, or made by others: a clear line or a harmless page, never a panic.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::tests::run;
use super::*;
use crate::record::{OperationSummary, RunRecord, SCHEMA_VERSION};

/// Two runs that can be compared, `a` and `b`.
fn two() -> (TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    run(&a, 1, 1.0, |_| {});
    run(&b, 2, 1.0, |_| {});
    (dir, a, b)
}

/// The error that reading the side gives: one line that names the file.
fn refused(dir: &Path, file: &str) -> String {
    let error = side(dir).map(|samples| samples.len()).unwrap_err().to_string();
    assert!(error.contains(file) && !error.contains('\n'), "{file}: {error}");
    error
}

fn edit(path: &Path, change: impl Fn(String) -> String) {
    let text = fs::read_to_string(path).unwrap();
    fs::write(path, change(text)).unwrap();
}

#[test]
fn a_file_that_was_cut_is_named_or_loses_its_last_line_only() {
    for file in ["run.json", "series.csv", "latency.hlog"] {
        let (_dir, a, b) = two();
        let path = b.join(file);
        let whole = fs::read(&path).unwrap();
        for share in [0, 1, 3, 5, 7] {
            fs::write(&path, &whole[..whole.len() * share / 8]).unwrap();
            match side(&b) {
                Err(error) => {
                    let text = error.to_string();
                    assert!(text.contains(file) && !text.contains('\n'), "{text}");
                }
                Ok(b) => {
                    assert_ne!(file, "run.json", "a cut record is no record");
                    let one = compare(("a", &side(&a).unwrap()), ("b", &b), Options::default());
                    render(&one.unwrap(), &a.join("out")).unwrap();
                }
            }
        }
    }
}

#[test]
fn files_of_another_run_are_refused_by_name() {
    for file in ["latency.hlog", "series.csv"] {
        let (_dir, a, b) = two();
        assert!(side(&b).is_ok());
        if file == "series.csv" {
            edit(&b.join(file), |text| {
                let cut =
                    |(number, line): (usize, &str)| (number != 1).then(|| format!("{line}\n"));
                text.lines().enumerate().filter_map(cut).collect()
            });
        } else {
            // As many operations, and other times.
            let other = a.with_file_name("other");
            run(&other, 3, 1.25, |_| {});
            fs::copy(other.join(file), b.join(file)).unwrap();
        }
        let error = refused(&b, file);
        assert!(error.contains("belongs to another run"), "{error}");
    }
    let (_dir, _, b) = two();
    edit(&b.join("latency.hlog"), |text| {
        let lines = text.lines().count();
        text.lines().take(lines - 10).map(|l| format!("{l}\n")).collect()
    });
    assert!(refused(&b, "latency.hlog").contains("and run.json says 3,840"));
    let notes = crate::read::Run::open(&b).unwrap().notes;
    assert!(notes.iter().any(|n| n.contains("do not belong together")), "{notes:?}");
}

#[test]
fn an_edited_line_is_named_with_its_file_and_number() {
    for (file, from, to) in [
        ("run.json", "\"run_id\": ", "\"run_id\" "),
        ("series.csv", ",bus.publish,", ",bus.publish,,"),
        ("latency.hlog", ",HISTF", ",XXXXX"),
        ("latency.hlog", "Tag=bus.publish:response", "Tag=bus.publish"),
    ] {
        let (_dir, _, b) = two();
        edit(&b.join(file), |text| text.replacen(from, to, 3));
        assert!(refused(&b, file).contains("line "), "{file}");
    }
}

#[test]
fn a_newer_schema_is_refused_and_mixed_minor_versions_are_compared_and_said() {
    let (_dir, a, b) = two();
    let version = |version: &str| {
        let (now, then) = (format!("\"{SCHEMA_VERSION}\""), format!("\"{version}\""));
        move |text: String| text.replacen(&now, &then, 1)
    };
    edit(&b.join("run.json"), version("1.0"));
    let (first, second) = (side(&a).unwrap(), side(&b).unwrap());
    let mixed = compare(("a", &first), ("b", &second), Options::default()).unwrap();
    assert!(text(&mixed).contains(&format!("schema of the record: {SCHEMA_VERSION}, 1.0")));
    edit(&b.join("run.json"), |text| text.replacen("\"1.0\"", "\"2.0\"", 1));
    assert!(refused(&b, "run.json").contains("newer"));
    edit(&b.join("run.json"), |text| text.replacen("\"2.0\"", "\"new\"", 1));
    assert!(refused(&b, "run.json").contains("version"));
}

#[test]
fn what_others_made_is_no_run() {
    let dir = tempfile::tempdir().unwrap();
    for content in [&b"{\"hello\": 1}"[..], b"[]", b"", b"\xff\xfe\0", b"null", b"{"] {
        fs::write(dir.path().join("run.json"), content).unwrap();
        refused(dir.path(), "run.json");
    }
    fs::remove_file(dir.path().join("run.json")).unwrap();
    fs::write(dir.path().join("journal.jsonl"), "").unwrap();
    refused(dir.path(), "journal.jsonl");
    fs::remove_file(dir.path().join("journal.jsonl")).unwrap();
    refused(dir.path(), "not a run record");
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    refused(&file, "not a directory");
}

#[test]
fn absurd_figures_give_a_page_and_no_panic() {
    for (from, to) in [
        ("\"duration_s\": 64.0", "\"duration_s\": 1e308"),
        ("\"duration_s\": 64.0", "\"duration_s\": -5.0"),
        ("\"warmup_s\": 0.0", "\"warmup_s\": -1e300"),
        ("\"offered_events_per_s\": 900.0", "\"offered_events_per_s\": -1e308"),
        ("\"offered_events_per_s\": 900.0", "\"offered_events_per_s\": 0.0"),
        ("\"completed\": 3840", "\"completed\": 18446744073709551615"),
        ("\"memory_bytes\": 8321499136", "\"memory_bytes\": 18446744073709551615"),
    ] {
        let (_dir, a, b) = two();
        edit(&b.join("run.json"), |text| {
            assert!(text.contains(from), "{from} is not in the record");
            text.replace(from, to)
        });
        if side(&b).is_ok() {
            compared(&a, &b);
        } else {
            refused(&b, "run.json");
        }
    }
    for figure in ["1e308", "-1", "0", "NaN", "inf", "1e-320"] {
        let (_dir, a, b) = two();
        // The means of response times, and the times themselves.
        edit(&b.join("series.csv"), |text| {
            let mut lines = text.lines();
            let header = lines.next().unwrap();
            let mean = header.split(',').position(|name| name == "response_mean_us").unwrap();
            let mut out = format!("{header}\n");
            for (number, line) in lines.enumerate() {
                let mut cells: Vec<&str> = line.split(',').collect();
                cells[mean] = figure;
                if number % 7 == 0 {
                    cells[0] = figure;
                }
                out.push_str(&(cells.join(",") + "\n"));
            }
            out
        });
        if side(&b).is_ok() {
            compared(&a, &b);
        } else {
            refused(&b, "series.csv");
        }
    }
}

/// The comparison of whatever can be read, forced, with every page and finite figures.
fn compared(a: &Path, b: &Path) {
    let (first, second) = (side(a).unwrap(), side(b).unwrap());
    let options = Options { force: true, allow_single: true, ..Options::default() };
    let one = compare(("a", &first), ("b", &second), options).unwrap();
    for row in &one.rows {
        let figures = [row.base, row.candidate, row.relative, row.p_value, row.p_adjusted];
        assert!(figures.iter().flatten().all(|f| !f.is_nan()), "{row:?}");
        assert!(row.p_adjusted.is_none_or(|p| (0.0..=1.0).contains(&p)), "{row:?}");
    }
    assert!(text(&one).lines().count() > 4);
    let paths = render(&one, &a.join("out")).unwrap();
    assert!(!fs::read_to_string(paths.html).unwrap().contains("NaN"));
    let records: Vec<&RunRecord> = first.iter().chain(&second).map(|s| &s.record).collect();
    assert!(!spread_text(&spread(&records)).contains("NaN"));
}

#[test]
fn ten_thousand_operations_fit_a_page_that_says_what_it_leaves_out() {
    let dir = tempfile::tempdir().unwrap();
    for (name, seed) in [("a", 1), ("b", 2)] {
        run(&dir.path().join(name), seed, 1.0, |record| {
            // None of them is in the other files.
            let mut one = record.operations[0].clone();
            (one.completed, one.response) = (0, Default::default());
            let more =
                (0..10_000).map(|n| OperationSummary { name: format!("o{n}"), ..one.clone() });
            record.operations.extend(more);
        });
    }
    let (a, b) = (side(&dir.path().join("a")).unwrap(), side(&dir.path().join("b")).unwrap());
    let comparison = compare(("a", &a), ("b", &b), Options::default()).unwrap();
    assert_eq!(comparison.rows.len(), 4 * 10_002);
    let paths = render(&comparison, &dir.path().join("out")).unwrap();
    let html = fs::read_to_string(paths.html).unwrap();
    assert!(html.len() < 5 << 20, "{} bytes", html.len());
    assert!(html.contains("38008 more rows, in which less changed") && html.contains("s3.get"));
    assert!(fs::read_to_string(paths.markdown).unwrap().len() < 65_536);
}

#[test]
fn hostile_names_stay_text_in_every_form() {
    const HOSTILE: &str = "<script>alert(1)</script> ]]> | `x` @you ![i](j) \u{1b}[2J \u{202e}\n";
    let dir = tempfile::tempdir().unwrap();
    for (name, seed) in [("a", 1), ("b", 2)] {
        run(&dir.path().join(name), seed, 1.0, |record| {
            crate::testing::poison(record, HOSTILE);
            // Under these names nothing is in the other files.
            for operation in &mut record.operations {
                (operation.completed, operation.response) = (0, Default::default());
            }
        });
    }
    let (a, b) = (side(&dir.path().join("a")).unwrap(), side(&dir.path().join("b")).unwrap());
    let mut other = b.clone();
    other[0].record.profile.push_str("<i>");
    other[0].record.ledger.balanced = false;
    let refused = compare((HOSTILE, &a), (HOSTILE, &other), Options::default()).unwrap_err();
    assert!(!refused.to_string().contains(['\n', '\u{1b}']), "{refused}");
    let forced = Options { force: true, ..Options::default() };
    for candidate in [&b, &other] {
        let one = compare((HOSTILE, &a), (HOSTILE, candidate), forced).unwrap();
        let paths = render(&one, &dir.path().join("out")).unwrap();
        let html = fs::read_to_string(paths.html).unwrap();
        assert!(!html.contains("<script") && !html.contains("<i>") && html.contains("&lt;script"));
        let markdown = fs::read_to_string(paths.markdown).unwrap();
        assert!(!markdown.contains("<script") && !markdown.contains("@you"), "{markdown}");
        assert!(!markdown.contains("![i]") && !markdown.contains('\u{1b}'));
        assert!(!text(&one).contains('\u{1b}'));
        let json: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(paths.json).unwrap()).unwrap();
        assert_eq!(json["base"]["name"], HOSTILE);
    }
}
