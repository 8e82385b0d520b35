//! The `local` provider: every component as a process of this machine, or as a marked fake inside this one.
//!
//! Each component has a list of candidates, best first (see `candidates`); the first one found is taken, or the
//! one that `ODG_BENCH_IMPLEMENTATION_<COMPONENT>` names.

mod candidate;
mod control;
mod garage;
mod kafka;
mod kafka_fake;
mod minio;
mod nats;
mod nisshi;
mod postgres;
mod process;
mod ready;
pub mod reaper;
mod redis;
mod s3_fake;
mod search;
mod spawn;
mod version;
pub mod workdir;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use futures::future::{BoxFuture, try_join_all};
use odg_profiles::Component;
use odg_reports::record::Implementation;
use odg_workloads::endpoint::Endpoints;

use super::{Choice, Machine, Plan, Provider, ProviderError, Stack, StartOptions, disk};
use candidate::{Candidate, Identity, Site, Started};
use control::{LocalControl, Part};
use reaper::Reaper;
use search::NotFound;
pub use search::Search;
use workdir::WorkDir;

/// All candidates of a component, best first. A new implementation is one file and one entry here.
fn candidates(component: Component) -> &'static [&'static dyn Candidate] {
    match component {
        Component::Postgresql => &[&postgres::Postgres],
        Component::Redis => &[&redis::Redis],
        Component::Nats => &[&nats::Nats],
        Component::Kafka => &[&kafka::Kafka, &nisshi::Nisshi, &kafka_fake::KafkaFake],
        Component::Minio => &[&minio::Minio, &garage::Garage, &s3_fake::S3Fake],
        _ => &[],
    }
}

/// The components that this provider can bring up.
fn components() -> Vec<Component> {
    Component::ALL.into_iter().filter(|&component| !candidates(component).is_empty()).collect()
}

/// The program that binds a server's life to this process's, where it is there.
pub fn parent_death_guard() -> Option<&'static Path> {
    spawn::setpriv()
}

/// The `local` provider.
#[derive(Debug, Clone)]
pub struct LocalProvider {
    search: Search,
    force: BTreeMap<Component, String>,
}

/// What one candidate's search said; for `doctor`.
#[derive(Debug, Clone)]
pub struct Availability {
    /// The candidate, as a plan would hold it.
    pub choice: Choice,
    /// Where it was looked for and the command that would add it, where it is missing.
    pub missing: Option<(Vec<String>, String)>,
}

impl LocalProvider {
    /// A provider that looks around in this process's environment.
    pub fn from_env() -> Self {
        Self::new(Search::from_env())
    }

    /// A provider that looks around in the environment given.
    pub fn new(search: Search) -> Self {
        Self { search, force: BTreeMap::new() }
    }

    /// Takes this implementation of a component and no other; stronger than the environment.
    pub fn force(mut self, component: Component, implementation: impl Into<String>) -> Self {
        self.force.insert(component, implementation.into());
        self
    }

    /// Every candidate of a component, best first, and whether it is there.
    pub fn availability(&self, component: Component) -> Vec<Availability> {
        candidates(component)
            .iter()
            .map(|&candidate| match candidate.find(&self.search) {
                Ok(found) => Availability { choice: choice(candidate, found), missing: None },
                Err(NotFound { tried, hint }) => Availability {
                    choice: choice(candidate, candidate::Found::default()),
                    missing: Some((tried, hint)),
                },
            })
            .collect()
    }

    /// Whether somebody asked for an implementation of a component by name.
    pub fn is_forced(&self, component: Component) -> bool {
        self.force.contains_key(&component) || self.search.forced(component).is_some()
    }

    fn choose(&self, component: Component) -> Result<Choice, ProviderError> {
        let all = candidates(component);
        let forced = self.force.get(&component).cloned().or_else(|| self.search.forced(component));
        let eligible: Vec<&dyn Candidate> = match &forced {
            Some(id) => vec![by_id(component, id)?],
            None => all.to_vec(),
        };
        let mut first_miss = None;
        for candidate in eligible {
            match candidate.find(&self.search) {
                Ok(found) => return Ok(choice(candidate, found)),
                Err(not_found) => {
                    first_miss.get_or_insert(not_found);
                }
            }
        }
        let NotFound { tried, hint } =
            first_miss.unwrap_or(NotFound { tried: Vec::new(), hint: String::new() });
        Err(ProviderError::MissingComponent { component, tried, install_hint: hint })
    }

