//! lakehouse-agent and quality-gate, as far as they are driven.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::http::{Answer, Asked, refuse};
use super::{Defect, State};

const LAYERS: [&str; 4] = ["bronze", "silver", "gold", "platinum"];
/// Scores that a step needs.
const THRESHOLDS: [f64; 3] = [0.70, 0.85, 0.95];

/// Quality reports, kept in memory as the platform does.
#[derive(Clone, Default)]
pub(super) struct Reports(Arc<Mutex<HashMap<String, Value>>>);

/// An id made from a count; what matters is that it is a UUID.
fn id(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

pub(super) fn lakehouse(state: &State, asked: &Asked, method: &str, path: &[&str]) -> Answer {
    match (method, path) {
        ("GET", ["buckets"]) => (200, json!({"buckets": [{"name": "odg-bronze-default"}]})),
        ("POST", ["promote"]) => promote(state, asked),
        _ => refuse(404, "Not Found"),
    }
}

fn promote(state: &State, asked: &Asked) -> Answer {
    let layer = |field| LAYERS.iter().position(|layer| *layer == asked.text(field));
    let (Some(from), Some(to)) = (layer("source_layer"), layer("target_layer")) else {
        return refuse(422, "unknown layer");
    };
    let score = asked.body["dq_score"].as_f64().unwrap_or(-1.0);
    if !(0.0..=1.0).contains(&score) || asked.text("dataset_id").is_empty() {
        return refuse(422, "score or dataset");
    }
    if to != from + 1 && !(state.has(Defect::SkipsLayer) && to > from) {
        return refuse(400, "not one step forward");
    }
    let enough = score >= THRESHOLDS[to - 1];
    let answer = json!({
        "promoted": enough && from == 0,
        "auto_approved": enough && from == 0,
        "governance_decision_id": (from > 0).then(|| id(from)),
        "source_layer": LAYERS[from],
        "target_layer": LAYERS[to],
        "dataset_id": asked.text("dataset_id"),
        "dq_score": score,
        "reason": "score against threshold",
    });
    (200, answer)
}

pub(super) fn quality(state: &State, asked: &Asked, method: &str, path: &[&str]) -> Answer {
    let mut reports = state.reports.0.lock().unwrap_or_else(PoisonError::into_inner);
    match (method, path) {
        ("POST", ["quality", "validate"]) => {
            let total = match asked.text("layer") {
                "bronze" => 3,
                "silver" => 5,
                "gold" => 7,
                _ => 0,
            };
            let id = id(reports.len());
            let report = json!({
                "id": id,
                "dataset_id": asked.text("dataset_id"),
                "domain_id": asked.text("domain_id"),
                "layer": asked.text("layer"),
                "suite_name": asked.text("suite_name"),
                "dq_score": 1.0,
                "expectations_passed": total,
                "expectations_failed": 0,
                "expectations_total": total,
            });
            reports.insert(id, report.clone());
            (201, report)
        }
        ("GET", ["quality", "reports", id]) => match reports.get(*id) {
            None => refuse(404, "no such report"),
            Some(report) => {
                let mut report = report.clone();
                if state.has(Defect::ChangedReport) {
                    report["dq_score"] = json!(0.5);
                }
                (200, report)
            }
        },
        _ => refuse(404, "Not Found"),
    }
}
