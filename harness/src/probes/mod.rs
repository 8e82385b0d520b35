//! The feature matrix, first floor: each promised component is asked a real question and must give the
//! right answer; each absent one must not be there.
//!
//! A new component is one file here and one line in [`probe_all`].

mod kafka;
mod minio;
mod nats;
pub mod platform;
mod postgres;
mod redis;

use std::future::Future;
use std::time::{Duration, Instant};

use odg_profiles::{Component, Presence, Profile};
use odg_reports::record::{FeatureResult, Fidelity, Implementation, Verdict};
use odg_workloads::driver::{DriverError, Prefix};
use odg_workloads::endpoint::Endpoints;

/// Longest that a probe may wait for its answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest that a probe may take with connecting and with removing what it created.
const PROBE_TIMEOUT: Duration = Duration::from_secs(75);

/// What a probe found: what was asked is fixed by the probe, this is what answered.
type Answer = Result<String, DriverError>;

/// How the matrix is asked.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// The run's label; everything that probes create carries it.
    pub run: &'a str,
    /// Whether the stack is somebody else's: then what has no endpoint was not looked at.
    pub attached: bool,
    /// Whether a component that is promised and not among the endpoints fails.
    pub strict: bool,
    /// Whether nothing may be created.
    pub read_only: bool,
}

/// Asks every row of the matrix. A probe that gets the right answer removes what it created; what a failed one
/// leaves goes with the stack, or with the run's other things.
pub async fn probe_all(
    profile: &Profile,
    endpoints: &Endpoints,
    implementations: &[Implementation],
    asking: &Asking<'_>,
) -> Vec<FeatureResult> {
    let mut results = Vec::with_capacity(Component::ALL.len());
    let run = asking.run;
    for component in Component::ALL {
        let promised = profile.presence(component);
        let cell = Cell { component, promised, implementations, asking };
        results.push(match component {
            Component::Postgresql => {
                cell.ask(postgres::ASKED, endpoints.postgres.as_ref(), |e| postgres::probe(e, run))
                    .await
            }
            Component::Redis => {
                cell.ask(redis::ASKED, endpoints.redis.as_ref(), |e| redis::probe(e, run)).await
            }
            Component::Minio => {
                cell.ask(minio::ASKED, endpoints.s3.as_ref(), |e| minio::probe(e, run)).await
            }
            Component::Nats => {
                cell.ask(nats::ASKED, endpoints.nats.as_ref(), |e| nats::probe(e, run)).await
            }
            Component::Kafka => {
                cell.ask(kafka::ASKED, endpoints.kafka.as_ref(), |e| kafka::probe(e, run)).await
            }
            Component::Gpu => cell.gpu(),
            Component::MultiAz | Component::CosmosFederation => cell
                .elsewhere("one machine has one zone; providers kind and attach will show several"),
            _ if asking.attached => cell.elsewhere("this version has no probe for it"),
            _ => cell.elsewhere("this provider does not start it; provider attach will show it"),
        });
    }
    results
}

/// The prefix of what a probe creates, apart from the run's own things.
fn prefix(run: &str) -> Result<Prefix, DriverError> {
    Prefix::new(format!("odgbench-{run}-probe"))
}

/// `Ok` where what was found is what must be.
fn same<T: PartialEq + std::fmt::Debug>(
    found: T,
    expected: T,
    system: &'static str,
    operation: &str,
) -> Result<(), DriverError> {
    if found == expected {
        return Ok(());
    }
    let reason = format!("found {found:?}, expected {expected:?}");
    Err(DriverError::wrong_answer(system, operation, reason))
}

/// Asks, then removes what asking created: also where the answer is wrong or does not come.
async fn tidied<T>(
    system: &'static str,
    ask: impl Future<Output = Answer>,
    remove: impl Future<Output = Result<T, DriverError>>,
) -> Answer {
    tidied_within(ANSWER_TIMEOUT, system, ask, remove).await
}

async fn tidied_within<T>(
    limit: Duration,
    system: &'static str,
    ask: impl Future<Output = Answer>,
    remove: impl Future<Output = Result<T, DriverError>>,
) -> Answer {
    let answer = match tokio::time::timeout(limit, ask).await {
        Ok(answer) => answer,
        Err(_) => Err(DriverError::timeout(system, "probe", limit)),
    };
    let removed = remove.await;
    // The answer comes first: what went wrong there is often why the removal failed, too.
    let answer = answer?;
    removed?;
    Ok(answer)
}

/// One row of the matrix.
struct Cell<'a> {
    component: Component,
    promised: Presence,
    implementations: &'a [Implementation],
    asking: &'a Asking<'a>,
}

