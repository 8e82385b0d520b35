//! The `docker` provider: every component as a container of an engine on this machine.
//!
//! Images and limits are the profile's; `--images FILE` names others. A run has one network, a volume for each
//! component's data, and ports on 127.0.0.1; everything carries its labels. What the library for containers
//! does not do (statistics, limits, labels on networks, removal by label) is asked of the engine directly.

mod about;
mod blocking;
mod container;
mod control;
mod engine;
mod error;
mod guard;
mod images;
mod kafka;
mod labels;
mod limits;
mod minio;
mod nats;
mod postgres;
mod recipe;
mod redis;
mod stats;
mod sweep;
mod under_way;
mod watch;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use bollard::models::NetworkCreateRequest;
use futures::future::{BoxFuture, try_join_all};
use odg_profiles::model::Quantities;
use odg_profiles::{Component, ImageReference, Profile};
use odg_reports::record::{Fidelity, Implementation};
use odg_workloads::endpoint::Endpoints;

use super::{Choice, Plan, Provider, ProviderError, Stack, StartOptions};
use about::About;
use container::{Site, Started};
use control::DockerControl;
use engine::Engine;
pub use error::DockerError;
use guard::Guard;
use labels::Owner;
use limits::Limits;
pub use sweep::{Kind, Leftover};

/// The `docker` provider.
#[derive(Debug, Clone)]
pub struct DockerProvider {
    /// Those that the profile names.
    official: BTreeMap<Component, ImageReference>,
    images: BTreeMap<Component, ImageReference>,
    limits: BTreeMap<Component, Quantities>,
}

/// An engine as `doctor` shows it.
#[derive(Debug, Clone)]
pub struct EngineSummary {
    /// Name and version.
    pub name: String,
    /// API version.
    pub api: String,
}

/// Looks for an engine. For callers outside a runtime as well.
///
/// # Errors
/// Why there is none that can be used.
pub fn find_engine() -> Result<EngineSummary, DockerError> {
    let found = blocking::block_on(async { Engine::connect().await });
    let engine = found.ok_or_else(no_thread)??;
    Ok(EngineSummary { name: engine.name, api: engine.api })
}

/// Finds what dead runs have left in the engine and, unless `dry_run`, removes it. What belongs to a living run,
/// or carries no complete label of ours, stays.
///
/// # Errors
/// No engine that can be used, or it refuses to list what it has.
pub fn sweep(dry_run: bool) -> Result<Vec<Leftover>, DockerError> {
    let swept = blocking::block_on(async move {
        let engine = Engine::connect().await?;
        sweep::sweep(&engine, dry_run).await
    });
    swept.ok_or_else(no_thread)?
}

fn no_thread() -> DockerError {
    DockerError::Refused {
        what: "be asked".to_owned(),
        reason: "the system gave no thread for it".to_owned(),
    }
}

impl DockerProvider {
    /// A provider for a profile. `mapped` replaces images of the profile, component by component.
    pub fn new(profile: &Profile, mapped: BTreeMap<Component, ImageReference>) -> Self {
        let official = profile.images.clone();
        let mut images = official.clone();
        images.extend(mapped);
        Self { official, images, limits: profile.limits.clone() }
    }

    /// Uses other limits for a component than the profile's.
    pub fn limit(mut self, component: Component, limits: Quantities) -> Self {
        self.limits.insert(component, limits);
        self
    }

    /// Which of the wanted components' images are not on this machine.
    ///
    /// # Errors
    /// No engine that can be used, or a component without an image.
    pub async fn missing_images(
        &self,
        wanted: &[Component],
    ) -> Result<Vec<ImageReference>, DockerError> {
        let engine = Engine::connect().await?;
        let mut missing = Vec::new();
        for component in wanted.iter().copied().filter(|c| recipe::COMPONENTS.contains(c)) {
            let reference = self.reference(component)?;
            if images::find(&engine, reference).await?.is_none() {
                missing.push(reference.clone());
            }
        }
        Ok(missing)
    }

    fn reference(&self, component: Component) -> Result<&ImageReference, DockerError> {
        self.images.get(&component).ok_or(DockerError::NoReference { component })
    }

    /// The profile's own image, where another one is to run.
    fn replaced(&self, component: Component) -> Option<&ImageReference> {
        let official = self.official.get(&component)?;
        (self.images.get(&component) != Some(official)).then_some(official)
    }

    /// The image of a component, and what it stands for, for people.
    fn image_in_words(&self, component: Component, image: &str) -> String {
        match self.replaced(component) {
            Some(official) => format!("image {image} instead of the profile's {official}"),
            None => format!("image {image}"),
        }
    }

