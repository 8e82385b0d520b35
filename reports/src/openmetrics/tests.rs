use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::testing;

/// A reader of the grammar, by the specification's rules that a writer can break; panics with the
/// line that does.
fn check(text: &str) -> BTreeMap<String, f64> {
    let mut types: BTreeMap<&str, &str> = BTreeMap::new();
    let mut samples = BTreeMap::new();
    let mut finished = BTreeSet::new();
    let mut family = "";
    let body = text.strip_suffix("# EOF\n").expect("ends with # EOF");
    for line in body.lines() {
        assert!(!line.is_empty() && line != "# EOF", "{line:?}");
        if let Some(meta) = line.strip_prefix("# ") {
            let mut words = meta.splitn(3, ' ');
            let (what, name, rest) =
                (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            if what == "TYPE" {
                assert!(finished.insert(name), "{name} comes twice");
                family = name;
                types.insert(name, rest);
            }
            assert_eq!(name, family, "{line}");
            assert!(what != "UNIT" || name.ends_with(&format!("_{rest}")), "{line}");
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').unwrap();
        let name = sample.split('{').next().unwrap();
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{line}");
        let suffix = name.strip_prefix(family).unwrap_or_else(|| panic!("{line} in {family}"));
        let allowed: &[&str] = match types[family] {
            "counter" => &["_total"],
            "info" => &["_info"],
            "summary" => &["", "_count", "_sum"],
            "gauge" | "stateset" => &[""],
            other => panic!("{other}"),
        };
        assert!(allowed.contains(&suffix), "{line}");
        if let Some(labels) = sample.strip_prefix(name).filter(|l| !l.is_empty()) {
            check_labels(labels, line);
        }
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
        assert!(types[family] != "counter" || value >= 0.0, "{line}");
        assert!(samples.insert(sample.to_owned(), value).is_none(), "{line} comes twice");
    }
    samples
}

/// `{name="value",…}` with `\\`, `\"` and `\n` as the only escapes, and every name once.
fn check_labels(labels: &str, line: &str) {
    let mut rest = labels.strip_prefix('{').unwrap().strip_suffix('}').unwrap();
    let mut names = BTreeSet::new();
    loop {
        let (name, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name} in {line}");
        assert!(names.insert(name), "{name} twice in {line}");
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next().unwrap_or_else(|| panic!("{line}")) {
                (at, '"') => break at,
                (_, '\\') => assert!(matches!(chars.next(), Some((_, '\\' | '"' | 'n'))), "{line}"),
                (_, c) => assert!(!c.is_control(), "{line}"),
            }
        };
        match &after[end + 1..] {
            "" => return,
            more => rest = more.strip_prefix(',').unwrap_or_else(|| panic!("{line}")),
        }
    }
}

#[test]
fn a_run_is_told_by_the_rules_of_the_format_with_its_marks() {
    let run = testing::run();
    let text = openmetrics(&run.record, run.measured_s());
    let samples = check(&text);
    assert_eq!(samples["odgbench_verdict{odgbench_verdict=\"PASS\"}"], 1.0);
    assert_eq!(samples["odgbench_verdict{odgbench_verdict=\"FAIL\"}"], 0.0);
    let publish = &run.record.operations[0];
    let p99 = samples["odgbench_response_seconds{operation=\"bus.publish\",quantile=\"0.99\"}"];
    assert!((p99 * 1e9 - publish.response.p99_ns as f64).abs() < 1.0);
    assert_eq!(
        samples["odgbench_operations_completed_total{operation=\"bus.publish\"}"],
        publish.completed as f64
    );
    // A figure of a stand-in says so where it stands.
    assert!(
        samples.contains_key("odgbench_payload_bytes_total{operation=\"s3.put\",marks=\"fake\"}")
    );
    assert!(samples.contains_key("odgbench_mark_info{mark=\"fake s3\"}"));
}

#[test]
fn percentiles_that_cannot_be_claimed_and_figures_that_are_not_there_are_left_out() {
    let mut record = testing::run().record;
    record.operations.truncate(1);
    record.operations[0].response.count = 100;
    record.generator = crate::record::GeneratorSummary::default();
    record.ledger = crate::record::LedgerSummary::default();
    record.objectives[0].ratio = Some(f64::NAN);
    record.config.offered_events_per_s = f64::INFINITY;
    let text = openmetrics(&record, 0.0);
    check(&text);
    assert!(
        text.contains("quantile=\"0.9\"")
            && !text.contains("response_seconds{operation=\"bus.publish\",quantile=\"0.99\"")
    );
    for absent in ["NaN", " inf\n", "generator_lag", "ledger_balanced 0", "operations_per_second{"]
    {
        assert!(!text.contains(absent), "{absent}");
    }
}

#[test]
fn names_full_of_the_formats_own_signs_and_names_that_come_twice_break_nothing() {
    let mut record = testing::run().record;
    testing::poison(&mut record, "\"} 1\n# EOF\n\\\u{7}{le=\"0\"},x=\"");
    let again = record.operations[0].clone();
    record.operations.push(again);
    record.objectives.push(record.objectives[0].clone());
    record.operations[0].response.mean_ns = f64::MAX;
    record.operations[0].completed = u64::MAX;
    record.resources[0].cpu_cores_mean = -1e308;
    check(&openmetrics(&record, 60.0));
}
