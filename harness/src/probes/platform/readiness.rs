//! Readiness: it must turn false while the database is gone, and true again when it is back.

use std::io;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use odg_profiles::Component;
use odg_reports::record::{FeatureResult, Verdict};
use odg_workloads::driver::platform::GovernanceClient;
use odg_workloads::endpoint::HttpEndpoint;

use super::tally::Promise;
use crate::provider::Stack;

/// Time for readiness to turn: three of the platform's own readiness periods (5 s).
const TURNS_WITHIN: Duration = Duration::from_secs(15);
/// Time for it to turn back: connections to a database that stood still must be found dead first.
const BACK_WITHIN: Duration = Duration::from_secs(45);
/// Pause between two questions.
const PAUSE: Duration = Duration::from_millis(250);

/// A dependency that can be stopped for a while.
pub trait Pausable {
    /// Stops it. It keeps its connections and answers nothing.
    ///
    /// # Errors
    /// Where it is not ours to stop.
    fn pause(&self) -> io::Result<()>;
    /// Lets it go on.
    ///
    /// # Errors
    /// Where it is gone.
    fn resume(&self) -> io::Result<()>;
}

/// The stack's PostgreSQL, where the provider started it.
impl Pausable for Stack {
    fn pause(&self) -> io::Result<()> {
        self.signal(Component::Postgresql, Signal::SIGSTOP)
    }

    fn resume(&self) -> io::Result<()> {
        self.signal(Component::Postgresql, Signal::SIGCONT)
    }
}

/// Lets a paused dependency go on, also where the question is given up.
struct Paused<'a>(Option<&'a dyn Pausable>);

impl Paused<'_> {
    fn resume(&mut self) -> io::Result<()> {
        self.0.take().map_or(Ok(()), Pausable::resume)
    }
}

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.resume() {
            tracing::warn!(%error, "letting the database go on");
        }
    }
}

/// Stops the database for a while and asks for readiness. Call it when nothing else runs.
pub async fn readiness(endpoint: &HttpEndpoint, database: &dyn Pausable) -> FeatureResult {
    let started = Instant::now();
    let (verdict, answered) = ask(endpoint, database).await;
    Promise::Readiness.finding(verdict, answered, started.elapsed())
}

async fn ask(endpoint: &HttpEndpoint, database: &dyn Pausable) -> (Verdict, String) {
    let client = match GovernanceClient::new(endpoint) {
        Ok(client) => client,
        Err(error) => return (Verdict::NotVerified, error.to_string()),
    };
    if let Err(before) = ready(&client).await {
        return (Verdict::Fail, format!("not ready to begin with: {before}"));
    }
    if let Err(error) = database.pause() {
        let why =
            format!("the database is not this run's to stop ({error}); it says that it is ready");
        return (Verdict::NotVerified, why);
    }
    let mut paused = Paused(Some(database));
    let turned = until(&client, false, TURNS_WITHIN).await;
    if let Err(error) = paused.resume() {
        return (Verdict::NotVerified, format!("the database could not be let go on: {error}"));
    }
    let back = until(&client, true, BACK_WITHIN).await;
    match (turned, back) {
        (Some((after, answer)), Some((later, _))) => {
            let (after, later) = (after.as_secs_f64(), later.as_secs_f64());
            (
                Verdict::Pass,
                format!("{answer} after {after:.1} s, and ready again after {later:.1} s"),
            )
        }
        (None, _) => {
            let seconds = TURNS_WITHIN.as_secs();
            (Verdict::Fail, format!("still ready {seconds} s after the database stopped answering"))
        }
        (Some(_), None) => {
            let seconds = BACK_WITHIN.as_secs();
            (Verdict::Fail, format!("not ready {seconds} s after the database was back"))
        }
    }
}

/// `Ok` where the service says that it is ready; what it said, or did not, otherwise.
async fn ready(client: &GovernanceClient) -> Result<(), String> {
    match client.ready().await {
        Ok(answer) if answer.status == 200 => Ok(()),
        Ok(answer) => Err(answer.shown()),
        Err(error) => Err(error.to_string()),
    }
}

/// Asks until readiness is as `wanted`; answers how long it took and what was said then.
async fn until(
    client: &GovernanceClient,
    wanted: bool,
    within: Duration,
) -> Option<(Duration, String)> {
    let started = Instant::now();
    while started.elapsed() < within {
        let answer = ready(client).await;
        if answer.is_ok() == wanted {
            return Some((started.elapsed(), answer.err().unwrap_or_default()));
        }
        tokio::time::sleep(PAUSE).await;
    }
    None
}
