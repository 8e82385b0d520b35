//! Removing what runs have left in an engine: of one run at its end, and of dead ones by `odg-bench clean`.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::models::ContainerSummaryStateEnum;
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListNetworksOptionsBuilder, ListVolumesOptionsBuilder,
    RemoveContainerOptionsBuilder, RemoveVolumeOptionsBuilder,
};
use futures::future::join_all;

use super::engine::Engine;
use super::error::{DockerError, is_missing, words};
use super::labels::{Life, Owner, RUN};

/// How long removing one run may take. The engine can refuse while it is still busy with the same thing.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(100);
/// What the last questions may take on top of that.
const LAST: Duration = Duration::from_secs(10);

/// What a thing in the engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A container.
    Container,
    /// A network.
    Network,
    /// A volume.
    Volume,
}

impl Kind {
    /// The word, for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Network => "network",
            Self::Volume => "volume",
        }
    }
}

/// Something in the engine with the label of a run.
#[derive(Debug, Clone)]
pub(super) struct Labelled {
    pub kind: Kind,
    /// What the engine removes it by.
    id: String,
    pub name: String,
    pub owner: Option<Owner>,
    /// Whether it is a container that runs.
    pub running: bool,
}

/// Everything with the label of `run`, or of any run; containers first, since they hold on to the rest.
pub(super) async fn labelled(
    docker: &Docker,
    run: Option<&str>,
) -> Result<Vec<Labelled>, DockerError> {
    let label = run.map_or_else(|| RUN.to_owned(), |run| format!("{RUN}={run}"));
    let filters: HashMap<&str, Vec<&str>> = HashMap::from([("label", vec![label.as_str()])]);
    let refused = |what: &str, error| DockerError::refused(format!("list its {what}"), &error);
    let owner = |labels: &Option<HashMap<String, String>>| labels.as_ref().and_then(Owner::read);
    let mut all = Vec::new();

    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let containers =
        docker.list_containers(Some(options)).await.map_err(|e| refused("containers", e))?;
    all.extend(containers.into_iter().map(|found| {
        let id = found.id.unwrap_or_default();
        let name = found.names.and_then(|names| names.into_iter().next());
        Labelled {
            kind: Kind::Container,
            name: name.map_or_else(|| id.clone(), |name| name.trim_start_matches('/').to_owned()),
            owner: owner(&found.labels),
            running: found.state == Some(ContainerSummaryStateEnum::RUNNING),
            id,
        }
    }));
    let options = ListNetworksOptionsBuilder::new().filters(&filters).build();
    let networks = docker.list_networks(Some(options)).await.map_err(|e| refused("networks", e))?;
    all.extend(networks.into_iter().map(|found| Labelled {
        kind: Kind::Network,
        id: found.id.unwrap_or_default(),
        name: found.name.unwrap_or_default(),
        owner: owner(&found.labels),
        running: false,
    }));
    let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
    let volumes = docker.list_volumes(Some(options)).await.map_err(|e| refused("volumes", e))?;
    all.extend(volumes.volumes.into_iter().flatten().map(|found| Labelled {
        kind: Kind::Volume,
        id: found.name.clone(),
        name: found.name,
        owner: Owner::read(&found.labels),
        running: false,
    }));
    Ok(all)
}

/// Removes one thing; a container's unnamed volumes with it. What is gone already is no error.
async fn remove(docker: &Docker, thing: &Labelled) -> Result<(), bollard::errors::Error> {
    let removed = match thing.kind {
        Kind::Container => {
            let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
            docker.remove_container(&thing.id, Some(options)).await
        }
        Kind::Network => docker.remove_network(&thing.id).await,
        Kind::Volume => {
            let options = RemoveVolumeOptionsBuilder::new().force(true).build();
            docker.remove_volume(&thing.id, Some(options)).await
        }
    };
    match removed {
        Err(error) if is_missing(&error) => Ok(()),
        other => other,
    }
}

