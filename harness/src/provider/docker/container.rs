//! One component as a container: created, started, and ready when it has answered.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bollard::models::{HostConfig, Mount, MountType, PortBinding, VolumeCreateRequest};
use bollard::query_parameters::InspectContainerOptions;
use odg_profiles::{Component, ImageReference};
use testcontainers::core::IntoContainerPort;
use testcontainers::core::error::{ClientError, TestcontainersError};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerRequest, CopyTargetOptions, GenericImage, ImageExt};

use super::engine::Engine;
use super::error::{DockerError, one_line, words};
use super::images::Image;
use super::labels::Owner;
use super::limits::Limits;
use super::recipe::{Recipe, product};
use super::under_way::UnderWay;
use super::watch::{Watch, log_tail, status};
use crate::provider::answer::Answer;
use crate::provider::ready::{self, NotReady};
use crate::provider::who::{self, Who};
use crate::provider::{ProviderError, ports};

/// What one container is started with.
pub(super) struct Site<'a> {
    pub engine: &'a Engine,
    pub component: Component,
    pub reference: &'a ImageReference,
    pub image: Image,
    pub limits: Option<Limits>,
    pub owner: &'a Owner,
    pub network: &'a str,
    pub log: PathBuf,
    pub ready_timeout: Duration,
    pub under_way: &'a UnderWay,
}

/// A container that answers.
pub(super) struct Started {
    pub answer: Answer,
    /// What it says of itself.
    pub who: Who,
    /// Limits that it does not have after all.
    pub not_held: Vec<&'static str>,
    pub ready_ms: u64,
    pub container: Container,
}

/// A running container, watched. The run's guard removes it.
pub(super) struct Container {
    pub component: Component,
    pub id: String,
    pub watch: Watch,
    pub grace: Duration,
    _reserved: Reserved,
}

/// A port that is kept from other servers of this process.
struct Reserved(Option<u16>);

impl Drop for Reserved {
    fn drop(&mut self) {
        ports::release(self.0.as_slice());
    }
}

/// Starts one component by its recipe and waits until it has answered a real request.
pub(super) async fn start(site: Site<'_>, recipe: Recipe) -> Result<Started, ProviderError> {
    let began = Instant::now();
    let component = site.component;
    let reserved = Reserved(recipe.host_port);
    let name = name(&site.owner.run, component);
    let volume = VolumeCreateRequest {
        name: Some(name.clone()),
        labels: Some(site.owner.labels()),
        ..VolumeCreateRequest::default()
    };
    let docker = site.engine.docker.clone();
    site.under_way
        .run(async move { docker.create_volume(volume).await })
        .await?
        .map_err(|error| DockerError::refused(format!("create volume {name}"), &error))?;

    let made = site.under_way.run(make(request(&site, &recipe, &name), recipe.port)).await?;
    let (id, port) = match made {
        Ok(made) => made,
        Err(error) => return Err(not_started(&site, &name, error).await),
    };
    let watch = Watch::start(&site.engine.docker, &id, site.log.clone());
    let container = Container { component, id, watch, grace: recipe.grace, _reserved: reserved };
    let answer = (recipe.answer)(port);
    let ended = || container.watch.ended().map(|ended| ended.status);
    let asked = ready::wait(port, site.ready_timeout, ended, || who::ask(&answer)).await;
    let who = match asked {
        Ok(who) => who,
        Err(reason) => {
            let log_tail = log_tail(&site.engine.docker, &container.id).await;
            let implementation = product(component).to_owned();
            return Err(match reason {
                NotReady::Ended(status) => {
                    ProviderError::FailedToStart { component, implementation, status, log_tail }
                }
                NotReady::Silent(last_error) => {
                    let after = site.ready_timeout;
                    ProviderError::NotReady {
                        component,
                        implementation,
                        after,
                        last_error,
                        log_tail,
                    }
                }
            });
        }
    };
    let ready_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let not_held = match &site.limits {
        Some(limits) => not_held(site.engine, limits, &container.id).await?,
        None => Vec::new(),
    };
    Ok(Started { answer, who, not_held, ready_ms, container })
}

/// Name of a component's container, and of its volume.
pub(super) fn name(run: &str, component: Component) -> String {
    format!("odg-bench-{run}-{}", component.name())
}

/// Creates and starts a container by the library; its id, and its port on this machine.
async fn make(
    request: ContainerRequest<GenericImage>,
    port: u16,
) -> Result<(String, u16), TestcontainersError> {
    let handle = request.start().await?;
    let id = handle.id().to_owned();
    let port = handle.get_host_port_ipv4(port.tcp()).await;
    // Dropped, it would remove the container, and wait on this thread for an engine that hangs. The guard
    // removes it, in bounded time.
    std::mem::forget(handle);
    Ok((id, port?))
}

