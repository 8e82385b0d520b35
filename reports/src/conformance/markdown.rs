//! The certificate for a pull request.

use std::fmt::Write as _;

use super::matrix::said;
use super::{Certificate, Level};
use crate::escape;
use crate::record::Verdict;

/// GitHub's limit is 65,536 characters.
const MOST_BYTES: usize = 60_000;

fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✅",
        Verdict::Fail => "❌",
        Verdict::NotVerified => "▫️",
        Verdict::Inconclusive | Verdict::Invalid => "⚠️",
    }
}

/// The Markdown text.
pub(super) fn markdown(certificate: &Certificate) -> String {
    let cell = |text: &str| escape::markdown(text, 160);
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = writeln!(
        out,
        "## {} {} — conformance with profile {}\n\n{}\n",
        sign(certificate.verdict),
        certificate.verdict,
        cell(&certificate.profile),
        cell(&certificate.sentence)
    );
    let _ = writeln!(out, "| | promised | declared | rendered | observed |\n|---|---|---|---|---|");
    for row in &certificate.matrix {
        let _ = write!(out, "| **{}** | {} |", cell(&row.label), cell(&row.promised));
        for c in &row.cells {
            let noted = if c.noted > 0 { format!(" (+{})", c.noted) } else { String::new() };
            // What a whole level lacks is said once, under the table.
            let reason =
                if c.asked == 0 { String::new() } else { format!(": {}", cell(&c.reason)) };
            let _ = write!(out, " {} {}{reason}{noted} |", sign(c.verdict), c.verdict);
        }
        out.push('\n');
    }
    let unasked = certificate.matrix.first().into_iter().flat_map(|row| &row.cells);
    for c in unasked.filter(|c| c.asked == 0) {
        let _ = writeln!(out, "\n{}: {}", c.level.name(), cell(&c.reason));
    }
    for (title, required) in [("Not as promised", true), ("Worth knowing", false)] {
        let notable = certificate.notable();
        let mut these = notable.iter().filter(|f| f.required == required).peekable();
        if these.peek().is_none() {
            continue;
        }
        let _ = writeln!(out, "\n### {title}\n");
        for finding in these {
            if out.len() > MOST_BYTES {
                let _ = writeln!(out, "- … more in conformance.json");
                break;
            }
            // Where nothing was found, the evidence is what was said already.
            let evidence = if finding.found.is_empty() { "" } else { &finding.evidence };
            let mut rest = String::new();
            for part in [evidence, &finding.place] {
                if !part.is_empty() {
                    let _ = write!(rest, " · {}", cell(part));
                }
            }
            let _ = writeln!(
                out,
                "- {} **{}** {} ({}): {}{rest}",
                sign(finding.verdict),
                cell(&finding.row),
                finding.level.name(),
                finding.relation.label(),
                cell(&said(finding))
            );
        }
    }
    if !certificate.contradictions.is_empty() {
        let _ = writeln!(out, "\n### Where the promise contradicts itself\n");
        for c in &certificate.contradictions {
            let (promised, computed) = (cell(&c.promised), cell(&c.computed));
            let _ = writeln!(out, "- {}: promised {promised}, {computed}", cell(&c.id));
        }
    }
    let _ = writeln!(out, "\n<sub>{}</sub>", cell(&provenance(certificate)));
    out
}

/// What was judged, by what and when.
pub(super) fn provenance(certificate: &Certificate) -> String {
    let mut parts = vec![format!("{} {}", certificate.tool, certificate.tool_version)];
    parts.extend(certificate.tools.iter().cloned());
    parts.push(certificate.asked_at.clone());
    parts.extend(
        certificate
            .inputs
            .iter()
            .map(|i| format!("{} {} (sha256 {:.12})", i.kind, i.name, i.sha256)),
    );
    parts.join(" · ")
}

/// Levels that were asked, for a page's heading.
pub(super) fn levels(certificate: &Certificate) -> String {
    let asked = |level: &Level| certificate.findings.iter().any(|f| f.level == *level);
    let names: Vec<&str> = Level::ALL.iter().filter(|l| asked(l)).map(|l| l.name()).collect();
    names.join(", ")
}