/// Removes everything of one run, however often the engine must be asked. What still comes up within `late`
/// (a container whose creation was cut off) is removed as well. Returns what could not be.
///
/// # Errors
/// The engine does not answer, or refuses to list what it has.
pub(super) async fn remove_run(
    docker: &Docker,
    run: &str,
    late: Duration,
) -> Result<Vec<String>, DockerError> {
    let deadline = Instant::now() + PATIENCE.max(late);
    let late = Instant::now() + late;
    let mut problems = Vec::new();
    loop {
        let listed = tokio::time::timeout_at((deadline + LAST).into(), labelled(docker, Some(run)));
        let all = listed.await.map_err(|_| DockerError::Refused {
            what: "list what a run has left".to_owned(),
            reason: format!("no answer within {} s", (PATIENCE + LAST).as_secs()),
        })??;
        if all.is_empty() && Instant::now() >= late {
            return Ok(Vec::new());
        }
        if !all.is_empty() && Instant::now() >= deadline {
            let still =
                |thing: &Labelled| format!("{} {} is still there", thing.kind.label(), thing.name);
            let silent = problems.is_empty();
            return Ok(if silent { all.iter().map(still).collect() } else { problems });
        }
        let removed = remove_all(docker, &all);
        if let Ok(found) = tokio::time::timeout_at((deadline + LAST).into(), removed).await {
            problems = found;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Removes all of these, those of a kind at once: containers first, which hold on to the rest.
async fn remove_all(docker: &Docker, all: &[Labelled]) -> Vec<String> {
    let (containers, rest): (Vec<_>, Vec<_>) =
        all.iter().partition(|thing| thing.kind == Kind::Container);
    let mut problems = Vec::new();
    for some in [containers, rest] {
        let removed = join_all(some.into_iter().map(|thing| async move {
            let error = remove(docker, thing).await.err()?;
            let (kind, name) = (thing.kind.label(), &thing.name);
            Some(format!("could not remove {kind} {name}: {}", words(&error)))
        }));
        problems.extend(removed.await.into_iter().flatten());
    }
    problems
}

/// What `sweep` found in the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The run's id.
    pub run: String,
    /// Why it stays, where it could not be removed or nobody here can tell whether its run still lives.
    pub problem: Option<String>,
}

/// Finds containers, networks and volumes of dead runs and, unless `dry_run`, removes them. What carries no
/// complete label of ours, and what belongs to a living run, stays.
pub(super) async fn sweep(engine: &Engine, dry_run: bool) -> Result<Vec<Leftover>, DockerError> {
    let here = Owner::this("");
    let mut found = Vec::new();
    let all = labelled(&engine.docker, None).await?;
    // The engine stops a run's containers with its machine and does not start them again.
    let run_of = |thing: &Labelled| thing.owner.as_ref().map(|owner| owner.run.clone());
    let running: HashSet<String> =
        all.iter().filter(|thing| thing.running).filter_map(run_of).collect();
    for thing in all {
        let Some(owner) = &thing.owner else { continue };
        let life = match owner.life(&here) {
            Life::OtherKernel if !running.contains(&owner.run) => Life::Dead,
            life => life,
        };
        let problem = match life {
            Life::Alive => continue,
            Life::OtherKernel => Some(
                "its containers run, and another machine started them; run `odg-bench clean` there, or \
                 remove it by hand"
                    .to_owned(),
            ),
            Life::Unknown => Some(
                "its run was started in another container, where alone its end can be told; \
                 run `odg-bench clean` there, or remove it by hand"
                    .to_owned(),
            ),
            Life::Dead if dry_run => None,
            Life::Dead => remove(&engine.docker, &thing).await.err().map(|error| words(&error)),
        };
        let (kind, name, run) = (thing.kind, thing.name.clone(), owner.run.clone());
        found.push(Leftover { kind, name, run, problem });
    }
    Ok(found)
}