    /// Resolves each wanted component to the best implementation that is here, as [`Provider::plan`].
    ///
    /// # Errors
    /// As [`Provider::plan`].
    pub fn resolve(&self, wanted: &[Component]) -> Result<Plan, ProviderError> {
        let mut plan = Plan { machine: Some(Machine::this()), ..Plan::default() };
        for &component in wanted {
            if candidates(component).is_empty() {
                plan.unsupported.push(component);
            } else {
                plan.choices.push(self.choose(component)?);
            }
        }
        Ok(plan)
    }

    async fn bring_up(&self, plan: &Plan, options: StartOptions) -> Result<Stack, ProviderError> {
        let began = Instant::now();
        let parent = options.parent_dir.clone().unwrap_or_else(workdir::default_parent);
        let work = WorkDir::create(&parent, &options.run_id)?;
        let reaper = Reaper::start(&options.reaper, work.path())?;
        let logs = match &options.log_dir {
            Some(dir) => dir.clone(),
            None => work.path().join("logs"),
        };
        fs::create_dir_all(&logs)
            .map_err(|e| ProviderError::io(format!("make {}", logs.display()), e))?;
        let in_memory = disk::is_memory(work.path());

        let starting = plan.choices.iter().map(|choice| {
            let (work, reaper, logs) = (&work, &reaper, &logs);
            async move {
                let component = choice.component;
                let candidate = by_id(component, &choice.implementation)?;
                let site = Site {
                    component,
                    product: candidate.identity().product,
                    dir: work.subdir(component.name())?,
                    log: logs.join(format!("{}.log", component.name())),
                    reaper,
                    ready_timeout: options.ready_timeout,
                };
                let began = Instant::now();
                let started = candidate.start(&self.search, &site).await?;
                Ok::<_, ProviderError>((candidate, started, elapsed_ms(began), site.log))
            }
        });
        let mut endpoints = Endpoints::default();
        let mut implementations = Vec::new();
        let mut parts = Vec::new();
        // The first error drops the others, which ends them.
        for (candidate, started, ready_ms, log) in try_join_all(starting).await? {
            let Started { answer, version, running } = started;
            let memory =
                in_memory.then_some("its data lies in memory (tmpfs): durable writes cost nothing");
            let notes: Vec<&str> = candidate.identity().note.into_iter().chain(memory).collect();
            implementations.push(Implementation {
                component: candidate.identity().component.name().to_owned(),
                name: candidate.identity().product.to_owned(),
                version,
                fidelity: candidate.identity().fidelity,
                endpoint: answer.address(),
                ready_ms,
                note: (!notes.is_empty()).then(|| notes.join("; ")),
            });
            answer.enter(&mut endpoints);
            parts.push(Part { component: candidate.identity().component, running, log });
        }
        let control = LocalControl::new(parts, logs, work, reaper);
        Ok(Stack::new(endpoints, implementations, elapsed_ms(began), Box::new(control)))
    }
}

impl Provider for LocalProvider {
    fn name(&self) -> &'static str {
        "local"
    }

    fn components(&self) -> Vec<Component> {
        components()
    }

    fn data_dir_parent(&self) -> Option<PathBuf> {
        Some(workdir::default_parent())
    }

    fn outlives_run(&self) -> bool {
        false
    }

    fn plan<'a>(&'a self, wanted: &'a [Component]) -> BoxFuture<'a, Result<Plan, ProviderError>> {
        Box::pin(async move { self.resolve(wanted) })
    }

    fn start<'a>(
        &'a self,
        plan: &'a Plan,
        options: StartOptions,
    ) -> BoxFuture<'a, Result<Stack, ProviderError>> {
        Box::pin(self.bring_up(plan, options))
    }
}

fn by_id(component: Component, id: &str) -> Result<&'static dyn Candidate, ProviderError> {
    let all = candidates(component);
    all.iter().copied().find(|candidate| candidate.identity().id == id).ok_or_else(|| {
        ProviderError::UnknownImplementation {
            component,
            asked: id.to_owned(),
            known: all.iter().map(|candidate| candidate.identity().id).collect(),
        }
    })
}

fn choice(candidate: &dyn Candidate, found: candidate::Found) -> Choice {
    let Identity { component, id, product, fidelity, note } = candidate.identity();
    Choice {
        component,
        implementation: id.to_owned(),
        name: product.to_owned(),
        version: found.version,
        path: found.path,
        fidelity,
        note: note.map(str::to_owned),
    }
}

fn elapsed_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
