//! governance-engine: decisions, votes, vetoes, roles, audit.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::http::{Answer, Call, HttpClient};
use super::types::{
    Approval, AuditEntry, Decision, DecisionStatus, DecisionType, PromotionStep, RaciRole, Role,
    Veto, VetoStatus, Vote,
};
use crate::driver::{Done, DriverError, ErrorKind};
use crate::endpoint::HttpEndpoint;

const SYSTEM: &str = "governance-engine";
const DECISIONS: [&str; 3] = ["api", "v1", "decisions"];
const ROLES: [&str; 3] = ["api", "v1", "roles"];
const AUDIT: [&str; 3] = ["api", "v1", "audit"];

/// A decision to ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewDecision {
    /// What it is about.
    pub decision_type: DecisionType,
    /// Title.
    pub title: String,
    /// Description.
    pub description: String,
    /// Domain.
    pub domain_id: String,
    /// Who asks.
    pub created_by: String,
    /// The step, for a promotion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promotion: Option<PromotionStep>,
}

impl NewDecision {
    /// The first field in which `read` is not what was written; `None` where all are.
    pub fn differs(&self, read: &Decision) -> Option<String> {
        let pairs = [
            ("title", self.title.as_str(), read.title.as_str()),
            ("description", &self.description, &read.description),
            ("domain_id", &self.domain_id, &read.domain_id),
            ("created_by", &self.created_by, &read.created_by),
        ];
        let text = pairs.into_iter().find(|(_, wrote, read)| wrote != read);
        let text =
            text.map(|(field, wrote, read)| format!("{field}: wrote {wrote:?}, read {read:?}"));
        text.or_else(|| {
            let (wrote, read) = (self.decision_type, read.decision_type);
            (wrote != read).then(|| format!("decision_type: wrote {wrote:?}, read {read:?}"))
        })
        .or_else(|| {
            let (wrote, read) = (&self.promotion, &read.promotion);
            (wrote != read).then(|| format!("promotion: wrote {wrote:?}, read {read:?}"))
        })
    }
}

#[derive(Serialize)]
struct Submit<'a> {
    actor_id: &'a str,
}

#[derive(Serialize)]
struct Ballot<'a> {
    voter_id: &'a str,
    vote: Vote,
    comment: &'a str,
}

#[derive(Serialize)]
struct Objection<'a> {
    vetoed_by: &'a str,
    reason: &'a str,
}

#[derive(Serialize)]
struct Override<'a> {
    overridden_by: &'a str,
}

#[derive(Serialize)]
struct Assignment<'a> {
    user_id: &'a str,
    domain_id: &'a str,
    role: RaciRole,
    assigned_by: &'a str,
}

#[derive(Deserialize)]
struct Validity {
    is_valid: bool,
}

/// A client of governance-engine. Cheap to clone; clones share connections and token.
#[derive(Debug, Clone)]
pub struct GovernanceClient {
    http: HttpClient,
}

impl GovernanceClient {
    /// A client; nothing is connected yet.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] for a URL, a certificate or a token that cannot be used.
    pub fn new(endpoint: &HttpEndpoint) -> Result<Self, DriverError> {
        Ok(Self { http: HttpClient::new(SYSTEM, endpoint)? })
    }

    /// What `/health` answers.
    ///
    /// # Errors
    /// Where nothing answers within seconds.
    pub async fn health(&self) -> Result<Answer, DriverError> {
        self.http.status_of("health").await
    }

    /// What `/ready` answers.
    ///
    /// # Errors
    /// Where nothing answers within seconds.
    pub async fn ready(&self) -> Result<Answer, DriverError> {
        self.http.status_of("ready").await
    }

    /// Creates a decision.
    ///
    /// # Errors
    /// As classified; one that is not answered may have been created.
    pub async fn create(&self, decision: &NewDecision) -> Result<Done<Decision>, DriverError> {
        let operation = "create a decision";
        let done = self.http.ask(Call::post(operation, &DECISIONS, decision), 201).await?;
        done.try_map(|created: Decision| {
            if created.status != DecisionStatus::Pending {
                return Err(wrong(operation, format!("a new decision is {:?}", created.status)));
            }
            match decision.differs(&created) {
                None => Ok(created),
                Some(why) => {
                    Err(wrong(operation, format!("the answer is another decision: {why}")))
                }
            }
        })
    }

    /// Tries to create a decision without saying who asks, and answers what came back.
    ///
    /// # Errors
    /// Where nothing answers.
    pub async fn create_anonymously(&self, decision: &NewDecision) -> Result<Answer, DriverError> {
        let call = Call::post("create a decision without a login", &DECISIONS, decision);
        Ok(self.http.send(&call.anonymous()).await?.value)
    }

