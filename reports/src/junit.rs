//! `junit.xml`: one test case per objective and matrix cell, for CI systems.
//!
//! FAIL is a failure, INVALID and INCONCLUSIVE are errors, NOT VERIFIED is skipped. Cells that the
//! exit code does not depend on are skipped too where they did not pass, with the reason: a CI
//! system has no word for "optional".
//!
//! The run's suite carries properties: a `mark` for each mark, and what answered for each component
//! with its fidelity, so that figures of a stand-in cannot pass for the component's.

use crate::escape::xml;
use crate::record::{RunRecord, Verdict};
use crate::summary::measured_s;
use crate::{load, words};

struct Case<'a> {
    class: &'static str,
    name: String,
    seconds: f64,
    verdict: Verdict,
    required: bool,
    message: String,
    detail: &'a str,
}

/// The JUnit XML text of a run.
#[must_use]
pub fn junit(record: &RunRecord) -> String {
    // The events of a record say when its load ended, so the series is not needed here.
    let seconds = measured_s(record, &[]);
    let run = Case {
        class: "run",
        name: "overall".to_owned(),
        seconds,
        verdict: record.verdict,
        required: true,
        message: record.reasons.join("; "),
        detail: "",
    };
    let objectives = record.objectives.iter().map(|o| Case {
        class: "objectives",
        name: format!("{} {}", o.id, o.threshold),
        seconds,
        verdict: o.verdict,
        required: o.required,
        message: format!(
            "{} {} against {}{}",
            o.metric,
            if o.measured.is_empty() { "not measured" } else { &o.measured },
            o.threshold,
            marked(&words::operation_marks(record, &o.operation))
        ),
        detail: &o.evidence,
    });
    let features = record.features.iter().map(|f| Case {
        class: "features",
        name: format!("{} {}", f.feature, f.promised),
        seconds: f.took_ms / 1e3,
        verdict: f.verdict,
        required: f.required,
        message: format!("{}{}", f.answered, marked(&words::component_marks(record, &f.feature))),
        detail: &f.asked,
    });
    let (objectives, features): (Vec<_>, Vec<_>) = (objectives.collect(), features.collect());
    let suites = [("run", vec![run]), ("objectives", objectives), ("features", features)];

    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let all = suites.iter().flat_map(|(_, cases)| cases);
    out.push_str(&format!(
        "<testsuites name=\"odg-bench {} on {}\" {}>\n",
        xml(&record.profile),
        xml(&record.provider),
        counts(all)
    ));
    for (name, cases) in &suites {
        out.push_str(&format!(
            "  <testsuite name=\"{name}\" {} timestamp=\"{}\">\n",
            counts(cases.iter()),
            xml(record.started_at.trim_end_matches('Z'))
        ));
        if *name == "run" {
            push_properties(&mut out, record, seconds);
        }
        for case in cases {
            push_case(&mut out, case);
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

/// Marks behind a figure; empty without any.
fn marked(marks: &[String]) -> String {
    if marks.is_empty() { String::new() } else { format!(" ({})", marks.join(", ")) }
}

fn push_properties(out: &mut String, record: &RunRecord, seconds: f64) {
    let mut properties: Vec<(String, String)> = Vec::new();
    properties.extend(words::marks(record).into_iter().map(|mark| ("mark".to_owned(), mark)));
    properties.extend(record.implementations.iter().map(|i| {
        let what = format!("{} {} ({})", i.name, i.version, i.fidelity);
        (format!("implementation.{}", i.component), what)
    }));
    properties.push(("load".to_owned(), load::line(record, seconds)));
    properties.push(("schedule".to_owned(), words::schedule(record)));
    properties.push(("ledger".to_owned(), words::ledger(record)));
    properties.push(("seed".to_owned(), record.config.seed.to_string()));
    properties.push(("configuration".to_owned(), record.config.hash.clone()));
    properties.push(("tool_version".to_owned(), record.tool_version.clone()));
    out.push_str("    <properties>\n");
    for (name, value) in properties {
        out.push_str(&format!(
            "      <property name=\"{}\" value=\"{}\"/>\n",
            xml(&name),
            xml(&value)
        ));
    }
    out.push_str("    </properties>\n");
}

/// What a case is to a CI system.
fn element(case: &Case<'_>) -> Option<&'static str> {
    match case.verdict {
        Verdict::Pass => None,
        Verdict::NotVerified => Some("skipped"),
        _ if !case.required => Some("skipped"),
        Verdict::Fail => Some("failure"),
        Verdict::Invalid | Verdict::Inconclusive => Some("error"),
    }
}

fn counts<'a>(cases: impl Iterator<Item = &'a Case<'a>>) -> String {
    let (mut tests, mut failures, mut errors, mut skipped) = (0u32, 0u32, 0u32, 0u32);
    for case in cases {
        tests += 1;
        match element(case) {
            Some("failure") => failures += 1,
            Some("error") => errors += 1,
            Some(_) => skipped += 1,
            None => {}
        }
    }
    format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"")
}

fn push_case(out: &mut String, case: &Case<'_>) {
    let seconds = if case.seconds.is_finite() { case.seconds.max(0.0) } else { 0.0 };
    out.push_str(&format!(
        "    <testcase classname=\"odg-bench.{}\" name=\"{}\" time=\"{seconds:.3}\"",
        case.class,
        xml(&case.name)
    ));
    let Some(element) = element(case) else {
        out.push_str("/>\n");
        return;
    };
    let optional = if case.required { "" } else { "optional; " };
    let message = xml(&format!("{}: {optional}{}", case.verdict, case.message));
    out.push_str(&format!(">\n      <{element} message=\"{message}\""));
    if element != "skipped" {
        out.push_str(&format!(" type=\"{}\"", case.verdict));
    }
    if case.detail.is_empty() {
        out.push_str("/>\n    </testcase>\n");
    } else {
        out.push_str(&format!(">{}</{element}>\n    </testcase>\n", xml(case.detail)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn marks_and_fidelities_stand_in_the_properties() {
        let mut record = testing::record();
        record.config.scale = 0.5;
        let xml = junit(&record);
        for property in [
            "<property name=\"mark\" value=\"fake s3\"/>",
            "<property name=\"mark\" value=\"load ×0.5\"/>",
            "<property name=\"implementation.s3\" value=\"s3s-fs 0.14.1 (fake)\"/>",
            "<property name=\"implementation.redis\" value=\"Redis 8.0.2 (real)\"/>",
        ] {
            assert_eq!(xml.matches(property).count(), 1, "{property} in {xml}");
        }
        let suite = xml.find("<testsuite name=\"run\"").unwrap();
        let (properties, case) =
            (xml.find("<properties>").unwrap(), xml.find("<testcase").unwrap());
        assert!(suite < properties && properties < case, "before the cases, as the format wants");
    }

    #[test]
    fn each_verdict_is_what_a_ci_system_calls_it() {
        let mut record = testing::record();
        record.verdict = Verdict::Fail;
        record.objectives.truncate(1);
        record.objectives[0].verdict = Verdict::Inconclusive;
        record.features.truncate(3);
        record.features[0].verdict = Verdict::Fail;
        record.features[1].verdict = Verdict::NotVerified;
        record.features[2].verdict = Verdict::Fail;
        record.features[2].required = false;
        let xml = junit(&record);
        assert!(xml.contains("tests=\"5\" failures=\"2\" errors=\"1\" skipped=\"2\""), "{xml}");
        assert!(xml.contains("<failure message=\"FAIL: "), "{xml}");
        assert!(xml.contains("<error message=\"INCONCLUSIVE: "), "{xml}");
        assert!(xml.contains("<skipped message=\"NOT VERIFIED: "), "{xml}");
        assert!(xml.contains("optional; "), "{xml}");
    }
}
