//! Removes everything of a run when it ends, whichever way.

use std::time::Duration;

use bollard::Docker;
use odg_profiles::Component;

use super::blocking::block_on;
use super::container;
use super::engine::Engine;
use super::sweep;
use super::under_way::UnderWay;

/// How long what was being created when the run ended may take until it is there to be removed.
const CREATED_WITHIN: Duration = Duration::from_secs(30);
/// How long it is looked for where its creation was cut off, so that nobody can tell when it is over.
const LATE: Duration = Duration::from_secs(5);

/// Removes everything of a run when dropped, unless it was told that nothing is left.
pub(super) struct Guard {
    removal: Removal,
    clean: bool,
}

/// What there is to remove, and how.
#[derive(Clone)]
struct Removal {
    run: String,
    components: Vec<Component>,
    under_way: UnderWay,
}

impl Guard {
    /// Guards a run of these components.
    pub(super) fn new(run: &str, components: &[Component]) -> Self {
        let removal = Removal {
            run: run.to_owned(),
            components: components.to_vec(),
            under_way: UnderWay::new(),
        };
        Self { removal, clean: false }
    }

    /// Through which everything is made.
    pub(super) fn under_way(&self) -> &UnderWay {
        &self.removal.under_way
    }

    /// Removes everything now; says what could not be removed.
    pub(super) async fn remove(mut self, docker: &Docker) -> Vec<String> {
        let problems = self.removal.run(docker).await;
        self.clean = true;
        problems
    }

    /// Leaves everything as it is, where an engine that does not answer could not remove it; says what.
    pub(super) fn give_up(mut self) -> String {
        self.clean = true;
        self.removal.may_be_left("it does not answer")
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.clean {
            return;
        }
        let removal = self.removal.clone();
        block_on(async move {
            let problems = match Engine::connect().await {
                Ok(engine) => removal.run(&engine.docker).await,
                Err(error) => vec![removal.may_be_left(&error.to_string())],
            };
            for problem in problems {
                tracing::error!(%problem, "`odg-bench clean` removes what is left of a run");
            }
        });
    }
}

impl Removal {
    async fn run(&self, docker: &Docker) -> Vec<String> {
        let certain = self.under_way.all_ended(CREATED_WITHIN).await;
        let late = if certain { Duration::ZERO } else { LATE };
        match sweep::remove_run(docker, &self.run, late).await {
            Ok(problems) => problems,
            Err(error) => vec![self.may_be_left(&error.to_string())],
        }
    }

    fn may_be_left(&self, reason: &str) -> String {
        let names = self.components.iter().map(|component| container::name(&self.run, *component));
        format!(
            "the container engine could not be asked to remove network {} and containers and volumes {} \
             ({reason}); run `odg-bench clean` once it answers",
            network(&self.run),
            names.collect::<Vec<_>>().join(", ")
        )
    }
}

/// Name of a run's network.
pub(super) fn network(run: &str) -> String {
    format!("odg-bench-{run}")
}