    /// Submits a decision for approval.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] where it is not pending; anything else as classified.
    pub async fn submit(&self, id: Uuid, actor_id: &str) -> Result<Done<Decision>, DriverError> {
        let (operation, text) = ("submit a decision", id.to_string());
        let path = [&DECISIONS[..], &[&text, "submit"]].concat();
        let done = self.http.ask(Call::post(operation, &path, &Submit { actor_id }), 200).await?;
        done.try_map(|decision| same_id(operation, id, decision, |d: &Decision| d.id))
    }

    /// Casts a vote.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] in another state, without a role, or for a second vote.
    pub async fn vote(
        &self,
        id: Uuid,
        voter_id: &str,
        vote: Vote,
        comment: &str,
    ) -> Result<Done<Approval>, DriverError> {
        let operation = "cast a vote";
        let answer = self.try_vote(id, voter_id, vote, comment).await?;
        answer.try_map(|answer| {
            self.http.expect(operation, &answer, 201)?;
            let cast: Approval = serde_json::from_slice(&answer.body)
                .map_err(|e| wrong(operation, format!("cannot read the answer: {e}")))?;
            if cast.decision_id != id || cast.voter_id != voter_id || cast.vote != vote {
                return Err(wrong(operation, "the answer is another vote"));
            }
            Ok(cast)
        })
    }

    /// Casts a vote that may have to be refused, and answers what came back.
    ///
    /// # Errors
    /// Where nothing answers.
    pub async fn try_vote(
        &self,
        id: Uuid,
        voter_id: &str,
        vote: Vote,
        comment: &str,
    ) -> Result<Done<Answer>, DriverError> {
        let text = id.to_string();
        let path = [&DECISIONS[..], &[&text, "approve"]].concat();
        self.http.send(&Call::post("cast a vote", &path, &Ballot { voter_id, vote, comment })).await
    }

    /// The votes on a decision, oldest first.
    ///
    /// # Errors
    /// As classified.
    pub async fn approvals(&self, id: Uuid) -> Result<Done<Vec<Approval>>, DriverError> {
        let (operation, text) = ("list votes", id.to_string());
        let path = [&DECISIONS[..], &[&text, "approvals"]].concat();
        let done: Done<Vec<Approval>> = self.http.ask(Call::get(operation, &path), 200).await?;
        done.try_map(|votes| {
            if votes.iter().any(|vote| vote.decision_id != id) {
                return Err(wrong(operation, "the list holds votes on another decision"));
            }
            Ok(votes)
        })
    }

    /// Vetoes a decision.
    ///
    /// # Errors
    /// As classified.
    pub async fn veto(&self, id: Uuid, by: &str, reason: &str) -> Result<Done<Veto>, DriverError> {
        let (operation, text) = ("veto a decision", id.to_string());
        let path = [&DECISIONS[..], &[&text, "veto"]].concat();
        let body = Objection { vetoed_by: by, reason };
        let done: Done<Veto> = self.http.ask(Call::post(operation, &path, &body), 201).await?;
        done.try_map(|veto| {
            if veto.decision_id != id || veto.vetoed_by != by || veto.status != VetoStatus::Active {
                return Err(wrong(operation, "the answer is another veto"));
            }
            Ok(veto)
        })
    }

    /// Overrides a veto.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] where `by` has no higher rank; anything else as classified.
    pub async fn override_veto(
        &self,
        id: Uuid,
        veto: Uuid,
        by: &str,
    ) -> Result<Done<Veto>, DriverError> {
        let (operation, decision, text) = ("override a veto", id.to_string(), veto.to_string());
        let path = [&DECISIONS[..], &[&decision, "vetoes", &text, "override"]].concat();
        let body = Override { overridden_by: by };
        let done: Done<Veto> = self.http.ask(Call::post(operation, &path, &body), 200).await?;
        done.try_map(|answer| {
            let by_us = answer.overridden_by.as_deref() == Some(by);
            if answer.id != veto || answer.status != VetoStatus::Overridden || !by_us {
                return Err(wrong(operation, "the veto is not overridden by who overrode it"));
            }
            Ok(answer)
        })
    }

    /// A decision.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none; anything else as classified.
    pub async fn get(&self, id: Uuid) -> Result<Done<Decision>, DriverError> {
        let (operation, text) = ("read a decision", id.to_string());
        let path = [&DECISIONS[..], &[&text]].concat();
        let done = self.http.ask(Call::get(operation, &path), 200).await?;
        done.try_map(|decision| same_id(operation, id, decision, |d: &Decision| d.id))
    }

