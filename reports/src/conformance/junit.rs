//! The certificate for CI systems: one suite for each level, one case for each finding.
//!
//! FAIL is a failure, INCONCLUSIVE and INVALID are errors. NOT VERIFIED is skipped, and so is what the exit code does
//! not depend on where it is not as promised.

use std::fmt::Write as _;

use super::matrix::said;
use super::{Certificate, Finding, Level};
use crate::escape::xml;
use crate::record::Verdict;

fn element(finding: &Finding) -> Option<&'static str> {
    match finding.verdict {
        Verdict::Pass => None,
        Verdict::NotVerified => Some("skipped"),
        _ if !finding.required => Some("skipped"),
        Verdict::Fail => Some("failure"),
        Verdict::Inconclusive | Verdict::Invalid => Some("error"),
    }
}

fn counts(findings: &[&Finding]) -> String {
    let of = |what| findings.iter().filter(|f| element(f) == Some(what)).count();
    format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
        findings.len(),
        of("failure"),
        of("error"),
        of("skipped")
    )
}

/// The JUnit XML text.
pub(super) fn junit(certificate: &Certificate) -> String {
    let all: Vec<&Finding> = certificate.findings.iter().collect();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing into a String cannot fail.
    let _ = writeln!(
        out,
        "<testsuites name=\"odg-bench conformance {}\" {}>",
        xml(&certificate.profile),
        counts(&all)
    );
    for level in Level::ALL {
        let here: Vec<&Finding> = all.iter().copied().filter(|f| f.level == level).collect();
        if here.is_empty() {
            continue;
        }
        let _ = writeln!(
            out,
            "  <testsuite name=\"{}\" {} timestamp=\"{}\">",
            level.name(),
            counts(&here),
            xml(certificate.asked_at.trim_end_matches('Z'))
        );
        for finding in here {
            let name = match finding.subject.as_str() {
                "" => finding.requirement.clone(),
                subject => format!("{} {subject}", finding.requirement),
            };
            let _ = write!(
                out,
                "    <testcase classname=\"odg-bench.{}.{}\" name=\"{}\"",
                level.name(),
                xml(&finding.row),
                xml(&name)
            );
            let Some(element) = element(finding) else {
                out.push_str("/>\n");
                continue;
            };
            let optional = if finding.required { "" } else { "optional; " };
            let message = format!("{}: {optional}{}", finding.verdict, said(finding));
            let _ = write!(out, ">\n      <{element} message=\"{}\"", xml(&message));
            if element != "skipped" {
                let _ = write!(out, " type=\"{}\"", finding.relation.label());
            }
            let detail = [&finding.place, &finding.evidence, &finding.source];
            let detail: Vec<&str> =
                detail.iter().map(|d| d.as_str()).filter(|d| !d.is_empty()).collect();
            let _ = writeln!(out, ">{}</{element}>\n    </testcase>", xml(&detail.join("; ")));
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}
