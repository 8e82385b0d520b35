//! Findings of questions that are asked many times.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::{Duration, Instant};

use odg_reports::record::{FeatureResult, Verdict};
use odg_workloads::driver::{DriverError, ErrorKind};
use odg_workloads::governance::{Observation, Observed};

/// Longest that one question may take: several requests.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the platform promises about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// What was written is read back equal.
    ReadBack,
    /// One vote per voter.
    OneVote,
    /// All approvals lead to approved, one reject to rejected.
    FinalState,
    /// The audit chain holds from end to end.
    AuditChain,
    /// Two writers never fork the chain.
    OneChain,
    /// governance-engine refuses writes without a login.
    GovernanceLogin,
    /// Readiness turns false when a dependency is gone.
    Readiness,
    /// A promotion is one step forward.
    OneStep,
    /// lakehouse-agent refuses writes without a login.
    LakehouseLogin,
    /// A quality report is read back equal.
    ReportReadBack,
    /// quality-gate refuses writes without a login.
    QualityLogin,
}

impl Promise {
    /// Its row in the matrix.
    pub fn feature(self) -> &'static str {
        match self {
            Self::ReadBack => "governance: read back",
            Self::OneVote => "governance: one vote per voter",
            Self::FinalState => "governance: final state",
            Self::AuditChain => "governance: audit chain",
            Self::OneChain => "governance: one chain",
            Self::GovernanceLogin => "governance: login required",
            Self::Readiness => "governance: readiness",
            Self::OneStep => "lakehouse: one step forward",
            Self::LakehouseLogin => "lakehouse: login required",
            Self::ReportReadBack => "quality: report read back",
            Self::QualityLogin => "quality: login required",
        }
    }

    fn asked(self) -> &'static str {
        match self {
            Self::ReadBack => "create a decision, read it; submit it, read it again",
            Self::OneVote => "vote twice as one voter, list the votes",
            Self::FinalState => "approve as everyone who must, reject as one; read both",
            Self::AuditChain => {
                "recompute every hash and link of audit_events; what says the service?"
            }
            Self::OneChain => "create decisions at once; does any previous_hash stand in two rows?",
            Self::GovernanceLogin => "create a decision without a login",
            Self::Readiness => "stop the database; what says /ready?",
            Self::OneStep => "promote over a layer, and backwards",
            Self::LakehouseLogin => "ask for a promotion without a login",
            Self::ReportReadBack => "validate a dataset, read the report",
            Self::QualityLogin => "validate a dataset without a login",
        }
    }

    /// Whether the exit code depends on it. The platform's reference version answers `/ready` without
    /// looking, and asks for a login at governance-engine only: the matrix shows that, and does not fail.
    fn required(self) -> bool {
        !matches!(self, Self::Readiness | Self::LakehouseLogin | Self::QualityLogin)
    }

    pub(super) fn finding(
        self,
        verdict: Verdict,
        answered: impl Into<String>,
        took: Duration,
    ) -> FeatureResult {
        FeatureResult {
            feature: self.feature().into(),
            promised: "present".into(),
            verdict,
            fidelity: None,
            asked: self.asked().into(),
            answered: answered.into(),
            took_ms: took.as_secs_f64() * 1e3,
            required: self.required(),
        }
    }
}

/// Why a promise could not be shown to hold.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It was broken, and this is how.
    Broken(String),
    /// The question could not be asked to its end.
    Unasked(String),
}

impl From<DriverError> for Trouble {
    fn from(error: DriverError) -> Self {
        match error.kind() {
            // A service under load, or away, breaks no promise about what it answers.
            ErrorKind::Timeout
            | ErrorKind::Connection
            | ErrorKind::Certificate
            | ErrorKind::Throttled
            | ErrorKind::Server
            | ErrorKind::Full
            | ErrorKind::Cancelled => Self::Unasked(error.to_string()),
            _ => Self::Broken(error.to_string()),
        }
    }
}

pub(super) type Shown = Result<String, Trouble>;

/// Everything that was found about one promise.
#[derive(Debug, Default)]
struct Tally {
    held: u64,
    last: String,
    broken: u64,
    first_broken: Option<String>,
    unasked: u64,
    why_unasked: Option<String>,
    took: Duration,
}

