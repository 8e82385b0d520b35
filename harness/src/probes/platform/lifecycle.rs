//! Decisions made for the questions' sake.

use odg_workloads::driver::platform::{
    DecisionStatus, DecisionType, GovernanceClient, MedallionLayer, NewDecision, PromotionStep,
    RaciRole, Vote,
};
use odg_workloads::governance::GovernanceNames;
use uuid::Uuid;

use super::tally::{Shown, Trouble};

/// A decision that tests what a text may hold: quotes, a backslash, letters outside ASCII and outside the
/// basic plane. Its description goes through JSON, the database and the audit chain.
pub(super) fn decision(names: &GovernanceNames, number: u64) -> NewDecision {
    NewDecision {
        decision_type: DecisionType::DataPromotion,
        title: names.title(number),
        description: "Made by a probe of odg-bench: \"quoted\", a\\b, ção ✓ 😀".into(),
        domain_id: names.domain(),
        created_by: names.user(RaciRole::Accountable),
        promotion: Some(PromotionStep {
            source_layer: MedallionLayer::Bronze,
            target_layer: MedallionLayer::Silver,
        }),
    }
}

fn broken<T>(why: String) -> Result<T, Trouble> {
    Err(Trouble::Broken(why))
}

/// `Ok` where the decision is read with this status.
async fn reads(
    client: &GovernanceClient,
    id: Uuid,
    expected: DecisionStatus,
) -> Result<(), Trouble> {
    let status = client.get(id).await?.value.status;
    if status == expected {
        return Ok(());
    }
    broken(format!("decision {id} is read as {status:?}, expected {expected:?}"))
}

pub(super) async fn read_back(
    client: &GovernanceClient,
    names: &GovernanceNames,
    number: u64,
) -> Shown {
    let new = decision(names, number);
    let id = client.create(&new).await?.value.id;
    let read = client.get(id).await?.value;
    if let Some(why) = new.differs(&read) {
        return broken(format!("decision {id}: {why}"));
    }
    let listed = client.list(&names.domain(), 50, 0).await?.value;
    if listed.iter().all(|d| d.id != id) {
        return broken(format!("decision {id} is not on the first page of its domain"));
    }
    client.submit(id, &names.user(RaciRole::Responsible)).await?;
    reads(client, id, DecisionStatus::AwaitingApproval).await?;
    Ok(format!("decision {id}, field for field, and its new state"))
}

async fn submitted(
    client: &GovernanceClient,
    names: &GovernanceNames,
    number: u64,
) -> Result<Uuid, Trouble> {
    let id = client.create(&decision(names, number)).await?.value.id;
    client.submit(id, &names.user(RaciRole::Responsible)).await?;
    Ok(id)
}

pub(super) async fn one_vote(
    client: &GovernanceClient,
    names: &GovernanceNames,
    number: u64,
) -> Shown {
    let id = submitted(client, names, number).await?;
    let voter = names.user(RaciRole::Responsible);
    client.vote(id, &voter, Vote::Approve, "odg-bench").await?;
    let again = client.try_vote(id, &voter, Vote::Approve, "odg-bench: again").await?.value;
    let votes = client.approvals(id).await?.value;
    let count = votes.iter().filter(|vote| vote.voter_id == voter).count();
    if again.status < 400 || count != 1 {
        let answer = again.shown();
        return broken(format!(
            "decision {id}: a second vote was answered {answer}; {count} votes are listed"
        ));
    }
    Ok(format!("the second vote was refused with {}, one vote is listed", again.status))
}

pub(super) async fn final_state(
    client: &GovernanceClient,
    names: &GovernanceNames,
    number: u64,
) -> Shown {
    let approved = submitted(client, names, number).await?;
    for role in [RaciRole::Responsible, RaciRole::Accountable] {
        client.vote(approved, &names.user(role), Vote::Approve, "odg-bench").await?;
    }
    reads(client, approved, DecisionStatus::Approved).await?;
    let rejected = submitted(client, names, number).await?;
    client.vote(rejected, &names.user(RaciRole::Responsible), Vote::Reject, "odg-bench").await?;
    reads(client, rejected, DecisionStatus::Rejected).await?;
    Ok("approved after every vote, rejected after one".to_owned())
}
