//! quality-gate: validations and their reports.

use serde::Serialize;
use uuid::Uuid;

use super::http::{Answer, Call, HttpClient};
use super::types::QualityReport;
use crate::driver::{Done, DriverError};
use crate::endpoint::HttpEndpoint;

const SYSTEM: &str = "quality-gate";
const VALIDATE: [&str; 4] = ["api", "v1", "quality", "validate"];
const REPORTS: [&str; 4] = ["api", "v1", "quality", "reports"];

/// A validation to ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewReport {
    /// Dataset, at most 200 characters.
    pub dataset_id: String,
    /// Domain.
    pub domain_id: String,
    /// Layer.
    pub layer: String,
    /// Suite of expectations.
    pub suite_name: String,
}

/// A client of quality-gate. Cheap to clone; clones share connections and token.
#[derive(Debug, Clone)]
pub struct QualityClient {
    http: HttpClient,
}

impl QualityClient {
    /// A client; nothing is connected yet.
    ///
    /// # Errors
    /// [`crate::driver::ErrorKind::Refused`] for a URL, a certificate or a token that cannot be used.
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

    /// Validates a dataset.
    ///
    /// # Errors
    /// As classified; [`crate::driver::ErrorKind::Protocol`] where the report is about another dataset, its
    /// score is outside 0 to 1, or its expectations do not add up.
    pub async fn validate(&self, new: &NewReport) -> Result<Done<QualityReport>, DriverError> {
        let operation = "validate a dataset";
        let done: Done<QualityReport> =
            self.http.ask(Call::post(operation, &VALIDATE, new), 201).await?;
        done.try_map(|report| {
            let same = report.dataset_id == new.dataset_id
                && report.domain_id == new.domain_id
                && report.layer == new.layer
                && report.suite_name == new.suite_name;
            let counted = report.expectations_passed.checked_add(report.expectations_failed);
            if !same {
                return Err(self.wrong(operation, "the report is another's"));
            }
            if !(0.0..=1.0).contains(&report.dq_score) || counted != Some(report.expectations_total)
            {
                return Err(self.wrong(operation, "the report's score or counts are impossible"));
            }
            Ok(report)
        })
    }

    /// Validates a dataset without saying who asks, and answers what came back.
    ///
    /// # Errors
    /// Where nothing answers.
    pub async fn validate_anonymously(&self, new: &NewReport) -> Result<Answer, DriverError> {
        let call = Call::post("validate a dataset without a login", &VALIDATE, new);
        Ok(self.http.send(&call.anonymous()).await?.value)
    }

    /// A report.
    ///
    /// # Errors
    /// [`crate::driver::ErrorKind::NotFound`] where there is none; anything else as classified.
    pub async fn report(&self, id: Uuid) -> Result<Done<QualityReport>, DriverError> {
        let (operation, text) = ("read a report", id.to_string());
        let path = [&REPORTS[..], &[&text]].concat();
        let done: Done<QualityReport> = self.http.ask(Call::get(operation, &path), 200).await?;
        done.try_map(|report| {
            if report.id == id {
                return Ok(report);
            }
            Err(self.wrong(operation, format!("asked for {id}, got {}", report.id)))
        })
    }

    fn wrong(&self, operation: &str, reason: impl std::fmt::Display) -> DriverError {
        DriverError::wrong_answer(self.http.system(), operation, reason)
    }
}
