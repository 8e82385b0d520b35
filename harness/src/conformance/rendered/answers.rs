//! What manifests say about a promise.

use odg_profiles::Component;
use odg_profiles::values::{BackupTopic, ClaimTopic, Fact, Quantity, ServiceTopic, Topic, Unit};

use super::identity::Identity;
use crate::conformance::compare::Answer;
use crate::conformance::manifest::{ClaimTemplate, Inventory, Schedule, Workload};

/// Manifests, and who is who in them.
pub(super) struct Asked<'a> {
    pub(super) inventory: &'a Inventory,
    pub(super) identity: &'a Identity<'a>,
}

impl Asked<'_> {
    /// The answer to one topic.
    pub(super) fn answer(&self, topic: &Topic) -> Answer {
        match topic {
            Topic::Component(component) => self.component(*component),
            Topic::Service(name, about) => self.service(name, *about),
            Topic::NodeLabel { service, label } => self.node_label(service, label),
            Topic::StorageClass => self.storage_class(),
            Topic::ReplicationFactor => self.copies(),
            Topic::Claim(component, about) => self.claim(*component, *about),
            Topic::Stack(part) => {
                let name = kebab(part);
                self.there(self.identity.named(&name), &name)
            }
            Topic::AlertRoutes => {
                let routes = &self.inventory.routes;
                if routes.is_empty() {
                    let looked = "no ConfigMap, Secret or AlertmanagerConfig configures a receiver";
                    return Answer::Missing(looked.to_owned());
                }
                let names = routes.iter().map(|r| (*r).to_owned()).collect();
                Answer::Stated {
                    fact: Fact::Names(names),
                    place: "configuration of the alert manager".to_owned(),
                    note: String::new(),
                }
            }
            Topic::Backup(about) => self.backup(*about),
            Topic::MultiRegion | Topic::Regions => {
                unseen("the manifests of one cluster show one region")
            }
            Topic::Instances | Topic::Crdt | Topic::ConflictResolution => {
                unseen("it is a setting of the federation service, which manifests do not show")
            }
            Topic::Uptime | Topic::LatencyP99 => unseen("no manifest shows it; a run measures it"),
            // The number of zones is the cluster's; whether pods are spread over them is asked by itself.
            Topic::Zones | Topic::ProfileName | Topic::Tuning(_) => Answer::NotAsked,
        }
    }

    fn there(&self, found: Vec<&Workload>, name: &str) -> Answer {
        match found.iter().find(|w| w.count() > 0) {
            Some(workload) => {
                let images: Vec<&str> =
                    workload.main().map(|c| c.image.as_str()).into_iter().collect();
                Answer::Stated {
                    fact: Fact::Flag(true),
                    place: workload.seen.to_string(),
                    note: images.join(", "),
                }
            }
            None if found.is_empty() => Answer::Missing(format!(
                "none of {} workloads is {name}",
                self.inventory.workloads.len()
            )),
            None => Answer::Stated {
                fact: Fact::Flag(false),
                place: found[0].seen.to_string(),
                note: "it has no replicas".to_owned(),
            },
        }
    }

    fn component(&self, component: Component) -> Answer {
        match component {
            Component::Gpu => {
                let with = |w: &&Workload| {
                    // What has no replicas takes no GPU.
                    w.count() > 0
                        && w.containers
                            .iter()
                            .any(|c| c.limits.gpu.is_some_and(|g| g > Quantity::ZERO))
                };
                match self.inventory.workloads.iter().find(with) {
                    Some(w) => Answer::stated(Fact::Flag(true), &w.seen),
                    None => Answer::Missing("no container has nvidia.com/gpu".to_owned()),
                }
            }
            Component::MultiAz => {
                let spread = |must: bool| {
                    let is = |w: &&Workload| w.count() > 1 && w.zone_spread() == Some(must);
                    self.inventory.workloads.iter().find(is)
                };
                match (spread(true), spread(false)) {
                    (Some(w), _) => Answer::stated(Fact::Flag(true), &w.seen),
                    (None, Some(w)) => {
                        unseen(&format!("{} is spread over zones only where that is easy", w.seen))
                    }
                    (None, None) => Answer::Missing("no workload is spread over zones".to_owned()),
                }
            }
            _ => {
                let found = self.identity.component(component);
                if found.is_empty() {
                    if let Some(custom) = self.identity.operator(component) {
                        return Answer::Operated { place: custom.seen.to_string() };
                    }
                    if let Some(custom) = self.identity.operated(component) {
                        return unseen(&format!(
                            "an operator may make it of {custom}; observe the cluster"
                        ));
                    }
                }
                // A sub-chart's own database is named, since it is not the platform's.
                let others = self.identity.bundled(component);
                let names: Vec<&str> = others.iter().map(|w| w.seen.name.as_str()).collect();
                let mut answer = self.there(found, component.name());
                if !names.is_empty() {
                    let left = format!("left over, as another part's own: {}", names.join(", "));
                    match &mut answer {
                        Answer::Missing(text) | Answer::Stated { note: text, .. } => {
                            let gap = if text.is_empty() { "" } else { "; " };
                            text.push_str(&format!("{gap}{left}"));
                        }
                        _ => {}
                    }
                }
                answer
            }
        }
    }

    fn service(&self, name: &str, about: ServiceTopic) -> Answer {
        use ServiceTopic as S;
        let found = self.identity.named(name);
        if about == S::Presence {
            return self.there(found, name);
        }
        let Some(workload) = found.first() else {
            return Answer::Missing(format!("there is no workload of {name}"));
        };
        let scaler = self.inventory.scaler_of(workload);
        let amount = |amount: Option<Quantity>, unit, what: &str| match amount {
            Some(amount) => Answer::stated(Fact::Amount(amount, unit), &workload.seen),
            None => Answer::Missing(format!("{} has no {what}", workload.seen)),
        };
        let main = workload.main().cloned().unwrap_or_default();
        let percent = |aim: Option<u64>, what: &str| match scaler {
            Some(scaler) => match aim {
                Some(aim) => {
                    Answer::stated(Fact::Amount(Quantity::whole(aim), Unit::Percent), &scaler.seen)
                }
                None => Answer::Missing(format!("{} has no target for {what}", scaler.seen)),
            },
            None => Answer::Missing(format!("no autoscaler scales {}", workload.seen)),
        };
        match about {
            S::Presence => self.there(found, name),
            S::Replicas => {
                let note = scaler.map(|s| format!("the fewest of {}", s.seen)).unwrap_or_default();
                Answer::Stated {
                    fact: Fact::count(workload.count()),
                    place: workload.seen.to_string(),
                    note,
                }
            }
            S::LimitCpu => amount(main.limits.cpu, Unit::Cores, "CPU limit"),
            S::LimitMemory => amount(main.limits.memory, Unit::Bytes, "memory limit"),
            S::LimitGpu => amount(main.limits.gpu, Unit::Count, "nvidia.com/gpu"),
            S::RequestCpu => amount(main.requests.cpu, Unit::Cores, "CPU request"),
            S::RequestMemory => amount(main.requests.memory, Unit::Bytes, "memory request"),
            S::ScaleMin | S::ScaleMax => match scaler {
                Some(s) => {
                    let bound = if about == S::ScaleMin { s.min } else { s.max };
                    Answer::stated(Fact::count(bound), &s.seen)
                }
                None => Answer::Missing(format!("no autoscaler scales {}", workload.seen)),
            },
            S::ScaleCpu => percent(scaler.and_then(|s| s.cpu), "CPU"),
            S::ScaleMemory => percent(scaler.and_then(|s| s.memory), "memory"),
        }
    }

    fn node_label(&self, service: &str, label: &str) -> Answer {
        let found = self.identity.named(service);
        let Some(workload) = found.first() else {
            return Answer::Missing(format!("there is no workload of {service}"));
        };
        match workload.node_labels.get(label) {
            Some(values) => Answer::stated(Fact::Text(values.join(" or ")), &workload.seen),
            None => Answer::Missing(format!("{} names no such label", workload.seen)),
        }
    }

    fn storage_class(&self) -> Answer {
        let claims: Vec<(&Workload, &ClaimTemplate)> = self
            .inventory
            .workloads
            .iter()
            .flat_map(|w| w.claims.iter().map(move |c| (w, c)))
            .collect();
        let mut classes: Vec<&str> =
            claims.iter().filter_map(|(_, c)| c.class.as_deref()).collect();
        classes.sort_unstable();
        classes.dedup();
        match claims.first() {
            None => Answer::Missing("there is no volume claim".to_owned()),
            Some(_) if classes.is_empty() => {
                unseen("no volume claim names a class, so that the cluster's default counts")
            }
            Some((workload, _)) => Answer::Stated {
                fact: Fact::Text(classes.join(", ")),
                place: workload.seen.to_string(),
                note: format!("of {} volume claims", claims.len()),
            },
        }
    }

    fn copies(&self) -> Answer {
        let names = ["KAFKA_CFG_DEFAULT_REPLICATION_FACTOR", "KAFKA_DEFAULT_REPLICATION_FACTOR"];
        for workload in self.identity.component(Component::Kafka) {
            for container in &workload.containers {
                let value = names.iter().find_map(|name| container.env.get(*name));
                if let Some(factor) = value.and_then(|v| v.parse().ok()) {
                    return Answer::stated(Fact::count(factor), &workload.seen);
                }
            }
        }
        unseen("no environment variable of Kafka states its replication factor")
    }

    fn claim(&self, component: Component, about: ClaimTopic) -> Answer {
        let all = self.identity.component(component);
        let with: Vec<&Workload> = all.iter().copied().filter(|w| !w.claims.is_empty()).collect();
        let Some(first) = with.first() else {
            if all.is_empty() && self.identity.operated(component).is_some() {
                return unseen("an operator may make its volumes; observe the cluster");
            }
            return Answer::Missing(format!("{} has no volume claim", component.label()));
        };
        let size = |w: &Workload| w.claims.iter().filter_map(|c| c.size).max().unwrap_or_default();
        match about {
            ClaimTopic::Size => {
                // Every replica's volume must be as large, so that the smallest counts.
                let smallest = with.iter().copied().min_by_key(|w| size(w)).unwrap_or(first);
                Answer::stated(Fact::Amount(size(smallest), Unit::Bytes), &smallest.seen)
            }
            ClaimTopic::Capacity => {
                let total = with
                    .iter()
                    .map(|w| size(w).times(w.count()))
                    .fold(Quantity::ZERO, Quantity::plus);
                Answer::stated(Fact::Amount(total, Unit::Bytes), &first.seen)
            }
            ClaimTopic::Replicas => {
                let count = with.iter().map(|w| w.count()).fold(0, u64::saturating_add);
                Answer::stated(Fact::count(count), &first.seen)
            }
            ClaimTopic::Distributed => {
                let count = with.iter().map(|w| w.count()).fold(0, u64::saturating_add);
                Answer::stated(Fact::Flag(count > 1), &first.seen)
            }
        }
    }

    /// Scheduled jobs that make backups: those that run, or all where none does.
    fn backup_jobs(&self) -> Vec<&Schedule> {
        let is_backup = |s: &&Schedule| {
            let beside = ["cleanup", "prune", "verify", "restore", "check", "test"];
            let named = s.seen.name.contains("backup")
                || s.seen.kind == "Schedule"
                || s.labels.values().any(|v| v.contains("backup"));
            // What tidies up after backups, or tries them, makes none.
            named && !beside.iter().any(|word| s.seen.name.contains(word))
        };
        let all: Vec<&Schedule> = self.inventory.schedules.iter().filter(is_backup).collect();
        let running: Vec<&Schedule> = all.iter().copied().filter(|s| !s.suspended).collect();
        if running.is_empty() { all } else { running }
    }

    /// The answer of each backup.
    pub(super) fn backups(&self, about: BackupTopic) -> Vec<Answer> {
        let jobs = self.backup_jobs();
        if jobs.is_empty() {
            let jobs = self.inventory.schedules.len();
            return vec![Answer::Missing(format!("none of {jobs} scheduled jobs is a backup"))];
        }
        jobs.into_iter().map(|job| of_job(job, about)).collect()
    }

    /// The answer of all backups, where they give the same one.
    fn backup(&self, about: BackupTopic) -> Answer {
        let mut answers = self.backups(about).into_iter();
        let Some(first) = answers.next() else { return Answer::NotAsked };
        let same = |other: &Answer| match (&first, other) {
            (Answer::Stated { fact: a, .. }, Answer::Stated { fact: b, .. }) => a == b,
            (a, b) => a == b,
        };
        if answers.all(|a| same(&a)) { first } else { unseen("the backups differ in it") }
    }
}

fn of_job(job: &Schedule, about: BackupTopic) -> Answer {
    match about {
        BackupTopic::Enabled => Answer::Stated {
            fact: Fact::Flag(!job.suspended),
            place: job.seen.to_string(),
            note: if job.suspended { "it is suspended".to_owned() } else { String::new() },
        },
        BackupTopic::Schedule => Answer::stated(Fact::Text(job.schedule.clone()), &job.seen),
        BackupTopic::Retention => match job.retention_days {
            Some(days) => Answer::stated(Fact::count(days), &job.seen),
            None => unseen(
                "neither its environment nor its arguments state in days or with a unit how long they are kept",
            ),
        },
        BackupTopic::CrossRegion => unseen("a manifest does not show where backups go"),
    }
}

fn unseen(why: &str) -> Answer {
    Answer::Unseen(why.to_owned())
}

/// `VictoriaMetrics` as a chart is called: `victoria-metrics`.
fn kebab(part: &str) -> String {
    let mut out = String::new();
    for (at, c) in part.char_indices() {
        if c.is_ascii_uppercase() && at > 0 {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}
