//! The certificate of a deployment: which promises of a profile it keeps at which level, with evidence.
//!
//! The harness asks and fills in [`Finding`]s; [`Certificate::new`] makes the matrix and the verdict of them.

mod junit;
mod markdown;
mod matrix;
mod page;
mod text;

use std::fs;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use matrix::{Cell, MatrixRow};
pub use text::{explain, text};

use crate::error::RecordError;
use crate::record::Verdict;
use crate::store::write_atomically;

/// Version of the certificate's schema. A reader refuses one with a higher major number.
pub const CERTIFICATE_VERSION: &str = "1.0";

/// At which level a promise is kept.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// In the values files.
    Declared,
    /// In the manifests that Helm makes of them.
    Rendered,
    /// In the live cluster and at its endpoints.
    Observed,
}

impl Level {
    /// All levels, in the order of a deployment's way.
    pub const ALL: [Self; 3] = [Self::Declared, Self::Rendered, Self::Observed];

    /// Stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Rendered => "rendered",
            Self::Observed => "observed",
        }
    }
}

/// What was found against what is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// The same.
    Equal,
    /// More than is promised.
    More,
    /// Less than is promised.
    Less,
    /// Nothing says it.
    Missing,
    /// Something else, or two statements that cannot both hold.
    Contradictory,
    /// It is there, and nothing reads it.
    Unread,
}

impl Relation {
    /// The word printed everywhere.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::More => "more",
            Self::Less => "less",
            Self::Missing => "missing",
            Self::Contradictory => "contradictory",
            Self::Unread => "unread",
        }
    }
}

/// One requirement, asked at one level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The requirement (`service.replicas`), as listed in `docs/conformance.md`.
    pub requirement: String,
    /// Whose it is (`governance-engine`); empty where it is the deployment's.
    pub subject: String,
    /// Row of the matrix that it belongs to.
    pub row: String,
    /// Level at which it was asked.
    pub level: Level,
    /// The judgement.
    pub verdict: Verdict,
    /// Whether the exit code depends on it.
    pub required: bool,
    /// What was found against what is promised.
    pub relation: Relation,
    /// What is promised, for people.
    pub promised: String,
    /// What was found, for people.
    pub found: String,
    /// Where it is promised.
    pub source: String,
    /// Where it was found: `file:line`, or `namespace/kind/name` and `file:line`; empty where nothing was found.
    pub place: String,
    /// What was asked.
    pub asked: String,
    /// What a reader must know to follow the judgement; empty where the rest says it all.
    #[serde(default)]
    pub evidence: String,
}

/// A file that was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// `values`, `manifests` or `chart`.
    pub kind: String,
    /// Its name, as it was given.
    pub name: String,
    /// SHA-256 of its content, in hexadecimal; of the rendered text where it is a chart.
    pub sha256: String,
}

/// A row of the matrix, as the harness knows it: which, and what is promised of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowPromise {
    /// Stable name.
    pub row: String,
    /// For people.
    pub label: String,
    /// What the profile promises of it.
    pub promised: String,
}

/// What was asked of which profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Name of the profile.
    pub profile: String,
    /// Its description.
    pub title: String,
    /// Version of odg-bench.
    pub tool_version: String,
    /// When it was asked (RFC 3339, UTC).
    pub asked_at: String,
    /// What was judged.
    pub inputs: Vec<Input>,
    /// Versions of other tools that took part (`helm`).
    pub tools: Vec<String>,
}

/// How much was judged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scope {
    /// Levels that were judged. What the others would show is not known.
    pub levels: Vec<Level>,
    /// Rows that were judged; all, where none is named.
    pub rows: Vec<String>,
}

/// Where a profile's own figures contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PromiseContradiction {
    /// Stable identifier.
    pub id: String,
    /// What is promised.
    pub promised: String,
    /// What the profile's other figures come to.
    pub computed: String,
    /// What it means.
    pub meaning: String,
}

