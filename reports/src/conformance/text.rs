//! The certificate for a terminal.

use std::fmt::Write as _;

use super::matrix::said;
use super::{Certificate, Finding, Level};
use crate::escape;
use crate::record::Verdict;

/// Most findings under the matrix; the files have all.
const MOST: usize = 40;

/// Sign of a verdict in front of a word, and its colour.
fn mark(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Pass => ("✓", "32"),
        Verdict::Fail => ("✗", "31"),
        Verdict::NotVerified => ("·", "2"),
        Verdict::Inconclusive | Verdict::Invalid => ("?", "33"),
    }
}

/// The matrix, and under it what is not as promised. `width` is the terminal's, in columns.
#[must_use]
pub fn text(certificate: &Certificate, width: usize, colour: bool) -> String {
    let paint = |text: &str, code: &str| {
        if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    };
    let mut out = String::new();
    // Writing into a String cannot fail.
    let (_, code) = mark(certificate.verdict);
    let verdict = paint(certificate.verdict.label(), code);
    let _ = writeln!(out, "{verdict}  {}", escape::terminal(&certificate.sentence));
    let (name, promised, cell) = widths(certificate, width);
    let _ = write!(out, "\n{:<name$}  {:<promised$}", "", "promised");
    for level in Level::ALL {
        let _ = write!(out, "  {:<cell$}", level.name());
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    for row in &certificate.matrix {
        let (label, promise) = (fit(&row.label, name), fit(&row.promised, promised));
        let mut line = format!("{label}  {promise}");
        for c in &row.cells {
            let (sign, code) = mark(c.verdict);
            let noted = if c.noted > 0 { format!(" +{}", c.noted) } else { String::new() };
            let counts = match c.verdict {
                Verdict::Pass if c.asked > 1 => format!(" {}/{}", c.kept, c.asked),
                _ => String::new(),
            };
            let shown = fit(&format!("{sign} {}{counts}{noted}", c.verdict), cell);
            let _ = write!(line, "  {}", paint(&shown, code));
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    let notable = certificate.notable();
    for (title, required) in
        [("Not as promised", true), ("Worth knowing; the exit code does not depend on it", false)]
    {
        let these: Vec<_> = notable.iter().filter(|f| f.required == required).collect();
        if these.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n{title}");
        for finding in these.iter().take(MOST) {
            out.push_str(&line(finding));
        }
        if these.len() > MOST {
            let _ = writeln!(out, "  … and {} more, in the files of --out", these.len() - MOST);
        }
    }
    if !certificate.contradictions.is_empty() {
        let _ = writeln!(out, "\nWhere the promise contradicts itself");
        for c in &certificate.contradictions {
            let _ = writeln!(out, "  {}: promised {}, {}", c.id, c.promised, c.computed);
        }
    }
    let unasked = certificate.matrix.first().into_iter().flat_map(|row| &row.cells);
    for c in unasked.filter(|c| c.asked == 0 && c.verdict == Verdict::NotVerified) {
        let _ = writeln!(out, "\n{}: {}", c.level.name(), escape::terminal(&c.reason));
    }
    out
}

fn line(finding: &Finding) -> String {
    let place =
        if finding.place.is_empty() { String::new() } else { format!(" — {}", finding.place) };
    let evidence = match finding.evidence.as_str() {
        "" => String::new(),
        _ if finding.found.is_empty() => String::new(),
        text => format!(" ({text})"),
    };
    let text = format!(
        "  {} {}/{} [{}] {}{evidence}{place}",
        mark(finding.verdict).0,
        finding.row,
        finding.level.name(),
        finding.relation.label(),
        said(finding)
    );
    escape::terminal(&text) + "\n"
}

fn widths(certificate: &Certificate, width: usize) -> (usize, usize, usize) {
    let longest = certificate.matrix.iter().map(|r| r.label.chars().count()).max().unwrap_or(0);
    let cell = 16;
    let left = width.saturating_sub(longest + 3 * (cell + 2) + 3);
    (longest, left.clamp(10, 44), cell)
}

/// Cut or padded to `width` columns.
fn fit(text: &str, width: usize) -> String {
    let text = escape::terminal(text);
    if text.chars().count() <= width {
        return format!("{text:<width$}");
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Everything about one cell: each requirement with what is promised, where, how it was asked and what was found.
#[must_use]
pub fn explain(certificate: &Certificate, row: &str, level: Level) -> String {
    let mut out = String::new();
    let Some(found) = certificate.matrix.iter().find(|r| r.row == row) else {
        return format!(
            "{row}: {} promises nothing of it, and nothing was found\n",
            certificate.profile
        );
    };
    let Some(cell) = found.cells.iter().find(|c| c.level == level) else { return out };
    let reason = escape::terminal(&cell.reason);
    let _ = writeln!(out, "{} · {}: {} — {reason}", found.label, level.name(), cell.verdict);
    let _ = writeln!(out, "promised: {}", escape::terminal(&found.promised));
    let here = certificate.findings.iter().filter(|f| f.row == row && f.level == level);
    for finding in here {
        let of = if finding.subject.is_empty() { "" } else { " of " };
        let optional = if finding.required { "" } else { " (the exit code does not depend on it)" };
        let _ = writeln!(
            out,
            "\n{} {}{of}{}: {}{optional}",
            mark(finding.verdict).0,
            finding.requirement,
            escape::terminal(&finding.subject),
            finding.verdict
        );
        for (name, value) in [
            ("asked", &finding.asked),
            ("promised", &finding.promised),
            ("source", &finding.source),
            ("found", &finding.found),
            ("where", &finding.place),
            ("evidence", &finding.evidence),
        ] {
            if !value.is_empty() {
                let _ = writeln!(out, "    {name:<9} {}", escape::terminal(value));
            }
        }
        let _ = writeln!(out, "    {:<9} {}", "relation", finding.relation.label());
    }
    out
}
