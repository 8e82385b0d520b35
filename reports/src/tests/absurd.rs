//! Records that nobody meant: hostile, empty, endless, impossible.

use std::fs;

use super::error_of;
use crate::error::RecordError;
use crate::store::RUN_JSON;
use crate::{html, junit, markdown, openmetrics, plots, render_all, testing};

#[test]
fn hostile_names_inject_nothing_anywhere() {
    let mut run = testing::run();
    let names = run.record.operations.iter().map(|o| o.name.clone()).collect::<Vec<_>>();
    let poison = "<script>alert(1)</script>\"'><img src=x onerror=y>|[a](javascript:b)`*@all]]>{{1234*1001}}\u{1b}[2J\u{0}\u{ffff}";
    testing::poison(&mut run.record, poison);
    for row in &mut run.series {
        row.operation.push_str(poison);
    }
    for row in &mut run.resources {
        row.component.push_str(poison);
    }
    for name in names {
        let (both, heat) = (run.histograms.remove(&name).unwrap(), run.heat.remove(&name).unwrap());
        run.histograms.insert(format!("{name}{poison}"), both);
        run.heat.insert(format!("{name}{poison}"), heat);
    }
    run.notes.push(poison.to_owned());
    let charts = plots::charts(&run).unwrap();
    for chart in charts.iter() {
        assert!(!chart.slug.contains(|c: char| !c.is_ascii_alphanumeric() && c != '-'));
        assert!(!chart.svg.contains("<script") && !chart.svg.contains("<img"));
        let forbidden = |c: char| c < ' ' && !matches!(c, '\t' | '\n' | '\r') || c == '\u{ffff}';
        assert!(!chart.svg.contains(forbidden), "no XML may hold these: {}", chart.slug);
    }
    let page = html::html_report(&run, charts).unwrap();
    assert!(page.contains("&lt;script&gt;"), "the names are shown");
    assert_eq!(page.matches("<script").count(), 1, "ours alone");
    assert!(!page.contains("<img") && !page.contains("1235234"), "no tag, no evaluation");
    let xml = junit::junit(&run.record);
    assert!(!xml.contains("<script") && !xml.contains("<img") && !xml.contains("]]>"));
    // The command stands in a code span, which only a back-tick could end.
    let text = markdown::markdown_report(&run);
    let (command, text): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|l| l.starts_with("Repeat it: `"));
    assert!(command.len() == 1 && command[0].matches('`').count() == 2);
    let text = text.join("\n");
    assert!(!text.contains("<script") && !text.contains("<img") && !text.contains("@all"));
    assert!(!text.replace("\\]", "").contains("]("), "no link");
}

#[test]
fn a_run_without_any_sample_still_renders_and_no_chart_is_empty() {
    let mut run = testing::run();
    run.series.clear();
    run.resources.clear();
    run.histograms.clear();
    run.heat.clear();
    run.record.objectives.clear();
    run.record.features.clear();
    run.record.ledger = crate::record::LedgerSummary::default();
    for operation in &mut run.record.operations {
        let name = operation.name.clone();
        *operation = crate::record::OperationSummary { name, ..Default::default() };
    }
    let charts = plots::charts(&run).unwrap();
    assert!(charts.iter().all(|c| c.svg.contains("no samples")));
    html::html_report(&run, charts).unwrap();
    assert!(markdown::markdown_report(&run).contains("PASS"));
}

#[test]
fn ten_thousand_operations_and_absurd_figures_render() {
    let mut run = testing::run();
    let mut operation = run.record.operations[0].clone();
    operation.response.max_ns = u64::MAX;
    operation.response.mean_ns = f64::MAX;
    operation.completed = u64::MAX;
    for i in 0..10_000 {
        operation.name = format!("op.{i}");
        run.record.operations.push(operation.clone());
    }
    run.record.config.volume_bytes_per_day = f64::MAX;
    run.record.config.duration_s = -1.0;
    run.record.config.warmup_s = f64::MAX;
    let charts = plots::charts(&run).unwrap();
    let page = html::html_report(&run, charts).unwrap();
    assert!(page.len() < 5_000_000);
    assert!(page.contains("200 of 10007 operations are listed with all figures and 9807 more"));
    assert!(page.contains(">op.9999<"), "the last one is there");
    assert!(page.contains("Charts are drawn for 16 of 10007 operations"));
    let text = markdown::markdown_report(&run);
    assert!(text.chars().count() < 65_536);
    assert!(openmetrics::openmetrics(&run.record, run.measured_s()).ends_with("# EOF\n"));
}

