//! Secrets, Kafka's listeners, network policies.

use odg_profiles::values::{Fact, Stated, Values};
use odg_profiles::{Component, Presence, Profile};
use odg_reports::conformance::{Finding, Relation};
use odg_reports::record::Verdict;

use super::identity::Identity;
use super::{LEVEL, promised};
use crate::conformance::compare::finding;
use crate::conformance::manifest::{Inventory, Policy};
use crate::conformance::requirement;
use crate::conformance::row::Row;

pub(super) fn judge(
    profile: &Profile,
    inventory: &Inventory,
    identity: &Identity<'_>,
    values: Option<&Values>,
    found: &mut Vec<Finding>,
) {
    secrets(profile, inventory, found);
    if profile.presence(Component::Kafka) == Presence::Present {
        found.extend(kafka(inventory, identity, values));
    }
    for (name, workloads) in promised(profile, identity) {
        let Some(workload) = workloads.first() else { continue };
        let mut made = finding(&requirement::NETWORK, name, Row::Security, LEVEL);
        made.required = false;
        let selects = |p: &&Policy| {
            p.seen.namespace == workload.seen.namespace && p.selector.matches(&workload.pod_labels)
        };
        match inventory.policies.iter().find(selects) {
            Some(policy) => {
                made.found = "selected".to_owned();
                made.place = policy.seen.to_string();
            }
            None => {
                made.verdict = Verdict::Fail;
                made.relation = Relation::Missing;
                made.found = "no NetworkPolicy selects its pods".to_owned();
                made.place = workload.seen.to_string();
            }
        }
        found.push(made);
    }
}

fn secrets(profile: &Profile, inventory: &Inventory, found: &mut Vec<Finding>) {
    let required = crate::conformance::secrets_count(profile);
    for weak in &inventory.weak {
        let subject = format!("{}/{}", weak.seen.name, weak.key);
        let mut made = finding(&requirement::SECRETS, subject, Row::Security, LEVEL);
        made.required = required;
        made.verdict = Verdict::Fail;
        made.relation = Relation::Contradictory;
        made.found.clone_from(&weak.why);
        made.place = weak.seen.to_string();
        found.push(made);
    }
    if inventory.weak.is_empty() {
        let mut made = finding(&requirement::SECRETS, "", Row::Security, LEVEL);
        made.required = required;
        let looked = inventory.secrets.len();
        made.found = format!(
            "none of {looked} Secrets, {} ConfigMaps by their keys and URLs, {} environment variables",
            inventory.configs, inventory.variables
        );
        if looked == 0 {
            made.verdict = Verdict::NotVerified;
            made.relation = Relation::Missing;
            made.evidence =
                "the manifests have no Secret; one that is made elsewhere was not seen".to_owned();
        }
        found.push(made);
    }
}

const PROTOCOLS: [&str; 4] = ["PLAINTEXT", "SASL_PLAINTEXT", "SSL", "SASL_SSL"];

/// Kafka's listeners by their protocols, weakest first; the controller's own listener is no client's.
fn kafka(
    inventory: &Inventory,
    identity: &Identity<'_>,
    values: Option<&Values>,
) -> Option<Finding> {
    let workloads = identity.component(Component::Kafka);
    let workload = workloads.first()?;
    let declared = values.and_then(|v| v.declared().kafka_protocol());
    let secure = |s: &Stated| s.fact == Fact::Text("SASL_SSL".to_owned());
    let mut texts: Vec<(String, String)> = inventory
        .listeners
        .iter()
        .filter(|(_, seen)| seen.name.contains("kafka"))
        .map(|(text, seen)| (text.clone(), seen.to_string()))
        .collect();
    for w in &workloads {
        let listeners = w.containers.iter().flat_map(|c| &c.env);
        for (name, value) in listeners.filter(|(name, _)| name.contains("LISTENER")) {
            texts.push((format!("{name}={value}"), w.seen.to_string()));
        }
    }
    let mut weakest: Option<(usize, String)> = None;
    for (text, place) in &texts {
        for rank in listener_protocols(text) {
            if weakest.as_ref().is_none_or(|(w, _)| rank < *w) {
                weakest = Some((rank, place.clone()));
            }
        }
    }
    let mut made = finding(&requirement::KAFKA, "", Row::Security, LEVEL);
    made.required = declared.as_ref().is_some_and(secure);
    made.promised = match &declared {
        Some(stated) => format!("{}, as declared", stated.fact),
        None => "SASL_SSL".to_owned(),
    };
    match weakest {
        Some((rank, place)) => {
            made.found = PROTOCOLS[rank].to_owned();
            made.place = place;
            if PROTOCOLS[rank] != "SASL_SSL" {
                made.verdict = Verdict::Fail;
                made.relation = Relation::Less;
            }
        }
        None => {
            made.verdict = Verdict::Fail;
            made.relation = Relation::Missing;
            made.found = "PLAINTEXT, Kafka's default, as no listener names a protocol".to_owned();
            made.place = workload.seen.to_string();
        }
    }
    Some(made)
}

/// Ranks of the protocols in `CLIENT:SASL_SSL,CONTROLLER:PLAINTEXT` or `SASL_SSL://:9092`.
fn listener_protocols(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    for line in text.lines() {
        let Some((name, value)) = line.split_once(['=', ':']) else { continue };
        if name.to_ascii_lowercase().contains("controller") {
            continue;
        }
        for part in value.split(',') {
            let mut words = part.trim().split([':', '/']).map(str::to_ascii_uppercase);
            let listener = words.next().unwrap_or_default();
            if listener.contains("CONTROLLER") {
                continue;
            }
            // `CLIENT:SASL_SSL` names a listener first; `SASL_SSL://:9092` is one itself.
            let rank = |word: &str| PROTOCOLS.iter().position(|p| *p == word);
            found.extend(words.next().and_then(|w| rank(&w)).or_else(|| rank(&listener)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_read_from_maps_and_listeners_and_the_controllers_does_not_count() {
        let of =
            |text| listener_protocols(text).into_iter().map(|r| PROTOCOLS[r]).collect::<Vec<_>>();
        let map =
            "listener.security.protocol.map=CLIENT:SASL_SSL,CONTROLLER:PLAINTEXT,EXTERNAL:SSL";
        assert_eq!(of(map), ["SASL_SSL", "SSL"]);
        assert_eq!(of("listeners=SASL_PLAINTEXT://:9092,CONTROLLER://:9093"), ["SASL_PLAINTEXT"]);
        assert_eq!(of("KAFKA_LISTENERS=PLAINTEXT://0.0.0.0:9092"), ["PLAINTEXT"]);
        assert_eq!(of("controller.listener.names=PLAINTEXT"), Vec::<&str>::new());
    }
}