/// Everything that was found.
#[derive(Debug, Default)]
pub(super) struct Tallies(BTreeMap<Promise, Tally>);

impl Tallies {
    pub(super) async fn ask(&mut self, promise: Promise, question: impl Future<Output = Shown>) {
        let started = Instant::now();
        let answer = tokio::time::timeout(PATIENCE, question).await.unwrap_or_else(|_| {
            Err(Trouble::Unasked(format!("no answer within {} s", PATIENCE.as_secs())))
        });
        let tally = self.0.entry(promise).or_default();
        tally.took = tally.took.max(started.elapsed());
        match answer {
            Ok(text) => {
                tally.held += 1;
                tally.last = text;
            }
            Err(Trouble::Broken(why)) => {
                tally.broken += 1;
                tally.first_broken.get_or_insert(why);
            }
            Err(Trouble::Unasked(why)) => {
                tally.unasked += 1;
                tally.why_unasked.get_or_insert(why);
            }
        }
    }

    /// One finding per promise, with what the load saw of it.
    pub(super) fn findings(&self, observed: &Observed) -> Vec<FeatureResult> {
        let nothing = Observation::default();
        self.0
            .iter()
            .map(|(promise, tally)| {
                let by_load = match promise {
                    Promise::ReadBack => &observed.read_back,
                    Promise::OneVote => &observed.one_vote,
                    Promise::FinalState => &observed.final_state,
                    _ => &nothing,
                };
                tally.finding(*promise, by_load)
            })
            .collect()
    }
}

impl Tally {
    fn finding(&self, promise: Promise, load: &Observation) -> FeatureResult {
        let asked = self.held + self.broken + self.unasked;
        let mut counts = format!("; asked {asked} times");
        if load.checked > 0 {
            counts.push_str(&format!(", and by {} decisions of the load", load.checked));
        }
        let broken = self.broken + load.broken;
        let first = self.first_broken.as_ref().or(load.first.as_ref());
        let (verdict, answered) = match (first, self.held + load.checked) {
            (Some(why), _) => (Verdict::Fail, format!("{why}; broken {broken} times{counts}")),
            (None, 0) => {
                let why = self.why_unasked.as_deref().unwrap_or_default();
                (Verdict::NotVerified, format!("could not be asked: {why}"))
            }
            (None, _) => {
                if let Some(why) = &self.why_unasked {
                    counts.push_str(&format!(", {} of them without an end: {why}", self.unasked));
                }
                (Verdict::Pass, format!("{}{counts}", self.last))
            }
        };
        promise.finding(verdict, answered, self.took)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn shown(answers: Vec<Shown>, observed: &Observed) -> FeatureResult {
        let mut tallies = Tallies::default();
        for answer in answers {
            tallies.ask(Promise::FinalState, async { answer }).await;
        }
        tallies.findings(observed).remove(0)
    }

    fn away() -> Shown {
        Err(Trouble::Unasked("no answer".into()))
    }

    #[tokio::test]
    async fn a_promise_broken_once_fails_however_often_it_held() {
        let broken = || Err(Trouble::Broken("decision 7 is stuck".into()));
        let found = shown(vec![Ok("fine".into()), broken(), away()], &Observed::default()).await;
        assert_eq!(found.verdict, Verdict::Fail);
        assert!(found.answered.contains("decision 7 is stuck; broken 1 times; asked 3 times"));
    }

    #[tokio::test]
    async fn what_the_load_saw_broken_fails_too() {
        let first = Some("decision 9 is pending".to_owned());
        let final_state = Observation { checked: 40, broken: 2, first };
        let observed = Observed { final_state, ..Observed::default() };
        let found = shown(vec![Ok("fine".into())], &observed).await;
        assert_eq!(found.verdict, Verdict::Fail);
        assert!(found.answered.contains("decision 9") && found.answered.contains("40 decisions"));
    }

    #[tokio::test]
    async fn a_service_that_is_away_breaks_no_promise_and_passes_none() {
        let found = shown(vec![away(), away()], &Observed::default()).await;
        assert_eq!(found.verdict, Verdict::NotVerified);
        let found = shown(vec![Ok("fine".into()), away()], &Observed::default()).await;
        assert_eq!(found.verdict, Verdict::Pass);
        assert!(found.answered.contains("1 of them without an end"), "{}", found.answered);
    }
}
