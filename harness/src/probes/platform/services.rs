//! Rows of the matrix for the services themselves: each that is attached is asked a real question.

use std::future::Future;
use std::time::{Duration, Instant};

use odg_profiles::{Presence, Profile};
use odg_reports::record::{FeatureResult, Implementation, Verdict};
use odg_workloads::driver::DriverError;
use odg_workloads::driver::platform::{GovernanceClient, LakehouseClient, QualityClient};
use odg_workloads::endpoint::PlatformEndpoints;
use odg_workloads::governance::GovernanceNames;
use uuid::Uuid;

/// Longest that one question may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// One row for each service that has an endpoint; none for the others, which no provider starts. Nothing
/// is written.
pub async fn services(
    profile: &Profile,
    platform: &PlatformEndpoints,
    implementations: &[Implementation],
    run: &str,
) -> Vec<FeatureResult> {
    let mut rows = Vec::new();
    let row = Row { profile, implementations };
    if let Some(endpoint) = &platform.governance_engine {
        let asked = "is it healthy, and what is listed in a new domain?";
        let answer = async {
            let client = GovernanceClient::new(endpoint)?;
            healthy(client.health().await?, "governance-engine")?;
            let listed = client.list(&GovernanceNames::new(run)?.domain(), 50, 0).await?.value;
            match listed.first() {
                None => Ok("healthy, and nothing".to_owned()),
                Some(other) => Err(DriverError::wrong_answer(
                    "governance-engine",
                    "list a new domain",
                    format!("decision {} is in it", other.id),
                )),
            }
        };
        rows.push(row.ask("governance-engine", asked, answer).await);
    }
    if let Some(endpoint) = &platform.lakehouse_agent {
        let asked = "is it healthy, and which buckets does it see?";
        let answer = async {
            let client = LakehouseClient::new(endpoint)?;
            healthy(client.health().await?, "lakehouse-agent")?;
            let buckets = client.buckets().await?.value;
            Ok(format!("healthy, and {} buckets", buckets.len()))
        };
        rows.push(row.ask("lakehouse-agent", asked, answer).await);
    }
    if let Some(endpoint) = &platform.quality_gate {
        let asked = "is it healthy, and does it know a report that nobody made?";
        let answer = async {
            let client = QualityClient::new(endpoint)?;
            healthy(client.health().await?, "quality-gate")?;
            match client.report(Uuid::from_u128(0)).await {
                Err(error) if error.kind() == odg_workloads::driver::ErrorKind::NotFound => {
                    Ok("healthy, and no".to_owned())
                }
                Err(error) => Err(error),
                Ok(_) => {
                    let why = "it has a report that nobody made";
                    Err(DriverError::wrong_answer("quality-gate", "read a report", why))
                }
            }
        };
        rows.push(row.ask("quality-gate", asked, answer).await);
    }
    rows
}

fn healthy(
    answer: odg_workloads::driver::platform::Answer,
    service: &'static str,
) -> Result<(), DriverError> {
    if answer.status == 200 {
        return Ok(());
    }
    Err(DriverError::wrong_answer(service, "ask /health", answer.shown()))
}

struct Row<'a> {
    profile: &'a Profile,
    implementations: &'a [Implementation],
}

impl Row<'_> {
    async fn ask(
        &self,
        service: &str,
        asked: &str,
        answer: impl Future<Output = Result<String, DriverError>>,
    ) -> FeatureResult {
        let started = Instant::now();
        let (verdict, answered) = match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(text)) => (Verdict::Pass, text),
            Ok(Err(error)) => (Verdict::Fail, error.to_string()),
            Err(_) => (Verdict::Fail, format!("nothing within {} s", PATIENCE.as_secs())),
        };
        let stated = self.profile.services.get(service).map(|s| s.presence);
        let implementation = self.implementations.iter().find(|i| i.component == service);
        FeatureResult {
            feature: service.into(),
            promised: stated.unwrap_or(Presence::Optional).name().into(),
            verdict,
            fidelity: implementation.map(|i| i.fidelity),
            asked: asked.into(),
            answered,
            took_ms: started.elapsed().as_secs_f64() * 1e3,
            required: stated == Some(Presence::Present),
        }
    }
}
