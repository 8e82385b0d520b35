//! The record from writing to reading to rendering, whole and broken.

mod absurd;
mod long;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;

use proptest::prelude::*;

use crate::error::RecordError;
use crate::read::Run;
use crate::record::{ResourceRow, RunState, SCHEMA_VERSION, SeriesRow, Verdict};
use crate::store::{JOURNAL, LATENCY_LOG, RUN_JSON, SERIES};
use crate::testing;
use crate::{html, markdown, plots, render_all};

fn error_of(dir: &Path) -> RecordError {
    let error = Run::open(dir).unwrap_err();
    let text = error.to_string();
    assert!(!text.contains('\n'), "an error is one line: {text}");
    error
}

fn append(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_run_comes_back_as_it_was_written() {
    let tmp = tempfile::tempdir().unwrap();
    let written = testing::write(tmp.path());
    let run = Run::open(tmp.path()).unwrap();
    assert_eq!(run.record, written);
    assert!(run.notes.is_empty(), "{:?}", run.notes);
    let seconds = (testing::WARMUP_S + testing::DURATION_S) as usize;
    assert_eq!(run.series.len(), seconds * written.operations.len());
    assert_eq!(run.resources.len(), seconds * 5);
    assert!((run.measured_s() - f64::from(testing::DURATION_S)).abs() < 1e-9);
    // Merged from the log, without the warm-up, the percentiles are those of the record.
    for operation in &written.operations {
        let both = &run.histograms[&operation.name];
        assert_eq!(both.response.len(), operation.completed);
        assert_eq!(both.response.value_at_quantile(0.99), operation.response.p99_ns);
        assert_eq!(both.service.value_at_quantile(0.99), operation.service.p99_ns);
    }
}

#[test]
fn a_killed_run_is_rebuilt_from_what_it_had_written() {
    let tmp = tempfile::tempdir().unwrap();
    let (writer, whole) = testing::write_without_end(tmp.path());
    drop(writer);
    let run = Run::open(tmp.path()).unwrap();
    let record = &run.record;
    assert_eq!(record.state, RunState::Interrupted);
    assert_eq!((record.verdict, record.exit_code), (Verdict::Inconclusive, 4));
    assert_eq!(record.reasons, ["interrupted after 65 s"]);
    assert!(record.marks.contains(&"interrupted".to_owned()));
    assert!(record.objectives.is_empty());
    for (rebuilt, measured) in record.operations.iter().zip(&whole.operations) {
        assert_eq!(rebuilt.name, measured.name);
        assert_eq!(rebuilt.completed, measured.completed);
        assert_eq!(rebuilt.response.p99_ns, measured.response.p99_ns);
        assert_eq!(rebuilt.component, measured.component);
    }
    assert!(!record.resources.is_empty());
    render_all(tmp.path()).unwrap();
    assert!(!tmp.path().join(RUN_JSON).exists(), "a report invents no run.json");
    let page = fs::read_to_string(tmp.path().join("report.html")).unwrap();
    assert!(page.contains("<span class=\"mark\">interrupted</span>"));
    // What only an orderly end writes down is not there, and nobody makes a figure of it.
    let pages = ["report.html", "report.md", "junit.xml"];
    for page in pages.map(|name| fs::read_to_string(tmp.path().join(name)).unwrap()) {
        assert!(page.contains("not recorded"), "{page}");
        assert!(!page.contains(">0.0 %") && !page.contains(" 0.0 %"), "{page}");
    }
}

#[test]
fn every_page_states_the_length_that_was_really_measured() {
    let tmp = tempfile::tempdir().unwrap();
    let (writer, mut record) = testing::write_without_end(tmp.path());
    record.state = RunState::Aborted;
    record.events.retain(|e| e.kind == "warmup_end");
    record.events.push(crate::record::TimelineEvent {
        t_s: 22.0,
        kind: "component_died".into(),
        text: "Kafka ended by itself".into(),
    });
    writer.finish(&record).unwrap();
    let run = Run::open(tmp.path()).unwrap();
    assert_eq!(run.measured_s(), 17.0);
    render_all(tmp.path()).unwrap();
    let read = |name: &str| fs::read_to_string(tmp.path().join(name)).unwrap();
    assert!(read("report.html").contains("<span class=\"value\">17 s</span>"));
    assert!(read("report.md").contains("Measured for 17 s after 5 s of warm-up"));
    assert!(read("junit.xml").contains("time=\"17.000\""));
    let screen = crate::terminal::one_screen(&run.record, 80, false);
    assert!(screen.contains("17 s measured after 5 s of warm-up"), "{screen}");

    let mut nothing = run;
    nothing.record.events[1].t_s = 3.0;
    let page = html::html_report(&nothing, plots::charts(&nothing).unwrap()).unwrap();
    assert!(page.contains("<span class=\"value\">0 s</span>") && page.contains("Load, planned"));
    let text = markdown::markdown_report(&nothing);
    let row = text.lines().find(|l| l.starts_with("| bus.publish ")).unwrap();
    assert_eq!(row.split(" | ").nth(3), Some("–"), "no rate over no time");
}

#[test]
fn charts_of_an_earlier_rendering_are_removed_and_foreign_files_are_kept() {
    let tmp = tempfile::tempdir().unwrap();
    testing::write(tmp.path());
    let plots = tmp.path().join("plots");
    fs::create_dir(&plots).unwrap();
    for name in ["latency-42-gone.svg", "throughput-01-bus.svg", "notes.svg", "latency-42-gone.png"]
    {
        fs::write(plots.join(name), "old").unwrap();
    }
    let written = render_all(tmp.path()).unwrap().plots;
    assert!(!plots.join("latency-42-gone.svg").exists());
    assert!(!plots.join("throughput-01-bus.svg").exists());
    assert!(plots.join("notes.svg").exists() && plots.join("latency-42-gone.png").exists());
    assert!(written.iter().all(|path| path.exists()));
}

#[test]
fn figures_of_rows_that_are_not_finite_are_said_too() {
    let tmp = tempfile::tempdir().unwrap();
    let (mut writer, record) = testing::write_without_end(tmp.path());
    let row = SeriesRow {
        t_s: 66.0,
        dt_s: 1.0,
        operation: "bus.publish".into(),
        response_mean_us: f64::NAN,
        ..SeriesRow::default()
    };
    writer.interval(&[row], &[]).unwrap();
    writer.finish(&record).unwrap();
    let warnings = Run::open(tmp.path()).unwrap().record.warnings;
    let said = warnings.iter().find(|w| w.code == "not_finite").unwrap();
    assert!(said.text.starts_with("1 figures"), "{}", said.text);
}

#[test]
fn a_torn_last_line_is_left_out_of_every_file_and_noted() {
    let tmp = tempfile::tempdir().unwrap();
    drop(testing::write_without_end(tmp.path()));
    append(&tmp.path().join(JOURNAL), r#"{"type":"interval","rows":[{"t_s":66"#);
    append(&tmp.path().join(SERIES), "66.000,1.000,bus.pub");
    append(&tmp.path().join(LATENCY_LOG), "Tag=bus.publish:response,65.000,1.0");
    let run = Run::open(tmp.path()).unwrap();
    assert_eq!(run.notes.len(), 3, "{:?}", run.notes);
    assert_eq!(run.record.reasons, ["interrupted after 65 s"]);
}

#[test]
fn cutting_a_file_anywhere_gives_a_run_or_one_clear_line() {
    let tmp = tempfile::tempdir().unwrap();
    testing::write(tmp.path());
    for name in [RUN_JSON, JOURNAL, SERIES, LATENCY_LOG] {
        let path = tmp.path().join(name);
        let whole = fs::read(&path).unwrap();
        for part in 0..12 {
            fs::write(&path, &whole[..whole.len() * part / 12]).unwrap();
            if let Err(error) = Run::open(tmp.path()) {
                assert!(error.to_string().contains(name), "{error}");
            }
        }
        fs::write(&path, &whole).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn changing_any_byte_gives_a_run_or_one_clear_line(
        file in 0usize..4, at in 0.0f64..1.0, byte in any::<u8>(), without_end: bool,
    ) {
        static WHOLE: OnceLock<Vec<(&str, Vec<u8>)>> = OnceLock::new();
        let whole = WHOLE.get_or_init(|| {
            let tmp = tempfile::tempdir().unwrap();
            testing::write(tmp.path());
            [RUN_JSON, JOURNAL, SERIES, LATENCY_LOG]
                .map(|name| (name, fs::read(tmp.path().join(name)).unwrap()))
                .into()
        });
        let tmp = tempfile::tempdir().unwrap();
        for (index, (name, content)) in whole.iter().enumerate() {
            let mut content = content.clone();
            if index == file {
                let at = (at * content.len() as f64) as usize;
                content[at] = byte;
            }
            if !(without_end && *name == RUN_JSON) {
                fs::write(tmp.path().join(name), content).unwrap();
            }
        }
        match render_all(tmp.path()) {
            Ok(_) => {}
            Err(error) => prop_assert!(!error.to_string().contains('\n'), "{}", error),
        }
    }
}

#[test]
fn a_record_without_its_side_files_still_opens_and_says_what_is_missing() {
    let tmp = tempfile::tempdir().unwrap();
    testing::write(tmp.path());
    for name in [JOURNAL, LATENCY_LOG] {
        fs::remove_file(tmp.path().join(name)).unwrap();
    }
    assert_eq!(Run::open(tmp.path()).unwrap().notes.len(), 2);
    render_all(tmp.path()).unwrap();
}

#[test]
fn an_empty_log_of_a_killed_run_is_said() {
    let tmp = tempfile::tempdir().unwrap();
    drop(testing::write_without_end(tmp.path()));
    fs::write(tmp.path().join(LATENCY_LOG), "").unwrap();
    let notes = Run::open(tmp.path()).unwrap().notes;
    assert!(notes.iter().any(|n| n.contains("holds no interval")), "{notes:?}");
}

#[test]
fn the_journal_alone_is_enough() {
    let tmp = tempfile::tempdir().unwrap();
    drop(testing::write_without_end(tmp.path()));
    for name in [SERIES, LATENCY_LOG] {
        fs::remove_file(tmp.path().join(name)).unwrap();
    }
    let run = Run::open(tmp.path()).unwrap();
    assert_eq!(run.record.reasons, ["interrupted after 65 s"]);
    assert!(run.record.operations[0].completed > 50_000);
    render_all(tmp.path()).unwrap();
}

#[test]
fn a_foreign_empty_or_missing_directory_is_named_as_such() {
    let tmp = tempfile::tempdir().unwrap();
    assert!(matches!(error_of(tmp.path()), RecordError::NotARun { .. }));
    assert!(matches!(error_of(&tmp.path().join("no")), RecordError::NotADirectory { .. }));
    fs::write(tmp.path().join(JOURNAL), "").unwrap();
    assert!(matches!(error_of(tmp.path()), RecordError::Corrupt { line: 1, .. }));
    fs::write(tmp.path().join(RUN_JSON), "{}\n").unwrap();
    assert!(error_of(tmp.path()).to_string().contains("schema_version"));
}

#[test]
fn a_newer_major_version_is_refused_and_a_newer_minor_one_is_read() {
    let tmp = tempfile::tempdir().unwrap();
    testing::write(tmp.path());
    let path = tmp.path().join(RUN_JSON);
    let text = fs::read_to_string(&path).unwrap();
    let now = format!("\"schema_version\": \"{SCHEMA_VERSION}\"");
    for (version, newer) in [("2.0", true), ("1.9", false)] {
        let changed = text.replace(&now, &format!("\"schema_version\": \"{version}\""));
        assert_ne!(changed, text);
        fs::write(&path, changed).unwrap();
        match Run::open(tmp.path()) {
            Err(RecordError::NewerSchema { found, .. }) => assert!(newer && found == version),
            other => assert!(!newer && other.is_ok()),
        }
    }
}

#[test]
fn an_edited_line_is_named_with_its_number() {
    let tmp = tempfile::tempdir().unwrap();
    testing::write(tmp.path());
    for (name, line) in [(SERIES, 3), (JOURNAL, 2), (LATENCY_LOG, 9)] {
        let path = tmp.path().join(name);
        let whole = fs::read_to_string(&path).unwrap();
        let mut lines: Vec<&str> = whole.lines().collect();
        lines[line - 1] = "edited by hand";
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        match error_of(tmp.path()) {
            RecordError::Corrupt { line: found, path: at, .. } => {
                assert_eq!(found, line, "{name}");
                assert_eq!(at, path);
            }
            other => panic!("{name}: {other}"),
        }
        fs::write(&path, whole).unwrap();
    }
    let path = tmp.path().join(SERIES);
    let whole = fs::read_to_string(&path).unwrap();
    for absurd in ["NaN", "inf", "-1", "1e999"] {
        append(&path, &format!("{absurd},1,bus.publish,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0\n"));
        assert!(error_of(tmp.path()).to_string().contains(absurd));
        fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn figures_that_are_not_finite_are_written_as_zero_and_said() {
    let tmp = tempfile::tempdir().unwrap();
    let (writer, mut record) = testing::write_without_end(tmp.path());
    record.generator.held = f64::NAN;
    record.operations[0].response.mean_ns = f64::INFINITY;
    record.objectives[0].ratio = Some(f64::NAN);
    writer.finish(&record).unwrap();
    let read = Run::open(tmp.path()).unwrap().record;
    assert_eq!(read.generator.held, 0.0);
    assert_eq!(read.objectives[0].ratio, None);
    assert!(read.warnings.iter().any(|w| w.code == "not_finite"));
}

#[test]
fn every_page_is_made_and_the_html_needs_nothing_from_the_network() {
    let tmp = tempfile::tempdir().unwrap();
    testing::write(tmp.path());
    let paths = render_all(tmp.path()).unwrap();
    assert!(paths.plots.len() > 10);
    for path in
        paths.plots.iter().chain([&paths.html, &paths.markdown, &paths.junit, &paths.metrics])
    {
        assert!(fs::metadata(path).unwrap().len() > 100, "{}", path.display());
    }
    let page = fs::read_to_string(&paths.html).unwrap();
    assert!(page.len() < 5_000_000);
    assert!(!page.contains("<link") && !page.contains("@import") && !page.contains(" src="));
    // The one script is ours: the page forbids every other.
    assert_eq!(page.matches("<script>").count(), 1);
    assert_eq!(page.matches("script-src 'sha256-").count(), 1);
    for url in page.match_indices("http") {
        assert!(
            page[url.0..].starts_with("http://www.w3.org/2000/svg")
                || page[url.0..].starts_with("http-equiv")
        );
    }
    for part in [
        "PASS",
        "Load, realised",
        "of 11.57 MB",
        "bus.publish",
        "58,514",
        "≤ 24.1 ms",
        "odg-bench run --profile small",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for chart in &paths.plots {
        let svg = fs::read_to_string(chart).unwrap();
        assert!(svg.starts_with("<svg class=\"odg-chart\"") && svg.trim_end().ends_with("</svg>"));
        assert!(
            !svg.contains("fill=\"#0000") && !svg.contains("stroke=\"#0000"),
            "a colour is left"
        );
    }
}

#[test]
fn marks_stand_at_the_top_and_beside_the_figures_they_touch() {
    let mut run = testing::run();
    run.record.config.scale = 0.25;
    run.record.state = RunState::Interrupted;
    let page = html::html_report(&run, plots::charts(&run).unwrap()).unwrap();
    let top = &page[..page.find("<main>").unwrap()];
    for mark in ["fake s3", "load ×0.25", "interrupted"] {
        assert!(top.contains(&format!("<span class=\"mark\">{mark}</span>")), "{mark}");
    }
    let objectives =
        &page[page.find("id=\"objectives\"").unwrap()..page.find("id=\"features\"").unwrap()];
    assert!(objectives.contains("s3.put <span class=\"mark\">fake</span> <span class=\"mark\">load ×0.25</span> <span class=\"mark\">interrupted</span>"), "{objectives}");
}

#[test]
fn read_and_network_bytes_are_shown_where_a_provider_counted_them_and_only_there() {
    let mut run = testing::run();
    let section = |run: &Run| {
        let page = html::html_report(run, plots::charts(run).unwrap()).unwrap();
        page[page.find("id=\"resources\"").unwrap()..page.find("id=\"stack\"").unwrap()].to_owned()
    };
    assert!(!section(&run).contains("Received"));
    let counted = &mut run.record.resources[0];
    counted.read_bytes = Some(7_000_000);
    counted.received_bytes = Some(8_000_000);
    counted.sent_bytes = Some(9_000_000);
    let shown = section(&run);
    for words in ["Received", "7.00 MB", "8.00 MB", "9.00 MB", "–"] {
        assert!(shown.contains(words), "{words}");
    }
}

#[test]
fn a_journal_from_before_network_bytes_were_counted_still_reads() {
    let line = r#"{"t_s":1.0,"component":"kafka","cpu_cores":0.5,"rss_bytes":1,"write_bytes":2}"#;
    let row: ResourceRow = serde_json::from_str(line).unwrap();
    assert_eq!((row.write_bytes, row.read_bytes, row.sent_bytes), (Some(2), None, None));
    assert_eq!(serde_json::to_string(&row).unwrap(), line, "what is not known is not written");
}

/// Leaves a rendered run at `ODG_SAMPLE_REPORT`, for a look at it in a browser.
#[test]
fn the_sample_report_renders_for_every_verdict() {
    let tmp = tempfile::tempdir().unwrap();
    for verdict in [
        Verdict::Pass,
        Verdict::NotVerified,
        Verdict::Inconclusive,
        Verdict::Invalid,
        Verdict::Fail,
    ] {
        let keep = std::env::var_os("ODG_SAMPLE_REPORT").map(std::path::PathBuf::from);
        let dir = keep.unwrap_or_else(|| tmp.path().to_path_buf()).join(format!("{verdict:?}"));
        let (writer, mut record) = testing::write_without_end(&dir);
        record.verdict = verdict;
        if verdict == Verdict::Fail {
            record.objectives[1].verdict = Verdict::Fail;
            record.objectives[1].ratio = Some(1.7);
            record.objectives[1].measured = "850 ms".into();
            record.features[3].verdict = Verdict::Inconclusive;
            record.ledger.hops[3].lost = 12;
            record.ledger.balanced = false;
            record.operations[1].errors = [("timeout".into(), 3), ("refused".into(), 1)].into();
            record.config.scale = 0.5;
        }
        writer.finish(&record).unwrap();
        render_all(&dir).unwrap();
        let page = fs::read_to_string(dir.join("report.html")).unwrap();
        assert!(page.contains(verdict.label()));
    }
}

#[test]
fn a_journal_of_a_newer_schema_than_run_json_is_refused_too() {
    let tmp = tempfile::tempdir().unwrap();
    testing::write(tmp.path());
    let path = tmp.path().join(JOURNAL);
    let journal = fs::read_to_string(&path).unwrap();
    let newer = journal.replacen(
        &format!("\"schema_version\":\"{SCHEMA_VERSION}\""),
        "\"schema_version\":\"9.0\"",
        1,
    );
    assert_ne!(journal, newer);
    fs::write(&path, newer).unwrap();
    assert!(matches!(error_of(tmp.path()), RecordError::NewerSchema { .. }));
}
