//! What the services answer, read strictly: an unknown status, a time without a zone or an id that is no
//! UUID is an error. Fields that a newer service adds are ignored.

use serde::{Deserialize, Deserializer, Serialize, de};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// Declares an enum whose names on the wire are in snake case.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }
    };
}

words! {
    /// What a decision is about.
    DecisionType {
        /// Data moves up a layer.
        DataPromotion,
        /// A schema changes.
        SchemaChange,
        /// Somebody gets access.
        AccessGrant,
        /// An expert is registered.
        ExpertRegistration,
        /// A policy changes.
        PolicyChange,
        /// Something cannot wait.
        Emergency,
    }
}

words! {
    /// Where a decision stands.
    DecisionStatus {
        /// Created.
        Pending,
        /// Submitted.
        AwaitingApproval,
        /// Everyone who must has approved.
        Approved,
        /// Somebody rejected it.
        Rejected,
        /// Somebody vetoed it.
        Vetoed,
        /// Passed on.
        Escalated,
    }
}

words! {
    /// A vote.
    Vote {
        /// For it.
        Approve,
        /// Against it.
        Reject,
        /// Neither.
        Abstain,
    }
}

words! {
    /// Where a veto stands.
    VetoStatus {
        /// It holds.
        Active,
        /// Its time is over.
        Expired,
        /// Somebody of higher rank overrode it.
        Overridden,
    }
}

words! {
    /// A role in a domain.
    RaciRole {
        /// Does it; must approve.
        Responsible,
        /// Answers for it; must approve.
        Accountable,
        /// Is asked.
        Consulted,
        /// Is told.
        Informed,
    }
}

words! {
    /// A layer of the lakehouse.
    MedallionLayer {
        /// As it came.
        Bronze,
        /// Cleaned.
        Silver,
        /// Aggregated.
        Gold,
        /// Certified.
        Platinum,
    }
}

/// The step that a `data_promotion` decision is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromotionStep {
    /// From here.
    pub source_layer: MedallionLayer,
    /// To here.
    pub target_layer: MedallionLayer,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Decision {
    /// Its id.
    #[serde(deserialize_with = "uuid")]
    pub id: Uuid,
    /// What it is about.
    pub decision_type: DecisionType,
    /// Title.
    pub title: String,
    /// Description.
    pub description: String,
    /// Where it stands.
    pub status: DecisionStatus,
    /// Domain.
    pub domain_id: String,
    /// Who asked for it.
    pub created_by: String,
    /// When.
    #[serde(deserialize_with = "at")]
    pub created_at: OffsetDateTime,
    /// When it changed last.
    #[serde(deserialize_with = "at")]
    pub updated_at: OffsetDateTime,
    /// The step, where it is about one.
    #[serde(default)]
    pub promotion: Option<PromotionStep>,
}

/// A vote that was cast.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Approval {
    /// Its id.
    #[serde(deserialize_with = "uuid")]
    pub id: Uuid,
    /// Decision.
    #[serde(deserialize_with = "uuid")]
    pub decision_id: Uuid,
    /// Who voted.
    pub voter_id: String,
    /// As what.
    pub voter_role: RaciRole,
    /// How.
    pub vote: Vote,
    /// Why.
    pub comment: String,
    /// When.
    #[serde(deserialize_with = "at")]
    pub voted_at: OffsetDateTime,
}

/// A veto.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Veto {
    /// Its id.
    #[serde(deserialize_with = "uuid")]
    pub id: Uuid,
    /// Decision.
    #[serde(deserialize_with = "uuid")]
    pub decision_id: Uuid,
    /// Who vetoed.
    pub vetoed_by: String,
    /// Why.
    pub reason: String,
    /// Where it stands.
    pub status: VetoStatus,
    /// Who overrode it.
    pub overridden_by: Option<String>,
}

/// A user's role in a domain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Role {
    /// Its id.
    #[serde(deserialize_with = "uuid")]
    pub id: Uuid,
    /// User.
    pub user_id: String,
    /// Domain.
    pub domain_id: String,
    /// Role.
    pub role: RaciRole,
}

/// An audit event, as far as the service shows it: not the details and not the previous hash, so that
/// nobody can recompute a chain from it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AuditEntry {
    /// Its id.
    #[serde(deserialize_with = "uuid")]
    pub id: Uuid,
    /// E.g. `decision_created`.
    pub event_type: String,
    /// The entity's id.
    pub entity_id: String,
    /// When.
    #[serde(deserialize_with = "at")]
    pub occurred_at: OffsetDateTime,
    /// Hash, 64 hexadecimal digits.
    #[serde(deserialize_with = "hash")]
    pub event_hash: String,
}

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Bucket {
    /// Name.
    pub name: String,
}

/// What became of a promotion.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Promoted {
    /// Whether it took place.
    pub promoted: bool,
    /// Whether nobody had to be asked.
    pub auto_approved: bool,
    /// From here.
    pub source_layer: MedallionLayer,
    /// To here.
    pub target_layer: MedallionLayer,
    /// Dataset.
    pub dataset_id: String,
    /// Quality score, as it was given.
    pub dq_score: f64,
}

/// A quality report.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct QualityReport {
    /// Its id.
    #[serde(deserialize_with = "uuid")]
    pub id: Uuid,
    /// Dataset.
    pub dataset_id: String,
    /// Domain.
    pub domain_id: String,
    /// Layer.
    pub layer: String,
    /// Suite of expectations.
    pub suite_name: String,
    /// Score from 0 to 1.
    pub dq_score: f64,
    /// Expectations that held.
    pub expectations_passed: u32,
    /// Expectations that did not.
    pub expectations_failed: u32,
    /// Expectations.
    pub expectations_total: u32,
}

fn uuid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
    let text = String::deserialize(deserializer)?;
    Uuid::parse_str(&text).map_err(|_| de::Error::custom(format!("{text:?} is not a UUID")))
}

fn at<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OffsetDateTime, D::Error> {
    let text = String::deserialize(deserializer)?;
    OffsetDateTime::parse(&text, &Rfc3339)
        .map_err(|_| de::Error::custom(format!("{text:?} is not a time with a zone")))
}

fn hash<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(text);
    }
    Err(de::Error::custom(format!("{text:?} is not a SHA-256 in hexadecimal")))
}
