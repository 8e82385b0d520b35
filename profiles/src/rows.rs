//! A profile as lines for people.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value as Json;

use crate::model::Profile;
use crate::provenance::Provenance;
use crate::tree::{Node, Value};

/// One figure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its path (`services.governance-engine.limits.cpu`), unique in the profile.
    pub path: String,
    /// First part of the path.
    pub section: String,
    /// Rest of the path; the section's name again where there is no rest.
    pub key: String,
    /// Its value, for people.
    pub value: String,
    /// Where it comes from.
    pub provenance: Provenance,
}

/// Field that names an item of a list.
const LABELS: [&str; 5] = ["id", "item", "name", "setting", "symptom"];

/// Rows in the document's order, with the typed model's values: `64 GB` and `64GB` are one value.
pub(crate) fn rows(tree: &Node, profile: &Profile) -> Vec<Row> {
    let json = serde_json::to_value(profile).unwrap_or(Json::Null);
    let mut rows = Vec::new();
    walk(tree, Some(&json), &mut Vec::new(), &mut rows);
    for row in &mut rows {
        decorate(row, profile);
    }
    rows
}

/// What a single figure cannot know: bounds, estimates, and an objective's own provenance.
fn decorate(row: &mut Row, profile: &Profile) {
    let plus = |at_least: bool| if at_least { "+" } else { "" };
    match (row.section.as_str(), row.key.as_str()) {
        ("resources", "vcpu" | "memory" | "gpu" | "storage") => {
            row.value.push_str(plus(profile.resources.at_least));
        }
        ("cost", "total_usd") => {
            row.value = format!("~${}{}", profile.cost.total_usd, plus(profile.cost.at_least));
        }
        ("objectives", id) => {
            if let Some(objective) = profile.objectives.iter().find(|o| o.id == id) {
                row.value = objective.describe();
                row.provenance.origin = objective.origin;
                row.provenance.source.clone_from(&objective.source);
            }
        }
        _ => {}
    }
}

/// Provenance by path.
pub(crate) fn provenance(rows: &[Row]) -> BTreeMap<String, Provenance> {
    rows.iter().map(|row| (row.path.clone(), row.provenance.clone())).collect()
}

fn walk<'a>(node: &'a Node, json: Option<&Json>, path: &mut Vec<&'a str>, rows: &mut Vec<Row>) {
    match &node.value {
        Value::Map(entries) => {
            for entry in entries {
                path.push(&entry.key);
                walk(&entry.node, json.and_then(|j| j.get(&entry.key)), path, rows);
                path.pop();
            }
        }
        Value::List(items) if items.iter().any(|i| matches!(i.value, Value::Map(_))) => {
            for (at, item) in items.iter().enumerate() {
                let json = json.and_then(|j| j.get(at));
                let label = LABELS.iter().find_map(|l| json?.get(*l)?.as_str());
                let label = label.map_or_else(|| (at + 1).to_string(), str::to_owned);
                rows.push(row(path, Some(&label), item_text(json), &item.provenance));
            }
        }
        _ => rows.push(row(path, None, text(json), &node.provenance)),
    }
}

fn row(path: &[&str], label: Option<&str>, value: String, provenance: &Arc<Provenance>) -> Row {
    let section = path.first().copied().unwrap_or_default().to_owned();
    let mut rest = path.get(1..).unwrap_or_default().to_vec();
    rest.extend(label);
    let (key, path) = if rest.is_empty() {
        (section.clone(), section.clone())
    } else {
        let key = rest.join(".");
        (key.clone(), format!("{section}.{key}"))
    };
    Row { path, section, key, value, provenance: (**provenance).clone() }
}

/// An item of a list without the field that names it: `value (note)`, `$usd`, `secret`, or what it has.
fn item_text(json: Option<&Json>) -> String {
    let Some(Json::Object(fields)) = json else { return text(json) };
    let mut parts = Vec::new();
    let mut notes = Vec::new();
    for (name, value) in fields {
        match (name.as_str(), value) {
            (name, _) if LABELS.contains(&name) => {}
            (_, Json::Bool(false)) => {}
            (name, Json::Bool(true)) => parts.push(name.to_owned()),
            ("note", note) => notes.push(format!("({})", text(Some(note)))),
            ("usd", dollars) => parts.push(format!("${dollars}")),
            (_, value) => parts.push(text(Some(value))),
        }
    }
    parts.extend(notes);
    parts.join(" ")
}

fn text(json: Option<&Json>) -> String {
    match json {
        None | Some(Json::Null) => String::new(),
        Some(Json::Bool(true)) => "yes".to_owned(),
        Some(Json::Bool(false)) => "no".to_owned(),
        Some(Json::String(text)) => text.clone(),
        Some(Json::Array(items)) if items.is_empty() => "none".to_owned(),
        Some(Json::Array(items)) => {
            items.iter().map(|i| text(Some(i))).collect::<Vec<_>>().join("; ")
        }
        Some(other) => other.to_string(),
    }
}