/// Reads back what the engine has set: it drops limits that its kernel cannot hold, and says nothing.
async fn not_held(
    engine: &Engine,
    limits: &Limits,
    id: &str,
) -> Result<Vec<&'static str>, DockerError> {
    let shown = engine.docker.inspect_container(id, None::<InspectContainerOptions>).await;
    let shown = shown.map_err(|error| DockerError::refused("show a container's limits", &error))?;
    Ok(limits.not_held(&shown.host_config.unwrap_or_default(), engine.holds))
}

/// The port that the engine's refusal is about.
fn port_in(reason: &str) -> Option<u16> {
    let (_, after) = reason.split_once("127.0.0.1:")?;
    let digits = after.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok().filter(|port| *port > 0)
}

fn request(site: &Site<'_>, recipe: &Recipe, name: &str) -> ContainerRequest<GenericImage> {
    // A reference with a digest has its last colon there; name and tag are joined by one again.
    let reference = site.reference.as_str();
    let (image, tag) = reference.rsplit_once(':').unwrap_or((reference, "latest"));
    let (port, host_port) = (recipe.port, recipe.host_port.unwrap_or(0));
    let (limits, shared_memory) = (site.limits, recipe.shared_memory);
    let data = Mount {
        target: Some(recipe.data.to_owned()),
        source: Some(name.to_owned()),
        typ: Some(MountType::VOLUME),
        ..Mount::default()
    };
    let mut request = GenericImage::new(image, tag)
        .with_exposed_port(port.tcp())
        .with_container_name(name)
        .with_network(site.network)
        .with_labels(site.owner.labels())
        .with_startup_timeout(site.ready_timeout)
        .with_host_config_modifier(move |host: &mut HostConfig| {
            let binding = PortBinding {
                host_ip: Some("127.0.0.1".to_owned()),
                host_port: Some(host_port.to_string()),
            };
            host.publish_all_ports = Some(false);
            host.port_bindings =
                Some(HashMap::from([(format!("{port}/tcp"), Some(vec![binding]))]));
            host.mounts = Some(vec![data.clone()]);
            if let Some(bytes) = shared_memory {
                host.shm_size = i64::try_from(bytes).ok();
            }
            if let Some(limits) = &limits {
                limits.apply(host);
            }
        });
    for (key, value) in &recipe.env {
        request = request.with_env_var(*key, value);
    }
    for (path, text) in &recipe.files {
        // Readable by all, since images change to users of their own before they read it; writable by its
        // owner, since Kafka's image appends to a copy that has the same mode.
        let target = CopyTargetOptions::new(path).with_mode(0o644);
        request = request.with_copy_to(target, text.expose().as_bytes().to_vec());
    }
    if !recipe.args.is_empty() {
        request = request.with_cmd(recipe.args.clone());
    }
    request
}

/// Why a container did not come up, as one line.
async fn not_started(site: &Site<'_>, name: &str, error: TestcontainersError) -> ProviderError {
    let component = site.component;
    let reason = match &error {
        TestcontainersError::Client(
            ClientError::Init(error)
            | ClientError::CreateContainer(error)
            | ClientError::StartContainer(error)
            | ClientError::UploadToContainerError(error),
        ) => words(error),
        TestcontainersError::Client(ClientError::PullImage { err, .. }) => {
            let image = site.reference.to_string();
            return DockerError::NoImage { component, image, reason: words(err) }.into();
        }
        other => one_line(&other.to_string()),
    };
    if ["port is already allocated", "address already in use"]
        .iter()
        .any(|text| reason.contains(text))
    {
        return DockerError::PortTaken { component, port: port_in(&reason) }.into();
    }
    // It may have started and ended at once: then its own words say more.
    let docker = &site.engine.docker;
    let state = docker.inspect_container(name, None::<InspectContainerOptions>).await;
    if let Some(state) = state.ok().and_then(|found| found.state) {
        let started = state.started_at.as_deref().is_some_and(|at| !at.starts_with("0001-"));
        if started && state.running != Some(true) {
            return ProviderError::FailedToStart {
                component,
                implementation: product(component).to_owned(),
                status: status(&state),
                log_tail: log_tail(docker, name).await,
            };
        }
    }
    DockerError::Refused { what: format!("start {}", product(component)), reason }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_what_engines_say() {
        for said in [
            "driver failed programming external connectivity on endpoint x (3c2f): Bind for 127.0.0.1:40123 failed: port is already allocated",
            "Error starting userland proxy: listen tcp4 127.0.0.1:40123: bind: address already in use",
        ] {
            assert_eq!(port_in(said), Some(40_123), "{said}");
        }
        assert_eq!(port_in("port is already allocated"), None);
        assert_eq!(port_in("127.0.0.1:0 is taken"), None);
    }
}