    /// A page of a domain's decisions, newest first.
    ///
    /// # Errors
    /// As classified; [`ErrorKind::Protocol`] where the page is longer than asked, holds another domain's
    /// decisions, or is not in order.
    pub async fn list(
        &self,
        domain_id: &str,
        limit: usize,
        offset: usize,
    ) -> Result<Done<Vec<Decision>>, DriverError> {
        let operation = "list decisions";
        let call = Call::get(operation, &DECISIONS)
            .query("domain_id", domain_id)
            .query("limit", limit)
            .query("offset", offset);
        let done: Done<Vec<Decision>> = self.http.ask(call, 200).await?;
        done.try_map(|page| {
            if page.len() > limit || page.iter().any(|d| d.domain_id != domain_id) {
                return Err(wrong(operation, "the page holds what was not asked for"));
            }
            if !page.is_sorted_by(|a, b| a.created_at >= b.created_at) {
                return Err(wrong(operation, "the page is not newest first"));
            }
            Ok(page)
        })
    }

    /// A page of audit events, newest first.
    ///
    /// # Errors
    /// As classified; [`ErrorKind::Protocol`] where the page is longer than asked or not in order.
    pub async fn audit(
        &self,
        limit: usize,
        offset: usize,
    ) -> Result<Done<Vec<AuditEntry>>, DriverError> {
        let operation = "list audit events";
        let call = Call::get(operation, &AUDIT).query("limit", limit).query("offset", offset);
        let done: Done<Vec<AuditEntry>> = self.http.ask(call, 200).await?;
        done.try_map(|page| {
            if page.len() > limit || !page.is_sorted_by(|a, b| a.occurred_at >= b.occurred_at) {
                return Err(wrong(operation, "the page is too long or not newest first"));
            }
            Ok(page)
        })
    }

    /// What the service says of its own audit chain.
    ///
    /// # Errors
    /// As classified.
    pub async fn verify(&self) -> Result<Done<bool>, DriverError> {
        let path = [&AUDIT[..], &["verify"]].concat();
        let done: Done<Validity> = self.http.ask(Call::get("verify the chain", &path), 200).await?;
        Ok(done.map(|validity| validity.is_valid))
    }

    /// Gives a user a role in a domain.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] where the user has one already; anything else as classified.
    pub async fn assign(
        &self,
        user_id: &str,
        domain_id: &str,
        role: RaciRole,
        assigned_by: &str,
    ) -> Result<Done<Role>, DriverError> {
        let operation = "assign a role";
        let body = Assignment { user_id, domain_id, role, assigned_by };
        let done: Done<Role> = self.http.ask(Call::post(operation, &ROLES, &body), 201).await?;
        done.try_map(|given| {
            if given.user_id != user_id || given.domain_id != domain_id || given.role != role {
                return Err(wrong(operation, "the answer is another role"));
            }
            Ok(given)
        })
    }

    /// Takes a role away; one that is gone already is fine.
    ///
    /// # Errors
    /// As classified.
    pub async fn revoke(&self, role: Uuid, revoked_by: &str) -> Result<Done<()>, DriverError> {
        let (operation, text) = ("revoke a role", role.to_string());
        let path = [&ROLES[..], &[&text]].concat();
        let call = Call::new(operation, reqwest::Method::DELETE, &path);
        let answer = self.http.send(&call.query("revoked_by", revoked_by)).await?;
        answer.try_map(|answer| match self.http.expect(operation, &answer, 204) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            result => result,
        })
    }

    /// The roles in a domain.
    ///
    /// # Errors
    /// As classified.
    pub async fn roles(&self, domain_id: &str) -> Result<Done<Vec<Role>>, DriverError> {
        let operation = "list roles";
        let path = [&ROLES[..], &["domain", domain_id]].concat();
        let done: Done<Vec<Role>> = self.http.ask(Call::get(operation, &path), 200).await?;
        done.try_map(|roles| {
            // They may be taken away next: none of another domain must be among them.
            if roles.iter().any(|role| role.domain_id != domain_id) {
                return Err(wrong(operation, "the list holds roles in another domain"));
            }
            Ok(roles)
        })
    }
}

fn wrong(operation: &str, reason: impl std::fmt::Display) -> DriverError {
    DriverError::wrong_answer(SYSTEM, operation, reason)
}

fn same_id<T>(
    operation: &str,
    asked: Uuid,
    answer: T,
    id: impl Fn(&T) -> Uuid,
) -> Result<T, DriverError> {
    match id(&answer) {
        found if found == asked => Ok(answer),
        found => Err(wrong(operation, format!("asked for {asked}, got {found}"))),
    }
}
