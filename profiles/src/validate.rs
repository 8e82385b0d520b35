//! Figures that have the right type and still cannot be.

use std::collections::BTreeSet;

use crate::component::Component;
use crate::error::ProfileError;
use crate::model::{OPERATIONS, Profile};
use crate::nearest::nearest;
use crate::tree::Node;

/// Longest name: it becomes part of directory names.
const MAX_NAME: usize = 40;

/// Refuses the first impossible figure.
pub(crate) fn validate(profile: &Profile, tree: &Node) -> Result<(), ProfileError> {
    let check = Check { tree };
    name(profile, &check)?;
    resources(profile, &check)?;
    volume(profile, &check)?;
    components(profile, &check)?;
    services(profile, &check)?;
    limits(profile, &check)?;
    storage(profile, &check)?;
    objectives(profile, &check)
}

struct Check<'a> {
    tree: &'a Node,
}

impl Check<'_> {
    fn that(&self, holds: bool, path: &[&str], message: &str) -> Result<(), ProfileError> {
        if holds {
            return Ok(());
        }
        let node = self.tree.locate(path);
        Err(ProfileError::invalid(&node.file, node.line, &format!("{}: {message}", path.join("."))))
    }
}

fn name(profile: &Profile, check: &Check<'_>) -> Result<(), ProfileError> {
    let good = (1..=MAX_NAME).contains(&profile.name.len())
        && profile.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    check.that(good, &["name"], "use 1 to 40 of a-z, 0-9 and -")
}

fn resources(profile: &Profile, check: &Check<'_>) -> Result<(), ProfileError> {
    let r = &profile.resources;
    check.that(r.vcpu > 0, &["resources", "vcpu"], "must be at least 1")?;
    check.that(r.memory.bytes() > 0, &["resources", "memory"], "must be more than zero")?;
    check.that(r.storage.bytes() > 0, &["resources", "storage"], "must be more than zero")
}

fn volume(profile: &Profile, check: &Check<'_>) -> Result<(), ProfileError> {
    let v = &profile.volume;
    let (min, max) = (v.min.unwrap_or(v.default), v.max.unwrap_or(v.default));
    check.that(
        v.min.is_none() || v.max.is_none() || min < max,
        &["volume", "max"],
        "must exceed `min`",
    )?;
    let side =
        if v.default > max { format!("more than {max}") } else { format!("less than {min}") };
    let message = format!("{} lies outside the class: {side}", v.default);
    check.that((min..=max).contains(&v.default), &["volume", "default"], &message)
}

fn components(profile: &Profile, check: &Check<'_>) -> Result<(), ProfileError> {
    for component in Component::ALL {
        let message =
            format!("says nothing about `{}`: present, optional or absent?", component.name());
        check.that(profile.components.contains_key(&component), &["components"], &message)?;
    }
    Ok(())
}

fn services(profile: &Profile, check: &Check<'_>) -> Result<(), ProfileError> {
    for (name, service) in &profile.services {
        check.that(
            service.replicas != Some(0),
            &["services", name, "replicas"],
            "must be at least 1",
        )?;
        if let (Some(limits), Some(requests)) = (&service.limits, &service.requests) {
            let message = "exceeds the limit";
            check.that(
                requests.cpu <= limits.cpu,
                &["services", name, "requests", "cpu"],
                message,
            )?;
            check.that(
                requests.memory <= limits.memory,
                &["services", name, "requests", "memory"],
                message,
            )?;
        }
        let Some(scaling) = &service.autoscaling else { continue };
        let path = |key| ["services", name.as_str(), "autoscaling", key];
        check.that(scaling.min_replicas > 0, &path("min_replicas"), "must be at least 1")?;
        check.that(
            scaling.max_replicas >= scaling.min_replicas,
            &path("max_replicas"),
            "is below `min_replicas`",
        )?;
        let percent = |p: u32| (1..=100).contains(&p);
        check.that(
            percent(scaling.target_cpu_percent),
            &path("target_cpu_percent"),
            "must be 1 to 100",
        )?;
        check.that(
            scaling.target_memory_percent.is_none_or(percent),
            &path("target_memory_percent"),
            "must be 1 to 100",
        )?;
    }
    Ok(())
}

/// Memory below which no server starts; an engine refuses less than 6 MB.
const LEAST_MEMORY: u64 = 6 << 20;

fn limits(profile: &Profile, check: &Check<'_>) -> Result<(), ProfileError> {
    for (component, limit) in &profile.limits {
        let path = |key| ["limits", component.name(), key];
        check.that(limit.cpu.millicores() > 0, &path("cpu"), "must be more than zero")?;
        check.that(
            limit.memory.bytes() >= LEAST_MEMORY,
            &path("memory"),
            "must be at least 6MiB, what a container engine takes",
        )?;
    }
    Ok(())
}

fn storage(profile: &Profile, check: &Check<'_>) -> Result<(), ProfileError> {
    check.that(
        profile.storage.replication_factor != Some(0),
        &["storage", "replication_factor"],
        "must be at least 1",
    )?;
    for (component, claim) in &profile.storage.claims {
        let path = |key| ["storage", "claims", component.name(), key];
        check.that(claim.size.bytes() > 0, &path("size"), "must be more than zero")?;
        check.that(claim.replicas != Some(0), &path("replicas"), "must be at least 1")?;
    }
    Ok(())
}

fn objectives(profile: &Profile, check: &Check<'_>) -> Result<(), ProfileError> {
    let mut ids = BTreeSet::new();
    for (at, objective) in profile.objectives.iter().enumerate() {
        let at = at.to_string();
        let path = |key| ["objectives", at.as_str(), key];
        check.that(ids.insert(&objective.id), &path("id"), "this id is used twice")?;
        let words = || OPERATIONS.iter().map(|(name, _)| *name);
        let message = format!(
            "unknown operation `{}`; the nearest is `{}`",
            objective.operation,
            nearest(&objective.operation, words()).unwrap_or_default()
        );
        check.that(words().any(|w| w == objective.operation), &path("operation"), &message)?;
        let percentile = objective.percentile > 0.0 && objective.percentile <= 100.0;
        let message = format!("{} must be above 0 and at most 100", objective.percentile);
        check.that(percentile, &path("percentile"), &message)?;
        check.that(objective.threshold_ns > 0, &path("threshold"), "must be more than zero")?;
        check.that(!objective.source.trim().is_empty(), &path("source"), "must not be empty")?;
    }
    let Some(uptime) = &profile.uptime else { return Ok(()) };
    let percent = uptime.percent > 0.0 && uptime.percent <= 100.0;
    check.that(percent, &["uptime", "percent"], "must be above 0 and at most 100")?;
    check.that(!uptime.required, &["uptime", "required"], "must be false: one run cannot verify it")
}
