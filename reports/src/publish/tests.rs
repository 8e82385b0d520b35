use std::fs;
use std::path::Path;
use std::process::Command;

use super::*;
use crate::record::RunRecord;
use crate::testing;

/// A run of a minute in `dir/name`.
fn run(dir: &Path, name: &str, edit: impl Fn(&mut RunRecord)) -> PathBuf {
    let at = dir.join(name);
    let (writer, mut record) = testing::write_without_end(&at);
    record.run_id = name.to_owned();
    edit(&mut record);
    writer.finish(&record).unwrap();
    at
}

fn site_of_two(dir: &Path) -> PathBuf {
    run(&dir.join("before"), "one", |_| {});
    run(&dir.join("after"), "two", |r| {
        r.started_at = "2026-11-25T06:00:00Z".into();
        r.implementations[0].version = "18.0".into();
    });
    let out = dir.join("site");
    publish(&[dir.join("before"), dir.join("after")], &out, &Options::default()).unwrap();
    out
}

fn problems(site: &Path) -> Vec<String> {
    verify(site).unwrap().problems
}

#[test]
fn a_site_has_every_page_and_only_links_that_lead_somewhere_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let site = site_of_two(dir.path());
    let files = manifest::files(&site).unwrap();
    for page in [
        "index.html",
        "history.html",
        "history.json",
        "compare/1/compare.html",
        "runs/one/report.html",
        "runs/two/run.json",
        "schema/run-1.json",
        MANIFEST,
    ] {
        assert!(files.iter().any(|f| f == page), "{page}: {files:?}");
    }
    for page in files.iter().filter(|f| f.ends_with(".html")) {
        let text = fs::read_to_string(site.join(page)).unwrap();
        for link in text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            // The templates escape slashes too; a browser reads them back.
            let link = link.replace("&#x2f;", "/");
            let target = link.split('#').next().unwrap();
            if !target.is_empty() {
                let at = site.join(page).parent().unwrap().join(target);
                assert!(at.is_file(), "{page} links to {link}");
            }
        }
        assert!(!text.contains("src=\"http") && !text.contains("href=\"http"), "{page}");
        assert!(text.contains("NOT PUBLISHABLE"), "{page} bears the mark");
    }
    let note = fs::read_to_string(site.join("runs/one/report.md")).unwrap();
    assert!(note.starts_with("> **NOT PUBLISHABLE"), "{note}");
    let index = fs::read_to_string(site.join("index.html")).unwrap();
    for why in ["s3 was fake", "less than 10 min", "1 of 3 runs"] {
        assert!(index.contains(why), "{why}");
    }
}

#[test]
fn an_untouched_site_verifies_also_with_sha256sum_and_moved_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let site = site_of_two(dir.path());
    assert_eq!(problems(&site), Vec::<String>::new());
    let moved = dir.path().join("moved");
    fs::rename(&site, &moved).unwrap();
    let checked = verify(&moved).unwrap();
    assert_eq!((checked.problems, checked.runs, checked.publishable), (Vec::new(), 2, 0));
    let sums = Command::new("sha256sum").args(["--quiet", "-c", SUMS]).current_dir(&moved).status();
    assert!(sums.unwrap().success());
}

#[test]
fn each_edited_missing_and_extra_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let site = site_of_two(dir.path());
    fs::write(site.join("extra.html"), "x").unwrap();
    fs::remove_file(site.join("history.md")).unwrap();
    let index = site.join("index.html");
    let text = fs::read_to_string(&index).unwrap();
    fs::write(&index, text.replace("NOT PUBLISHABLE", "PUBLISHABLE")).unwrap();
    let found = problems(&site);
    for said in ["extra: extra.html", "missing: history.md", "edited: index.html"] {
        assert!(found.iter().any(|p| p == said), "{said}: {found:?}");
    }
}