#[test]
fn a_page_of_endless_texts_stays_under_its_limit_and_says_what_it_left_out() {
    let mut run = testing::run();
    let objective = run.record.objectives[0].clone();
    for i in 0..10_000 {
        let mut o = objective.clone();
        o.id = format!("{i}");
        o.evidence = "&".repeat(10_000);
        run.record.objectives.push(o);
    }
    let implementation = run.record.implementations.last().unwrap().clone();
    run.record.implementations.extend(vec![implementation; 10_000]);
    run.record.marks.extend((0..10_000).map(|i| format!("mark {i}")));
    run.record.command.extend(vec!["<word>".to_owned(); 100_000]);
    run.record.host.cpu_model = "<".repeat(10_000_000);
    run.notes.push("x".repeat(10_000_000));
    let page = html::html_report(&run, plots::charts(&run).unwrap()).unwrap();
    assert!(page.len() <= 5_000_000, "{} bytes", page.len());
    assert!(page.contains("objectives are listed; run.json has all"));
}

#[test]
fn endless_events_and_kinds_of_errors_fit_the_page_and_their_number_is_said() {
    let mut run = testing::run();
    let event = run.record.events[1].clone();
    run.record.events = vec![event; 20_000];
    let operation = &mut run.record.operations[0];
    operation.errors = (0..3).map(|n| (format!("{n}{}", "x".repeat(2_000_000)), 1)).collect();
    let charts = plots::charts(&run).unwrap();
    assert!(charts.throughput[0].note.contains("19900 more events are not marked"));
    let page = html::html_report(&run, charts).unwrap();
    assert!(page.len() <= 5_000_000, "{} bytes", page.len());
    assert!(page.contains("19900 more events are not marked"), "charts were not all cut");
    assert!(openmetrics::openmetrics(&run.record, run.measured_s()).len() < 1_000_000);
}

#[test]
fn figures_that_no_run_can_have_are_refused_by_name_or_shown_as_they_are() {
    let tmp = tempfile::tempdir().unwrap();
    testing::write(tmp.path());
    let path = tmp.path().join(RUN_JSON);
    let text = fs::read_to_string(&path).unwrap();
    let mut record: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (pointer, figure, read) in [
        ("/config/duration_s", "1e308", true),
        ("/config/warmup_s", "-1e308", false),
        ("/config/scale", "-2", false),
        ("/config/offered_events_per_s", "-0.5", false),
        ("/config/scale", "-0.0", true),
        ("/generator/held", "-5", false),
        ("/generator/held", "50", false),
        ("/generator/utilisation", "-3", false),
        ("/operations/0/response/mean_ns", "-1", false),
        ("/resources/0/cpu_cores_mean", "-1", false),
        ("/objectives/0/ratio", "-1", false),
        ("/features/0/took_ms", "-1", false),
        ("/objectives/0/ratio", "1e308", true),
        ("/objectives/0/samples", "18446744073709551615", true),
        ("/operations/0/completed", "18446744073709551615", true),
        ("/operations/0/response/p99_ns", "18446744073709551615", true),
        ("/operations/0/response/count", "-1", false),
        ("/operations/0/bytes", "18446744073709551616", false),
        ("/host/cores", "4294967296", false),
        ("/config/duration_s", "null", false),
        ("/verdict", "\"excellent\\nfail\"", false),
        ("/events/0/t_s", "-1e308", true),
    ] {
        let before = record.pointer_mut(pointer).unwrap();
        let kept = std::mem::replace(before, serde_json::from_str(figure).unwrap());
        fs::write(&path, serde_json::to_string_pretty(&record).unwrap()).unwrap();
        if read {
            render_all(tmp.path()).unwrap();
        } else {
            let error = error_of(tmp.path()).to_string();
            let field = pointer.rsplit('/').next().unwrap_or_default();
            assert!(
                error.contains("run.json, line ")
                    || error.contains("run.json: ") && error.contains(&format!("{field} is ")),
                "{pointer}: {error}"
            );
        }
        *record.pointer_mut(pointer).unwrap() = kept;
    }
    // What JSON itself has no word for.
    for figure in ["NaN", "Infinity", "1e999"] {
        fs::write(&path, text.replacen("\"scale\": 1.0", &format!("\"scale\": {figure}"), 1))
            .unwrap();
        assert!(matches!(error_of(tmp.path()), RecordError::Corrupt { .. }), "{figure}");
    }
}
