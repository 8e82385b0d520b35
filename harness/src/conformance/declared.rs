//! The level *declared*: what values files say.

use odg_profiles::values::yaml::{Node, Value};
use odg_profiles::values::{Declared, Fact, Layout, Lookup, Promise, Topic, Values};
use odg_profiles::{Component, Profile};
use odg_reports::conformance::{Finding, Level, Relation};
use odg_reports::record::Verdict;

use super::compare::{Answer, finding, judge};
use super::manifest::{url_weakness, weakness};
use super::requirement;
use super::row::Row;
use super::totals;

const LEVEL: Level = Level::Declared;
/// Services that keep connections to the database.
pub(super) const POOLED: [&str; 1] = ["governance-engine"];

/// Judges values files. `chart_reads` names the top-level keys that a given chart reads.
pub(super) fn judge_all(
    profile: &Profile,
    promises: &[Promise],
    values: &Values,
    chart_reads: Option<&[String]>,
) -> Vec<Finding> {
    let declared = values.declared();
    let answer = |p: &Promise| Answer::declared(declared.lookup(&p.topic), declared.layout.label());
    let mut found: Vec<Finding> =
        promises.iter().filter_map(|p| judge(p, answer(p), LEVEL)).collect();
    if let Some(reads) = chart_reads {
        absent(promises, &declared, reads, &mut found);
    }
    found.extend(totals::totals(profile, &declared.demands(), LEVEL));
    for service in POOLED {
        if let Some((used, place)) = declared.pool(service) {
            found.push(totals::connections(&used, place.to_string(), LEVEL));
        }
    }
    layout(values, &declared, &mut found);
    unread(values, &declared, chart_reads, &mut found);
    kafka(&declared, &mut found);
    secrets(profile, values, &mut found);
    types(promises, &declared, &mut found);
    found
}

/// What must be absent, and of which the values say nothing, is absent where the chart has no part of that name.
fn absent(promises: &[Promise], declared: &Declared<'_>, reads: &[String], found: &mut [Finding]) {
    for promise in promises.iter().filter(|p| p.fact == Fact::Flag(false)) {
        let Topic::Component(component) = &promise.topic else { continue };
        // These are no part of a chart, or go by many names.
        let unnamed =
            [Component::Gpu, Component::MultiAz, Component::AiExperts, Component::CosmosFederation];
        let missing = matches!(declared.lookup(&promise.topic), Lookup::Missing { .. });
        let name = component.name();
        if !missing || unnamed.contains(component) || reads.iter().any(|r| r.contains(name)) {
            continue;
        }
        let row = Row::of(&promise.topic).name();
        let own = |f: &&mut Finding| f.requirement == requirement::COMPONENT.id && f.row == row;
        if let Some(made) = found.iter_mut().find(own) {
            made.verdict = Verdict::Pass;
            made.relation = Relation::Equal;
            made.found = "absent".to_owned();
            made.evidence = "no dependency or template of the chart reads such a key".to_owned();
        }
    }
}

fn layout(values: &Values, declared: &Declared<'_>, found: &mut Vec<Finding>) {
    let mut made = finding(&requirement::LAYOUT, "", Row::Files, LEVEL);
    made.promised = "one layout in all files".to_owned();
    made.found = declared.layout.label().to_owned();
    if !declared.mixed.is_empty() {
        made.verdict = Verdict::Fail;
        made.relation = Relation::Contradictory;
        let keys: Vec<String> =
            declared.mixed.iter().map(|m| format!("`{}` ({})", m.key, m.place)).collect();
        let other = match declared.layout {
            Layout::Page => Layout::Chart.label(),
            Layout::Chart => Layout::Page.label(),
        };
        made.found = format!("{}, and {other} under {}", declared.layout.label(), keys.join(", "));
        made.place = declared.mixed.first().map(|m| m.place.to_string()).unwrap_or_default();
        made.evidence = format!("judged in {} only", declared.layout.label());
    } else if let Some((file, _)) = values.layouts.first() {
        made.place = file.to_string();
    }
    found.push(made);
}