/// What `conformance.json` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Certificate {
    /// Version of this format.
    pub schema_version: String,
    /// The tool.
    pub tool: String,
    /// Its version.
    pub tool_version: String,
    /// Versions of other tools that took part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// When it was asked (RFC 3339, UTC).
    pub asked_at: String,
    /// The profile.
    pub profile: String,
    /// Its description.
    pub title: String,
    /// What was judged.
    pub inputs: Vec<Input>,
    /// How much was judged; the verdict is about this alone.
    #[serde(default)]
    pub scope: Scope,
    /// The judgement.
    pub verdict: Verdict,
    /// The judgement in one sentence.
    pub sentence: String,
    /// Rows and levels.
    pub matrix: Vec<MatrixRow>,
    /// Everything that was asked, in the order of the rows.
    pub findings: Vec<Finding>,
    /// Where the promise contradicts itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contradictions: Vec<PromiseContradiction>,
}

impl Certificate {
    /// Makes the matrix and the verdict. `only` names the rows, where not all were asked; `unasked` says of each level
    /// that was not asked why.
    pub fn new(
        subject: Subject,
        only: Vec<String>,
        rows: &[RowPromise],
        mut findings: Vec<Finding>,
        unasked: &[(Level, String)],
        contradictions: Vec<PromiseContradiction>,
    ) -> Self {
        let order = |row: &str| rows.iter().position(|r| r.row == row).unwrap_or(rows.len());
        findings.sort_by_key(|f| (order(&f.row), f.level));
        let matrix = matrix::matrix(rows, &findings, unasked);
        let verdict = matrix::overall(&findings);
        let asked = |level: &Level| unasked.iter().all(|(other, _)| other != level);
        let levels = Level::ALL.into_iter().filter(asked).collect();
        let scope = Scope { levels, rows: only };
        let sentence = matrix::sentence(verdict, &subject.profile, &scope, &findings);
        Self {
            schema_version: CERTIFICATE_VERSION.to_owned(),
            tool: "odg-bench".to_owned(),
            tool_version: subject.tool_version,
            tools: subject.tools,
            asked_at: subject.asked_at,
            profile: subject.profile,
            title: subject.title,
            inputs: subject.inputs,
            scope,
            verdict,
            sentence,
            matrix,
            findings,
            contradictions,
        }
    }

    /// What a reader must look at: broken promises first, then what is not as promised and does not count.
    pub fn notable(&self) -> Vec<&Finding> {
        let mut notable: Vec<&Finding> =
            self.findings.iter().filter(|f| matrix::is_notable(f)).collect();
        notable.sort_by_key(|f| {
            (!f.required || f.verdict != Verdict::Fail, f.verdict != Verdict::Fail)
        });
        notable
    }
}

/// Where [`render`] put things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificatePaths {
    /// `conformance.json`.
    pub json: PathBuf,
    /// `conformance.html`.
    pub html: PathBuf,
    /// `conformance.md`.
    pub markdown: PathBuf,
    /// `conformance-junit.xml`.
    pub junit: PathBuf,
}

/// Writes the certificate in every format into `dir`.
///
/// # Errors
/// A page cannot be made or written.
pub fn render(certificate: &Certificate, dir: &Path) -> Result<CertificatePaths, RecordError> {
    fs::create_dir_all(dir).map_err(|e| RecordError::io(dir, e))?;
    let paths = CertificatePaths {
        json: dir.join("conformance.json"),
        html: dir.join("conformance.html"),
        markdown: dir.join("conformance.md"),
        junit: dir.join("conformance-junit.xml"),
    };
    let mut json = serde_json::to_string_pretty(certificate).map_err(|e| RecordError::Render {
        what: "conformance.json".to_owned(),
        why: e.to_string(),
    })?;
    json.push('\n');
    let html = page::page(certificate)?;
    write_atomically(&paths.json, json.as_bytes(), false)?;
    write_atomically(&paths.markdown, markdown::markdown(certificate).as_bytes(), false)?;
    write_atomically(&paths.junit, junit::junit(certificate).as_bytes(), false)?;
    write_atomically(&paths.html, html.as_bytes(), false)?;
    Ok(paths)
}

#[cfg(test)]
mod tests;
