//! Findings rolled up: cells, and one verdict.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Finding, Level, Relation, RowPromise, Scope};
use crate::record::Verdict;

/// One row of the matrix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MatrixRow {
    /// Stable name.
    pub row: String,
    /// For people.
    pub label: String,
    /// What the profile promises of it.
    pub promised: String,
    /// One cell for each level.
    pub cells: Vec<Cell>,
}

/// One row at one level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cell {
    /// The level.
    pub level: Level,
    /// The worst that counts.
    pub verdict: Verdict,
    /// What decided it, for people.
    pub reason: String,
    /// Requirements that were asked.
    pub asked: u32,
    /// How many of them are kept.
    pub kept: u32,
    /// How many differ and do not count for the exit code.
    pub noted: u32,
}

/// Whether a reader must look at it.
pub(super) fn is_notable(finding: &Finding) -> bool {
    matches!(finding.verdict, Verdict::Fail | Verdict::Invalid | Verdict::Inconclusive)
}

/// Rows about which there is something to say, in their order.
pub(super) fn matrix(
    rows: &[RowPromise],
    findings: &[Finding],
    unasked: &[(Level, String)],
) -> Vec<MatrixRow> {
    rows.iter()
        .filter(|r| !r.promised.is_empty() || findings.iter().any(|f| f.row == r.row))
        .map(|r| MatrixRow {
            row: r.row.clone(),
            label: r.label.clone(),
            promised: if r.promised.is_empty() { "nothing" } else { &r.promised }.to_owned(),
            cells: Level::ALL.map(|level| cell(&r.row, level, findings, unasked)).to_vec(),
        })
        .collect()
}

fn cell(row: &str, level: Level, findings: &[Finding], unasked: &[(Level, String)]) -> Cell {
    if let Some((_, why)) = unasked.iter().find(|(l, _)| *l == level) {
        let (verdict, reason) = (Verdict::NotVerified, why.clone());
        return Cell { level, verdict, reason, asked: 0, kept: 0, noted: 0 };
    }
    let here: Vec<&Finding> =
        findings.iter().filter(|f| f.row == row && f.level == level).collect();
    let count = |holds: &dyn Fn(&Finding) -> bool| {
        u32::try_from(here.iter().filter(|f| holds(f)).count()).unwrap_or(u32::MAX)
    };
    let kept = count(&|f| f.verdict == Verdict::Pass);
    let noted = count(&|f| !f.required && is_notable(f));
    let counting = || here.iter().filter(|f| f.required || !is_notable(f));
    let worst = counting().map(|f| f.verdict).filter(|v| *v != Verdict::NotVerified).max();
    let (verdict, reason) = match worst {
        None => match here.first() {
            Some(finding) => (Verdict::NotVerified, said(finding)),
            None => (Verdict::NotVerified, "nothing is asked of it at this level".to_owned()),
        },
        Some(Verdict::Pass) => {
            let open = count(&|f| f.verdict == Verdict::NotVerified);
            let more = count(&|f| f.verdict == Verdict::Pass && f.relation == Relation::More);
            let mut reason = match (kept, here.first()) {
                (1, Some(only)) if here.len() == 1 => only.found.clone(),
                _ => format!("{kept} of {} as promised", here.len()),
            };
            if more > 0 && here.len() > 1 {
                reason.push_str(&format!(", {more} with more"));
            }
            if open > 0 {
                reason.push_str(&format!(", {open} not verified"));
            }
            (Verdict::Pass, reason)
        }
        Some(worst) => {
            let broken: Vec<_> = counting().filter(|f| f.verdict == worst).collect();
            let first = broken.first().map(|f| said(f)).unwrap_or_default();
            let rest = broken.len().saturating_sub(1);
            (worst, if rest > 0 { format!("{first}; and {rest} more") } else { first })
        }
    };
    let asked = u32::try_from(here.len()).unwrap_or(u32::MAX);
    Cell { level, verdict, reason, asked, kept, noted }
}

/// A finding in a few words.
pub(super) fn said(finding: &Finding) -> String {
    let whose = if finding.subject.is_empty() { &finding.requirement } else { &finding.subject };
    if finding.found.is_empty() {
        return format!("{whose}: {}", finding.evidence);
    }
    format!("{whose}: {}, promised {}", finding.found, finding.promised)
}

/// PASS only where something required was asked and everything required that was asked is kept.
pub(super) fn overall(findings: &[Finding]) -> Verdict {
    let asked = findings.iter().filter(|f| f.required && f.verdict != Verdict::NotVerified);
    asked.map(|f| f.verdict).max().unwrap_or(Verdict::Inconclusive)
}

/// What was judged, where that is not everything: `declared only; rendered and observed not verified`.
fn part(scope: &Scope) -> String {
    let names = |levels: &mut dyn Iterator<Item = Level>| {
        levels.map(Level::name).collect::<Vec<_>>().join(" and ")
    };
    let asked = names(&mut scope.levels.iter().copied());
    let open = names(&mut Level::ALL.into_iter().filter(|level| !scope.levels.contains(level)));
    let mut parts = Vec::new();
    if !open.is_empty() && !asked.is_empty() {
        parts.push(format!("{asked} only; {open} not verified"));
    }
    if !scope.rows.is_empty() {
        parts.push(format!("of all rows only {}", scope.rows.join(", ")));
    }
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join("; ")) }
}

pub(super) fn sentence(
    verdict: Verdict,
    profile: &str,
    scope: &Scope,
    findings: &[Finding],
) -> String {
    let required = || findings.iter().filter(|f| f.required);
    let of = |v: Verdict| required().filter(|f| f.verdict == v).count();
    let open = of(Verdict::NotVerified);
    let rest = match open {
        0 => part(scope),
        n => format!("{}; {n} could not be verified", part(scope)),
    };
    match verdict {
        Verdict::Pass => {
            format!("{} required promises of {profile} are kept{rest}.", of(Verdict::Pass))
        }
        Verdict::Fail => format!(
            "{} of {} required promises of {profile} are broken{rest}.",
            of(Verdict::Fail),
            required().count()
        ),
        _ => format!("No required promise of {profile} could be judged{rest}."),
    }
}