fn unread(
    values: &Values,
    declared: &Declared<'_>,
    chart_reads: Option<&[String]>,
    found: &mut Vec<Finding>,
) {
    let keys = declared.unread(chart_reads);
    if keys.is_empty() {
        let mut made = finding(&requirement::UNREAD, "", Row::Files, LEVEL);
        match declared.layout {
            Layout::Page => made.found = "all keys are read".to_owned(),
            // What a block's own chart reads is not known here.
            Layout::Chart => {
                let keys = values.root.entries().len();
                made.required = false;
                made.verdict = Verdict::NotVerified;
                made.relation = Relation::Missing;
                made.found = format!("{keys} top-level keys are read; nested ones are not checked");
            }
        }
        found.push(made);
    }
    for key in keys {
        let mut made = finding(&requirement::UNREAD, key.key.as_str(), Row::Files, LEVEL);
        made.required = false;
        made.verdict = Verdict::Fail;
        made.relation = Relation::Unread;
        made.promised = "a key that something reads".to_owned();
        made.found = "nothing reads it".to_owned();
        made.place = key.place.to_string();
        made.evidence = key.nearest.map(|n| format!("the nearest is `{n}`")).unwrap_or_default();
        found.push(made);
    }
}

fn kafka(declared: &Declared<'_>, found: &mut Vec<Finding>) {
    let Some(stated) = declared.kafka_protocol() else { return };
    let mut made = finding(&requirement::KAFKA, "", Row::Security, LEVEL);
    made.required = false;
    made.promised = "SASL_SSL".to_owned();
    made.found = stated.fact.to_string();
    made.place = stated.place.to_string();
    made.evidence = format!("under `{}`", stated.key);
    if stated.fact != Fact::Text("SASL_SSL".to_owned()) {
        made.verdict = Verdict::Fail;
        made.relation = Relation::Less;
    }
    found.push(made);
}

fn secrets(profile: &Profile, values: &Values, found: &mut Vec<Finding>) {
    let before = found.len();
    let mut looked = 0_u32;
    walk(&values.root, &mut String::new(), &mut |key, node| {
        let Some(value) = node.scalar() else { return };
        looked += 1;
        let name = key.rsplit('.').next().unwrap_or(key);
        // An empty value asks the chart for one of its own making.
        let why = weakness(name, &value).filter(|_| !value.trim().is_empty());
        let Some(why) = why.or_else(|| url_weakness(&value)) else { return };
        let mut made = finding(&requirement::SECRETS, key, Row::Security, LEVEL);
        made.required = super::secrets_count(profile);
        made.verdict = Verdict::Fail;
        made.relation = Relation::Contradictory;
        made.found = why;
        made.place = node.place.to_string();
        found.push(made);
    });
    if found.len() == before {
        let mut made = finding(&requirement::SECRETS, "", Row::Security, LEVEL);
        made.found = format!("none of {looked} values, nor a password in a URL among them");
        found.push(made);
    }
}

fn walk(node: &Node, key: &mut String, visit: &mut impl FnMut(&str, &Node)) {
    match &node.value {
        Value::Map(entries) => {
            for entry in entries {
                let length = key.len();
                if length > 0 {
                    key.push('.');
                }
                key.push_str(&entry.key);
                walk(&entry.node, key, visit);
                key.truncate(length);
            }
        }
        // `clientPasswords` is a list of passwords.
        Value::List(items) => items.iter().for_each(|item| walk(item, key, visit)),
        _ => visit(key, node),
    }
}

/// Each value that cannot be read as what it must be, or that all could.
fn types(promises: &[Promise], declared: &Declared<'_>, found: &mut Vec<Finding>) {
    let before = found.len();
    for promise in promises {
        let Lookup::Wrong { problem, place, key } = declared.lookup(&promise.topic) else {
            continue;
        };
        let mut made = finding(&requirement::TYPES, key, Row::Files, LEVEL);
        made.verdict = Verdict::Fail;
        made.relation = Relation::Contradictory;
        made.found = problem;
        made.place = place.to_string();
        found.push(made);
    }
    if found.len() == before {
        let mut made = finding(&requirement::TYPES, "", Row::Files, LEVEL);
        made.found = "all could be read".to_owned();
        found.push(made);
    }
}
