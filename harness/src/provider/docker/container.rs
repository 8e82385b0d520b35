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
use testcontainers::{ContainerAsync, ContainerRequest, CopyTargetOptions, GenericImage, ImageExt};

use super::engine::Engine;
use super::error::{DockerError, one_line, words};
use super::images::Image;
use super::labels::Owner;
use super::limits::Limits;
use super::recipe::{Recipe, product};
use super::watch::{Watch, log_tail, status};
use crate::provider::answer::Answer;
use crate::provider::ready::{self, NotReady};
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
}

/// A container that answers.
pub(super) struct Started {
    pub answer: Answer,
    pub version: String,
    pub ready_ms: u64,
    pub container: Container,
}

/// A running container, watched. Dropping it removes it.
pub(super) struct Container {
    pub component: Component,
    pub watch: Watch,
    pub grace: Duration,
    pub handle: ContainerAsync<GenericImage>,
    reserved: Reserved,
}

/// A port that is kept from other servers of this process.
struct Reserved(Option<u16>);

impl Drop for Reserved {
    fn drop(&mut self) {
        ports::release(self.0.as_slice());
    }
}

impl Container {
    /// Takes the handle out; the port is free again when this is dropped.
    pub(super) fn into_handle(self) -> ContainerAsync<GenericImage> {
        let Self { handle, watch, reserved, .. } = self;
        drop((watch, reserved));
        handle
    }
}

/// Starts one component by its recipe and waits until it has answered a real request.
pub(super) async fn start(site: Site<'_>, recipe: Recipe) -> Result<Started, ProviderError> {
    let began = Instant::now();
    let component = site.component;
    let reserved = Reserved(recipe.host_port);
    let name = format!("odg-bench-{}-{}", site.owner.run, component.name());
    let volume = VolumeCreateRequest {
        name: Some(name.clone()),
        labels: Some(site.owner.labels()),
        ..VolumeCreateRequest::default()
    };
    site.engine
        .docker
        .create_volume(volume)
        .await
        .map_err(|error| DockerError::refused(format!("create volume {name}"), &error))?;

    let handle = match request(&site, &recipe, &name).start().await {
        Ok(handle) => handle,
        Err(error) => return Err(not_started(&site, &recipe, &name, error).await),
    };
    let watch = Watch::start(&site.engine.docker, handle.id(), site.log.clone());
    let container = Container { component, watch, grace: recipe.grace, handle, reserved };
    let port = match container.handle.get_host_port_ipv4(recipe.port.tcp()).await {
        Ok(port) => port,
        Err(error) => return Err(not_started(&site, &recipe, &name, error).await),
    };
    let answer = (recipe.answer)(port);
    let ended = || container.watch.ended().map(|ended| ended.status);
    let asked = ready::wait(port, site.ready_timeout, ended, || ready::ask(&answer)).await;
    let version = match asked {
        Ok(version) => version,
        Err(reason) => {
            let log_tail = log_tail(&site.engine.docker, container.handle.id()).await;
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
    let version = version.or(site.image.version).unwrap_or_else(|| "unknown".to_owned());
    let ready_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Started { answer, version, ready_ms, container })
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
async fn not_started(
    site: &Site<'_>,
    recipe: &Recipe,
    name: &str,
    error: TestcontainersError,
) -> ProviderError {
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
        return DockerError::PortTaken { component, port: recipe.host_port.unwrap_or(0) }.into();
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
