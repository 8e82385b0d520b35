//! lakehouse-agent: promotions between layers.

use serde::{Deserialize, Serialize};

use super::http::{Answer, Call, HttpClient};
use super::types::{Bucket, MedallionLayer, Promoted};
use crate::driver::{Done, DriverError};
use crate::endpoint::HttpEndpoint;

const SYSTEM: &str = "lakehouse-agent";
const PROMOTE: [&str; 3] = ["api", "v1", "promote"];

/// A promotion to ask for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Promotion {
    /// Domain.
    pub domain_id: String,
    /// From here.
    pub source_layer: MedallionLayer,
    /// To here.
    pub target_layer: MedallionLayer,
    /// Dataset.
    pub dataset_id: String,
    /// Quality score from 0 to 1.
    pub dq_score: f64,
}

#[derive(Deserialize)]
struct Buckets {
    buckets: Vec<Bucket>,
}

/// A client of lakehouse-agent. Cheap to clone; clones share connections and token.
#[derive(Debug, Clone)]
pub struct LakehouseClient {
    http: HttpClient,
}

impl LakehouseClient {
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

    /// The buckets that the service sees.
    ///
    /// # Errors
    /// As classified.
    pub async fn buckets(&self) -> Result<Done<Vec<Bucket>>, DriverError> {
        let call = Call::get("list buckets", &["api", "v1", "buckets"]);
        let done: Done<Buckets> = self.http.ask(call, 200).await?;
        Ok(done.map(|answer| answer.buckets))
    }

    /// Asks for a promotion.
    ///
    /// # Errors
    /// As classified; [`crate::driver::ErrorKind::Protocol`] where the answer is about another promotion.
    pub async fn promote(&self, promotion: &Promotion) -> Result<Done<Promoted>, DriverError> {
        let operation = "promote a dataset";
        let call = Call::post(operation, &PROMOTE, promotion);
        let done: Done<Promoted> = self.http.ask(call, 200).await?;
        done.try_map(|answer| {
            let same = answer.dataset_id == promotion.dataset_id
                && answer.source_layer == promotion.source_layer
                && answer.target_layer == promotion.target_layer
                && answer.dq_score == promotion.dq_score;
            if same {
                return Ok(answer);
            }
            Err(DriverError::wrong_answer(self.http.system(), operation, "the answer is another's"))
        })
    }

    /// Asks for a promotion that may have to be refused, with or without a login, and answers what came back.
    ///
    /// # Errors
    /// Where nothing answers.
    pub async fn try_promote(
        &self,
        promotion: &Promotion,
        anonymously: bool,
    ) -> Result<Answer, DriverError> {
        let call = Call::post("promote a dataset", &PROMOTE, promotion);
        let call = if anonymously { call.anonymous() } else { call };
        Ok(self.http.send(&call).await?.value)
    }
}
