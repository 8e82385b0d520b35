//! What must be refused, and the small services' promises.

use odg_workloads::driver::platform::{
    Answer, GovernanceClient, LakehouseClient, MedallionLayer, NewReport, Promotion, QualityClient,
};
use odg_workloads::governance::GovernanceNames;

use super::lifecycle::decision;
use super::tally::{Shown, Trouble};

/// A write without a login must be answered 401 or 403.
fn refused(answer: &Answer) -> Shown {
    match answer.status {
        401 | 403 => Ok(format!("refused with {}", answer.status)),
        500.. => Err(Trouble::Unasked(answer.shown())),
        _ => Err(Trouble::Broken(format!("it was answered {}", answer.shown()))),
    }
}

pub(super) async fn governance_login(client: &GovernanceClient, names: &GovernanceNames) -> Shown {
    refused(&client.create_anonymously(&decision(names, 0)).await?)
}

fn promotion(names: &GovernanceNames, from: MedallionLayer, to: MedallionLayer) -> Promotion {
    Promotion {
        domain_id: names.domain(),
        source_layer: from,
        target_layer: to,
        dataset_id: names.dataset(0),
        dq_score: 1.0,
    }
}

pub(super) async fn one_step(client: &LakehouseClient, names: &GovernanceNames) -> Shown {
    use MedallionLayer::{Bronze, Gold, Platinum, Silver};
    // None of these touches an object where it is refused, and none names a layer that one could be in.
    for (from, to) in [(Silver, Platinum), (Bronze, Gold), (Gold, Silver), (Silver, Silver)] {
        let answer = client.try_promote(&promotion(names, from, to), false).await?;
        match answer.status {
            400 | 422 => {}
            500.. => return Err(Trouble::Unasked(answer.shown())),
            _ => {
                let why = format!("{from:?} to {to:?} was answered {}", answer.shown());
                return Err(Trouble::Broken(why));
            }
        }
    }
    let forward = client.promote(&promotion(names, Silver, Gold)).await?.value;
    Ok(format!(
        "four wrong steps were refused, {:?} to {:?} was not",
        forward.source_layer, forward.target_layer
    ))
}

pub(super) async fn lakehouse_login(client: &LakehouseClient, names: &GovernanceNames) -> Shown {
    let step = promotion(names, MedallionLayer::Silver, MedallionLayer::Gold);
    refused(&client.try_promote(&step, true).await?)
}

fn report(names: &GovernanceNames) -> NewReport {
    NewReport {
        dataset_id: names.dataset(0),
        domain_id: names.domain(),
        layer: "silver".into(),
        suite_name: "default".into(),
    }
}

pub(super) async fn report_read_back(client: &QualityClient, names: &GovernanceNames) -> Shown {
    let made = client.validate(&report(names)).await?.value;
    let read = client.report(made.id).await?.value;
    if made != read {
        return Err(Trouble::Broken(format!("made {made:?}, read {read:?}")));
    }
    let (passed, total) = (made.expectations_passed, made.expectations_total);
    Ok(format!("report {}, score {}, {passed} of {total} expectations", made.id, made.dq_score))
}

pub(super) async fn quality_login(client: &QualityClient, names: &GovernanceNames) -> Shown {
    refused(&client.validate_anonymously(&report(names)).await?)
}