impl Cell<'_> {
    fn fidelity(&self) -> Option<Fidelity> {
        let answering = self.implementations.iter().find(|i| i.component == self.component.name());
        answering.map(|i| i.fidelity)
    }

    fn result(
        &self,
        verdict: Verdict,
        asked: &str,
        answered: String,
        took: Duration,
    ) -> FeatureResult {
        FeatureResult {
            feature: self.component.name().into(),
            promised: self.promised.name().into(),
            verdict,
            fidelity: self.fidelity(),
            asked: asked.into(),
            answered,
            took_ms: took.as_secs_f64() * 1e3,
            required: self.promised != Presence::Optional,
        }
    }

    /// A component that this build can probe.
    async fn ask<E, F: Future<Output = Answer>>(
        &self,
        asked: &str,
        endpoint: Option<E>,
        probe: impl FnOnce(E) -> F,
    ) -> FeatureResult {
        let Some(endpoint) = endpoint else {
            if self.asking.attached {
                return self.not_given();
            }
            let asked = "is there an endpoint or a process for it?";
            let verdict = match self.promised {
                Presence::Absent => Verdict::Pass,
                Presence::Optional => Verdict::NotVerified,
                Presence::Present => Verdict::Fail,
            };
            let answered = "the stack has neither".to_owned();
            return self.result(verdict, asked, answered, Duration::ZERO);
        };
        if self.promised == Presence::Absent {
            let answered = "it answers, though the profile promises that it is absent".to_owned();
            return self.result(Verdict::Fail, asked, answered, Duration::ZERO);
        }
        if self.asking.read_only {
            return self.not_written(asked);
        }
        let started = Instant::now();
        // Boxed: the drivers' futures nest deeper than the compiler follows a run's in one piece.
        let probing = Box::pin(probe(endpoint));
        let answer = tokio::time::timeout(PROBE_TIMEOUT, probing).await;
        let took = started.elapsed();
        match answer {
            Ok(Ok(answered)) => match self.fidelity() {
                // A test double can show that the harness works, never that the component does.
                Some(Fidelity::Fake) => {
                    let answered = format!("{answered}; but that is a fake, not the component");
                    self.result(Verdict::NotVerified, asked, answered, took)
                }
                _ => self.result(Verdict::Pass, asked, answered, took),
            },
            Ok(Err(error)) => self.result(Verdict::Fail, asked, error.to_string(), took),
            Err(_) => {
                let answered = format!("nothing within {} s", PROBE_TIMEOUT.as_secs());
                self.result(Verdict::Fail, asked, answered, took)
            }
        }
    }

    /// A component that somebody's stack may have, and that no endpoint was given for.
    fn not_given(&self) -> FeatureResult {
        let asked = "is it among the endpoints?";
        let wanted = self.asking.strict && self.promised == Presence::Present;
        let (verdict, answered) = if wanted {
            (Verdict::Fail, "not among the endpoints, and --strict wants it")
        } else {
            (Verdict::NotVerified, "not among the endpoints")
        };
        self.result(verdict, asked, answered.into(), Duration::ZERO)
    }

    /// A component of which nothing may be asked but who it is.
    fn not_written(&self, asked: &str) -> FeatureResult {
        let answering = self.implementations.iter().find(|i| i.component == self.component.name());
        let who = answering.map_or_else(
            || "it answers".to_owned(),
            |one| format!("{} {} answers at {}", one.name, one.version, one.endpoint),
        );
        let answered = format!("{who}; read-only, so no more was asked");
        self.result(Verdict::NotVerified, asked, answered, Duration::ZERO)
    }

    /// A row that this provider cannot show. Only absence can be seen: nothing of the stack is it.
    fn elsewhere(&self, why: &str) -> FeatureResult {
        let asked = "is anything of the stack it?";
        let there = self.implementations.iter().any(|i| i.component == self.component.name());
        let (verdict, answered) = match (self.promised, there) {
            // A list of endpoints does not show that a deployment has nothing else.
            (Presence::Absent, false) if self.asking.attached => {
                (Verdict::NotVerified, "no; what has no endpoint was not looked at")
            }
            (Presence::Absent, false) => (Verdict::Pass, "no; see the list of implementations"),
            (Presence::Absent, true) => (Verdict::Fail, "yes, though the profile promises none"),
            (Presence::Present | Presence::Optional, _) => (Verdict::NotVerified, why),
        };
        self.result(verdict, asked, answered.into(), Duration::ZERO)
    }

    fn gpu(&self) -> FeatureResult {
        if self.promised == Presence::Absent {
            return self.elsewhere("");
        }
        let started = Instant::now();
        let answered = match odg_kernels::device::discover() {
            Ok(devices) => {
                let names: Vec<&str> = devices.iter().map(|d| d.name.as_str()).collect();
                format!("{}; no expert inference was run on them", names.join(", "))
            }
            Err(error) => error.to_string(),
        };
        let asked = "which devices does the CUDA driver show?";
        self.result(Verdict::NotVerified, asked, answered, started.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Asking<'static> =
        Asking { run: "t", attached: false, strict: false, read_only: false };
    const THEIRS: Asking<'static> = Asking { attached: true, ..OURS };
    const STRICT: Asking<'static> = Asking { strict: true, ..THEIRS };
    const READ_ONLY: Asking<'static> = Asking { read_only: true, ..THEIRS };

    fn cell(component: Component, promised: Presence) -> Cell<'static> {
        Cell { component, promised, implementations: &[], asking: &OURS }
    }

    #[tokio::test]
    async fn what_was_not_given_fails_only_where_it_is_promised_and_strict() {
        let asked = async |promised, asking| {
            let cell = Cell { asking, ..cell(Component::Kafka, promised) };
            cell.ask("q", None, good).await.verdict
        };
        assert_eq!(asked(Presence::Present, &THEIRS).await, Verdict::NotVerified);
        assert_eq!(asked(Presence::Present, &STRICT).await, Verdict::Fail);
        assert_eq!(asked(Presence::Optional, &STRICT).await, Verdict::NotVerified);
        assert_eq!(asked(Presence::Absent, &STRICT).await, Verdict::NotVerified);
    }

    #[tokio::test]
    async fn a_probe_that_would_write_is_not_run_read_only() {
        let kafka = Cell { asking: &READ_ONLY, ..cell(Component::Kafka, Presence::Present) };
        let never = |_: &()| async { panic!("the probe was run") };
        assert_eq!(kafka.ask("q", Some(&()), never).await.verdict, Verdict::NotVerified);
    }

    async fn good(_: &()) -> Answer {
        Ok("right".into())
    }

    async fn bad(_: &()) -> Answer {
        Prefix::new("foreign").map(|_| String::new())
    }

    #[tokio::test]
    async fn a_present_component_passes_only_with_the_right_answer() {
        let kafka = cell(Component::Kafka, Presence::Present);
        assert_eq!(kafka.ask("q", Some(&()), good).await.verdict, Verdict::Pass);
        assert_eq!(kafka.ask("q", Some(&()), bad).await.verdict, Verdict::Fail);
        assert_eq!(kafka.ask("q", None, good).await.verdict, Verdict::Fail);
    }

    #[tokio::test]
    async fn what_a_probe_created_is_removed_whatever_it_is_answered() {
        let removals = std::cell::Cell::new(0);
        let remove = async || {
            removals.set(removals.get() + 1);
            Ok::<(), DriverError>(())
        };
        let limit = Duration::from_millis(20);
        assert!(tidied_within(limit, "x", good(&()), remove()).await.is_ok());
        assert!(tidied_within(limit, "x", bad(&()), remove()).await.is_err());
        let silent = std::future::pending();
        let error = tidied_within(limit, "x", silent, remove()).await.unwrap_err();
        assert_eq!(error.kind(), odg_workloads::driver::ErrorKind::Timeout);
        assert_eq!(removals.get(), 3);
        let left = async { Err::<(), _>(DriverError::wrong_answer("x", "remove", "still there")) };
        assert!(tidied_within(limit, "x", good(&()), left).await.is_err());
    }

    #[tokio::test]
    async fn an_absent_component_that_answers_fails() {
        let kafka = cell(Component::Kafka, Presence::Absent);
        assert_eq!(kafka.ask("q", Some(&()), good).await.verdict, Verdict::Fail);
        assert_eq!(kafka.ask("q", None, good).await.verdict, Verdict::Pass);
    }

    #[test]
    fn endpoints_never_show_that_something_is_absent() {
        let qdrant = Cell { asking: &THEIRS, ..cell(Component::Qdrant, Presence::Absent) };
        assert_eq!(qdrant.elsewhere("").verdict, Verdict::NotVerified);
        assert_eq!(cell(Component::Qdrant, Presence::Absent).elsewhere("").verdict, Verdict::Pass);
    }

    #[test]
    fn what_this_provider_cannot_show_is_not_verified_and_never_a_pass() {
        let zones = cell(Component::MultiAz, Presence::Present).elsewhere("one zone");
        assert_eq!(zones.verdict, Verdict::NotVerified);
        assert_eq!(cell(Component::Gpu, Presence::Present).gpu().verdict, Verdict::NotVerified);
    }
}
