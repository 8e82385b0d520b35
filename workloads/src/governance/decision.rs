//! A decision from its creation to its end, checked on the way.

use std::future::Future;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

use super::names::GovernanceNames;
use super::observed::Counters;
use crate::clock::Clock;
use crate::driver::platform::{
    Answer, DecisionStatus, DecisionType, GovernanceClient, MedallionLayer, NewDecision,
    PromotionStep, RaciRole, Vote,
};
use crate::driver::{Done, DriverError};
use crate::lane;
use crate::payload::splitmix;
use crate::recorder::{Lane, Span};

/// Ids of acknowledged decisions that are kept to be looked for in the audit chain.
const KEPT: usize = 10_000;
/// Every so many decisions one is rejected, one vetoed, one voted on twice.
const SHARE: u64 = 10;

/// Lanes of the requests that make up a decision.
pub(super) struct Lanes {
    pub(super) create: Lane,
    pub(super) submit: Lane,
    pub(super) approve: Lane,
    pub(super) veto: Lane,
    pub(super) override_: Lane,
    pub(super) get: Lane,
}

/// What every decision of a run shares.
pub(super) struct Decisions {
    pub(super) clock: Clock,
    pub(super) client: GovernanceClient,
    pub(super) names: GovernanceNames,
    pub(super) seed: u64,
    pub(super) lanes: Lanes,
    pub(super) counters: Counters,
    pub(super) numbers: AtomicU64,
    pub(super) acknowledged: Mutex<Vec<Uuid>>,
}

/// How a decision ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    Approved { vote_twice: bool },
    Rejected,
    Vetoed,
}

impl Course {
    fn of(draw: u64) -> Self {
        match draw % SHARE {
            0 => Self::Rejected,
            1 => Self::Vetoed,
            share => Self::Approved { vote_twice: share == 2 },
        }
    }
}

/// Requests one after the other. Each is due when the one before has ended.
struct Steps<'a> {
    clock: &'a Clock,
    due_ns: u64,
    retries: u32,
}

impl Steps<'_> {
    async fn take<T>(
        &mut self,
        lane: &Lane,
        request: impl Future<Output = Result<Done<T>, DriverError>>,
    ) -> Result<T, DriverError> {
        lane.offer(self.due_ns);
        lane.begin();
        let start_ns = self.clock.now_ns();
        let result = request.await;
        let end_ns = self.clock.now_ns();
        let recorded = result.as_ref().map(|done| Done { value: 0, retries: done.retries });
        lane::record(lane, Span { intended_ns: self.due_ns, start_ns, end_ns }, &recorded);
        self.due_ns = end_ns;
        let done = result?;
        self.retries += done.retries;
        Ok(done.value)
    }
}

impl Decisions {
    /// Runs one decision. It fails where a request does, or where the platform breaks a promise.
    pub(super) async fn run(&self, intended_ns: u64) -> Result<Done<u64>, DriverError> {
        let mut steps = Steps { clock: &self.clock, due_ns: intended_ns, retries: 0 };
        let course = Course::of(splitmix(intended_ns ^ self.seed));
        let new = self.new_decision();
        let created = steps.take(&self.lanes.create, self.client.create(&new)).await?;
        let id = created.id;
        self.keep(id);
        let responsible = self.names.user(RaciRole::Responsible);
        let accountable = self.names.user(RaciRole::Accountable);
        steps.take(&self.lanes.submit, self.client.submit(id, &responsible)).await?;
        let expected = match course {
            Course::Approved { vote_twice } => {
                self.vote(&mut steps, id, &responsible, Vote::Approve).await?;
                if vote_twice {
                    self.vote_again(&mut steps, id, &responsible).await?;
                }
                self.vote(&mut steps, id, &accountable, Vote::Approve).await?;
                DecisionStatus::Approved
            }
            Course::Rejected => {
                self.vote(&mut steps, id, &responsible, Vote::Reject).await?;
                DecisionStatus::Rejected
            }
            Course::Vetoed => {
                let veto = self.client.veto(id, &responsible, "odg-bench: one of ten");
                let veto = steps.take(&self.lanes.veto, veto).await?;
                let overridden = self.client.override_veto(id, veto.id, &accountable);
                steps.take(&self.lanes.override_, overridden).await?;
                DecisionStatus::Vetoed
            }
        };
        let read = steps.take(&self.lanes.get, self.client.get(id)).await?;
        let differs = new.differs(&read).map(|why| format!("decision {id}: {why}"));
        let stuck = (read.status != expected)
            .then(|| format!("decision {id} is {:?}, expected {expected:?}", read.status));
        let broken = differs.clone().or_else(|| stuck.clone());
        self.counters.read_back.add(differs);
        self.counters.final_state.add(stuck);
        match broken {
            None => Ok(Done { value: 0, retries: steps.retries }),
            Some(why) => Err(DriverError::wrong_answer("governance-engine", "decide", why)),
        }
    }

    fn new_decision(&self) -> NewDecision {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        NewDecision {
            decision_type: DecisionType::DataPromotion,
            title: self.names.title(number),
            description: format!("Made by odg-bench; nobody has to act on it. № {number}"),
            domain_id: self.names.domain(),
            created_by: self.names.user(RaciRole::Accountable),
            promotion: Some(PromotionStep {
                source_layer: MedallionLayer::Silver,
                target_layer: MedallionLayer::Gold,
            }),
        }
    }

    fn keep(&self, id: Uuid) {
        let mut kept = self.acknowledged.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(id);
        }
    }

    async fn vote(
        &self,
        steps: &mut Steps<'_>,
        id: Uuid,
        voter: &str,
        vote: Vote,
    ) -> Result<(), DriverError> {
        let cast = self.client.vote(id, voter, vote, "odg-bench");
        steps.take(&self.lanes.approve, cast).await.map(drop)
    }

    /// Votes a second time, which must be refused, and looks whether the first vote is the only one. It is
    /// a check and no operation: a refusal is answered faster than a vote.
    async fn vote_again(
        &self,
        steps: &mut Steps<'_>,
        id: Uuid,
        voter: &str,
    ) -> Result<(), DriverError> {
        let again = self.client.try_vote(id, voter, Vote::Approve, "odg-bench: again").await?.value;
        let votes = self.client.approvals(id).await?.value;
        steps.due_ns = self.clock.now_ns();
        let count = votes.iter().filter(|v| v.voter_id == voter).count();
        let why = broken_vote(&again, count).map(|why| format!("decision {id}: {why}"));
        self.counters.one_vote.add(why.clone());
        match why {
            None => Ok(()),
            Some(why) => Err(DriverError::wrong_answer("governance-engine", "vote twice", why)),
        }
    }
}

/// What is wrong with the answer to a second vote and the number of votes listed.
fn broken_vote(again: &Answer, listed: usize) -> Option<String> {
    if again.status < 400 {
        return Some(format!("a second vote was not refused but answered {}", again.shown()));
    }
    (listed != 1).then(|| format!("{listed} votes of one voter are listed, expected 1"))
}