#[test]
fn an_edited_record_is_seen_through_although_all_checksums_were_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let site = site_of_two(dir.path());
    let at = site.join("runs/one/run.json");
    let text = fs::read_to_string(&at).unwrap();
    let mut record: RunRecord = serde_json::from_str(&text).unwrap();
    record.operations[0].response.p99_ns /= 2;
    fs::write(&at, serde_json::to_string_pretty(&record).unwrap()).unwrap();
    manifest::write_sums(&site).unwrap();
    let found = problems(&site);
    assert!(
        found.iter().any(|p| p.contains("runs/one contradicts itself: bus.publish has a p99")),
        "{found:?}"
    );
    assert!(
        found.iter().any(|p| p.contains("does not follow from the records: runs/one/report.html")),
        "{found:?}"
    );
    // An index that says PASS of a run whose record does not.
    record.verdict = crate::record::Verdict::Fail;
    fs::write(&at, serde_json::to_string_pretty(&record).unwrap()).unwrap();
    manifest::write_sums(&site).unwrap();
    let found = problems(&site);
    assert!(found.iter().any(|p| p.contains("PASS against FAIL")), "{found:?}");
}

#[test]
fn a_file_that_is_neither_a_record_nor_made_of_one_and_another_version_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let site = site_of_two(dir.path());
    fs::write(site.join("runs/one/extra.html"), "x").unwrap();
    manifest::write_sums(&site).unwrap();
    assert_eq!(problems(&site), ["neither a record nor made of one: runs/one/extra.html"]);
    let at = site.join(MANIFEST);
    let text = fs::read_to_string(&at).unwrap();
    let ours = format!("\"tool_version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    fs::write(&at, text.replace(&ours, "\"tool_version\": \"9.9.9\"")).unwrap();
    manifest::write_sums(&site).unwrap();
    assert_eq!(verify(&site).unwrap().other_version.as_deref(), Some("9.9.9"));
}

#[test]
fn only_runs_that_show_something_of_one_load_are_repeats_and_an_edited_objective_is_none() {
    let repeats = |third: &dyn Fn(&mut RunRecord)| {
        let dir = tempfile::tempdir().unwrap();
        let runs = dir.path().join("runs");
        run(&runs, "one", |r| r.config.seed = 1);
        run(&runs, "two", |r| r.config.seed = 2);
        run(&runs, "three", |r| {
            r.config.seed = 3;
            third(r);
        });
        let out = dir.path().join("site");
        let published = publish(&[runs], &out, &Options::default()).unwrap();
        assert!(!problems(&out).iter().any(|p| p.contains("manifest")), "{:?}", problems(&out));
        let one = published.runs.into_iter().find(|r| r.run_id == "one").unwrap();
        one.violations.iter().find_map(|v| v.split_once(" of 3 runs")?.0.parse().ok()).unwrap_or(3)
    };
    assert_eq!(repeats(&|_| {}), 3);
    assert_eq!(repeats(&|r| r.objectives[0].ratio = Some(1.2)), 2, "it contradicts itself");
    assert_eq!(repeats(&|r| (r.config.seed, r.config.hash) = (1, "another".into())), 2);
    let invalid = |r: &mut RunRecord| {
        r.generator.held = 0.5;
        (r.verdict, r.exit_code) = (crate::record::Verdict::Invalid, 4);
    };
    assert_eq!(repeats(&invalid), 2);
}

#[test]
fn nights_of_one_name_are_sides_and_the_index_says_what_their_comparison_says() {
    let dir = tempfile::tempdir().unwrap();
    let nights: Vec<PathBuf> = ["01", "02"].map(|n| dir.path().join(n).join("dev")).into();
    for (night, name) in nights.iter().zip(["one", "two"]) {
        run(night, name, |r| r.started_at = format!("2026-11-24T0{}:00:00Z", name.len()));
    }
    // A copy with another content.
    run(&nights[1].join("copy"), "one", |r| r.operations[0].completed += 1);
    let out = dir.path().join("site");
    let published = publish(&nights, &out, &Options::default()).unwrap();
    assert_eq!((published.comparisons, published.notes.len()), (1, 1), "{:?}", published.notes);
    let index = fs::read_to_string(out.join("index.html")).unwrap();
    assert!(index.contains("01&#x2f;dev") && index.contains("its two records differ"), "{index}");
    let page = fs::read_to_string(out.join("compare/1/compare.md")).unwrap();
    let says = page.lines().find_map(|line| line.split_once("# ")).unwrap().1;
    let says = says.split_once(' ').unwrap().1;
    assert!(index.contains(&says[..40]), "{says} in {index}");
    assert!(!index.contains(": no regression seen<"), "the page's own label goes with it");
}

