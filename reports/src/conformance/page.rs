//! The certificate for a browser: one file without scripts or anything from the network.

use minijinja::Value;
use minijinja::value::Serde;
use serde::Serialize;

use super::markdown::{levels, provenance};
use super::{Cell, Certificate, Finding};
use crate::error::RecordError;
use crate::html;
use crate::record::Verdict;

const TEMPLATE: &str = include_str!("../templates/conformance.html");

#[derive(Serialize)]
struct View<'a> {
    class: &'static str,
    label: &'static str,
    profile: &'a str,
    title: &'a str,
    sentence: &'a str,
    levels: String,
    asked_at: &'a str,
    unasked: Vec<(&'static str, &'a str)>,
    rows: Vec<RowView<'a>>,
    broken: Vec<FindingView<'a>>,
    known: Vec<FindingView<'a>>,
    kept: Vec<FindingView<'a>>,
    contradictions: &'a [super::PromiseContradiction],
    provenance: String,
}

#[derive(Serialize)]
struct RowView<'a> {
    label: &'a str,
    promised: &'a str,
    cells: Vec<CellView<'a>>,
}

#[derive(Serialize)]
struct CellView<'a> {
    class: &'static str,
    label: &'static str,
    reason: &'a str,
    noted: u32,
}

#[derive(Serialize)]
struct FindingView<'a> {
    class: &'static str,
    label: &'static str,
    level: &'static str,
    relation: &'static str,
    finding: &'a Finding,
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::NotVerified => "unseen",
        Verdict::Inconclusive => "open",
        Verdict::Invalid => "invalid",
        Verdict::Fail => "fail",
    }
}

fn cell(cell: &Cell) -> CellView<'_> {
    CellView {
        class: class(cell.verdict),
        label: cell.verdict.label(),
        // What a whole level lacks is said once, above the table.
        reason: if cell.asked == 0 { "" } else { &cell.reason },
        noted: cell.noted,
    }
}

fn finding(finding: &Finding) -> FindingView<'_> {
    FindingView {
        class: class(finding.verdict),
        label: finding.verdict.label(),
        level: finding.level.name(),
        relation: finding.relation.label(),
        finding,
    }
}

/// The HTML text.
///
/// # Errors
/// The page cannot be made; the template's line is in the error.
pub(super) fn page(certificate: &Certificate) -> Result<String, RecordError> {
    let notable = certificate.notable();
    let of = |required: bool| {
        notable.iter().filter(|f| f.required == required).map(|f| finding(f)).collect()
    };
    let first = certificate.matrix.first().into_iter().flat_map(|row| &row.cells);
    let rest = certificate.findings.iter().filter(|f| !super::matrix::is_notable(f));
    let view = View {
        class: class(certificate.verdict),
        label: certificate.verdict.label(),
        profile: &certificate.profile,
        title: &certificate.title,
        sentence: &certificate.sentence,
        levels: levels(certificate),
        asked_at: &certificate.asked_at,
        unasked: first
            .filter(|c| c.asked == 0 && c.verdict == Verdict::NotVerified)
            .map(|c| (c.level.name(), c.reason.as_str()))
            .collect(),
        rows: certificate
            .matrix
            .iter()
            .map(|row| RowView {
                label: &row.label,
                promised: &row.promised,
                cells: row.cells.iter().map(cell).collect(),
            })
            .collect(),
        broken: of(true),
        known: of(false),
        kept: rest.map(finding).collect(),
        contradictions: &certificate.contradictions,
        provenance: provenance(certificate),
    };
    let values = minijinja::context! { p => Value::from(Serde(view)), style => html::STYLE };
    html::page("conformance.html", TEMPLATE, values)
}