    async fn resolve(&self, wanted: &[Component]) -> Result<Plan, ProviderError> {
        let engine = Engine::connect().await?;
        let mut plan = Plan { machine: Some(engine.machine), ..Plan::default() };
        for &component in wanted {
            if !recipe::COMPONENTS.contains(&component) {
                plan.unsupported.push(component);
                continue;
            }
            let reference = self.reference(component)?;
            let image = images::find(&engine, reference).await?;
            let here = if image.is_some() { "on this machine" } else { "to be pulled" };
            plan.choices.push(Choice {
                component,
                implementation: reference.to_string(),
                name: recipe::product(component).to_owned(),
                version: image.and_then(|image| image.version),
                path: None,
                fidelity: Fidelity::Real,
                note: Some(format!(
                    "{}, {here}",
                    self.image_in_words(component, reference.as_str())
                )),
            });
        }
        Ok(plan)
    }

    async fn bring_up(&self, plan: &Plan, options: StartOptions) -> Result<Stack, ProviderError> {
        let engine = Engine::connect().await?;
        let wanted: Vec<Component> = plan.choices.iter().map(|choice| choice.component).collect();
        let mut found = BTreeMap::new();
        for &component in &wanted {
            let reference = self.reference(component)?;
            found.insert(component, images::have(&engine, component, reference).await?);
        }
        let (logs, own_logs) = match &options.log_dir {
            Some(dir) => (dir.clone(), None),
            None => {
                let dir = tempfile::tempdir()
                    .map_err(|e| ProviderError::io("make a directory for logs", e))?;
                (dir.path().to_path_buf(), Some(dir))
            }
        };
        fs::create_dir_all(&logs)
            .map_err(|e| ProviderError::io(format!("make {}", logs.display()), e))?;

        let began = Instant::now();
        let owner = Owner::this(&options.run_id);
        let guard = Guard::new(&owner.run, &wanted);
        let network = guard::network(&owner.run);
        let request = NetworkCreateRequest {
            name: network.clone(),
            labels: Some(owner.labels()),
            ..NetworkCreateRequest::default()
        };
        let docker = engine.docker.clone();
        guard
            .under_way()
            .run(async move { docker.create_network(request).await })
            .await?
            .map_err(|error| DockerError::refused(format!("create network {network}"), &error))?;
        let mut starting = Vec::new();
        for (component, image) in found {
            let site = Site {
                engine: &engine,
                component,
                reference: self.reference(component)?,
                limits: self
                    .limits
                    .get(&component)
                    .map(|limits| Limits::new(limits, engine.machine)),
                image,
                owner: &owner,
                network: &network,
                log: logs.join(format!("{}.log", component.name())),
                ready_timeout: options.ready_timeout,
                under_way: guard.under_way(),
            };
            let recipe = recipe::new(component, site.limits.as_ref())?;
            let about = About::new(self, &site);
            starting.push(async move {
                Ok::<_, ProviderError>((container::start(site, recipe).await?, about))
            });
        }
        let mut endpoints = Endpoints::default();
        let mut implementations = Vec::new();
        let mut parts = Vec::new();
        // The first error drops the others, and the guard removes what they had begun.
        let mut not_held = Vec::new();
        for (started, about) in try_join_all(starting).await? {
            let Started { answer, who, not_held: limits, ready_ms, container } = started;
            let component = container.component.name();
            not_held.extend(limits.iter().map(|limit| format!("{component} {limit}")));
            let (name, version, note) = about.and_who(&who, &limits);
            implementations.push(Implementation {
                component: component.to_owned(),
                name,
                version,
                fidelity: who.fidelity,
                endpoint: answer.address(),
                ready_ms,
                note: Some(note),
            });
            answer.enter(&mut endpoints);
            parts.push(container);
        }
        let place = |name: &str| wanted.iter().position(|component| component.name() == name);
        implementations.sort_by_key(|implementation| place(&implementation.component));
        let replaced = wanted.iter().filter_map(|&component| {
            let (official, used) = (self.replaced(component)?, self.images.get(&component)?);
            Some(format!("{}: {used} instead of {official}", component.name()))
        });
        let warnings = about::warnings(&engine, &replaced.collect::<Vec<_>>(), &not_held);
        let ready_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let control = DockerControl::new(engine, parts, guard, logs, own_logs);
        let mut stack = Stack::new(endpoints, implementations, ready_ms, Box::new(control));
        stack.warnings = warnings;
        Ok(stack)
    }
}

impl Provider for DockerProvider {
    fn name(&self) -> &'static str {
        "docker"
    }

    fn components(&self) -> Vec<Component> {
        recipe::COMPONENTS.to_vec()
    }

    fn data_dir_parent(&self) -> Option<PathBuf> {
        blocking::block_on(async { Engine::connect().await })?.ok()?.root
    }

    fn if_disk_is_full(&self) -> &'static str {
        "free some space (`docker system df` shows what takes it), or move the engine's data directory"
    }

    fn outlives_run(&self) -> bool {
        false
    }

    fn plan<'a>(&'a self, wanted: &'a [Component]) -> BoxFuture<'a, Result<Plan, ProviderError>> {
        Box::pin(self.resolve(wanted))
    }

    fn start<'a>(
        &'a self,
        plan: &'a Plan,
        options: StartOptions,
    ) -> BoxFuture<'a, Result<Stack, ProviderError>> {
        Box::pin(self.bring_up(plan, options))
    }
}

#[cfg(test)]
mod tests;