#[test]
fn a_newer_site_takes_the_place_of_an_older_one_and_of_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let site = site_of_two(dir.path());
    let again = |out: &Path| publish(&[dir.path().join("after")], out, &Options::default());
    assert_eq!(again(&site).unwrap().runs.len(), 1);
    assert!(!site.join("runs/one").exists() && problems(&site).is_empty());
    fs::write(site.join("CNAME"), "mine").unwrap();
    let error = again(&site).unwrap_err();
    assert!(matches!(error, PublishError::Foreign { .. }), "{error}");
    assert!(site.join("CNAME").exists() && site.join("index.html").exists());
    let mine = dir.path().join("mine");
    fs::create_dir(&mine).unwrap();
    assert!(again(&mine).is_ok(), "an empty directory");
    let mine = dir.path().join("documents");
    fs::create_dir(&mine).unwrap();
    fs::write(mine.join("letter.txt"), "dear").unwrap();
    let error = again(&mine).unwrap_err();
    assert!(matches!(error, PublishError::NotOurs { .. }), "{error}");
    assert!(mine.join("letter.txt").exists());
    let names: Vec<String> = fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(".odg"))
        .collect();
    assert_eq!(names, Vec::<String>::new(), "nothing is left of the making");
}

#[test]
fn strict_refuses_names_each_violation_and_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let one = run(dir.path(), "one", |_| {});
    let out = dir.path().join("site");
    let strict = Options { strict: true, ..Options::default() };
    let error = publish(&[one], &out, &strict).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, PublishError::Refused(_)) && text.contains("s3 was fake"), "{text}");
    assert!(!out.exists());
}

#[test]
fn what_reads_like_a_credential_is_not_published() {
    let dir = tempfile::tempdir().unwrap();
    let one = run(dir.path(), "one", |r| r.command.push("--url=s3://me:hunter2@host/".into()));
    let out = dir.path().join("site");
    let error = publish(&[one], &out, &Options::default()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("run.json, line") && !text.contains("hunter2"), "{text}");
    assert!(!out.exists());
}

#[test]
fn broken_records_are_listed_and_the_rest_is_published() {
    let dir = tempfile::tempdir().unwrap();
    run(&dir.path().join("runs"), "one", |_| {});
    let broken = run(&dir.path().join("runs"), "two", |_| {});
    fs::write(broken.join("run.json"), "{").unwrap();
    let out = dir.path().join("site");
    let published = publish(&[dir.path().join("runs")], &out, &Options::default()).unwrap();
    assert_eq!((published.runs.len(), published.broken.len()), (1, 1));
    let index = fs::read_to_string(out.join("index.html")).unwrap();
    assert!(index.contains("two could not be read"));
    assert!(!index.contains(&dir.path().display().to_string()), "no path of this machine");
    assert!(problems(&out).is_empty());
    let nothing = tempfile::tempdir().unwrap();
    let error = publish(&[nothing.path().into()], &out, &Options::default()).unwrap_err();
    assert!(error.to_string().contains("no run record"), "{error}");
}

#[test]
fn names_of_others_are_harmless_on_every_page() {
    let dir = tempfile::tempdir().unwrap();
    let hostile = "<img src=x onerror=alert(1)>\u{1b}[2J";
    let at = run(dir.path(), "one", |_| {});
    let text = fs::read_to_string(at.join("run.json")).unwrap();
    let mut record: RunRecord = serde_json::from_str(&text).unwrap();
    testing::poison(&mut record, hostile);
    fs::write(at.join("run.json"), serde_json::to_string(&record).unwrap()).unwrap();
    let out = dir.path().join("site");
    publish(&[at], &out, &Options::default()).unwrap();
    for page in manifest::files(&out).unwrap().iter().filter(|f| f.ends_with(".html")) {
        let text = fs::read_to_string(out.join(page)).unwrap();
        assert!(!text.contains("<img"), "{page}");
    }
    assert!(
        problems(&out).iter().all(|p| p.contains("contradicts itself")),
        "{:?}",
        problems(&out)
    );
}
