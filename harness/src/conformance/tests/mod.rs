//! Every requirement has material in which it holds and material in which it is broken in the way it exists for.

mod declared;
mod input;
mod rendered;
mod stack;

use odg_profiles::Profile;
use odg_profiles::values::Values;
use odg_reports::conformance::{Certificate, Finding, Level, Subject};
use odg_reports::record::Verdict;

use super::{Material, certify};

fn profile(name: &str) -> Profile {
    Profile::load(name).unwrap()
}

fn values(text: &str) -> Values {
    Values::read([("v.yaml", text)]).unwrap_or_else(|e| panic!("{e}"))
}

fn inventory(text: &str) -> super::manifest::Inventory {
    read(text).unwrap_or_else(|e| panic!("{e}"))
}

fn read(text: &str) -> Result<super::manifest::Inventory, super::manifest::ManifestError> {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let source = super::manifest::Source::Path(file.path().to_path_buf());
    super::manifest::read(&[source]).map(|(inventory, _)| inventory)
}

fn certificate(name: &str, material: &Material) -> Certificate {
    let subject = Subject {
        profile: name.into(),
        title: String::new(),
        tool_version: "0".into(),
        asked_at: "2026-01-01T00:00:00Z".into(),
        inputs: Vec::new(),
        tools: Vec::new(),
    };
    certify(&profile(name), material, &Level::ALL, &[], subject)
}

fn judge_values(name: &str, text: &str) -> Vec<Finding> {
    let material = Material { values: Some(values(text)), ..Material::default() };
    certificate(name, &material).findings
}

fn judge_manifests(name: &str, text: &str) -> Vec<Finding> {
    let material = Material { inventory: Some(inventory(text)), ..Material::default() };
    certificate(name, &material).findings
}

/// What is broken of a requirement, by subject.
fn broken(findings: &[Finding], requirement: &str) -> Vec<String> {
    let fails = |f: &&Finding| f.requirement == requirement && f.verdict == Verdict::Fail;
    findings.iter().filter(fails).map(|f| f.subject.clone()).collect()
}

/// Unless the requirement holds in `good` for something, and something of it breaks in `bad`: what is wrong.
fn unbroken(requirement: &str, good: &[Finding], bad: &[Finding]) -> Option<String> {
    let holds = good.iter().any(|f| f.requirement == requirement && f.verdict == Verdict::Pass);
    let (before, after) = (broken(good, requirement), broken(bad, requirement));
    let breaks = after.iter().any(|subject| !before.contains(subject));
    let told =
        || format!("{requirement}: holds {holds}, broken {before:?} before and {after:?} after");
    (!holds || !breaks).then(told)
}

/// Replaces what must be there.
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is not in the material");
    text.replacen(from, to, 1)
}
