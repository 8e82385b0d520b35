//! The rows that a batch becomes.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::audit::AuditEvent;

/// An object in S3, as registered in `bronze_objects`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRow {
    /// Key; registering the same key twice is done once.
    pub key: String,
    /// Bucket.
    pub bucket: String,
    /// `bronze`, `silver` or `gold`.
    pub layer: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Events in it.
    pub events: u64,
    /// CRC-32C of the object.
    pub crc32c: u32,
    /// Earliest intended start among its events, in microseconds since the Unix epoch.
    pub first_intended_us: i64,
    /// Latest, likewise.
    pub last_intended_us: i64,
    /// Keys of the objects that it was made from.
    pub parents: Vec<String>,
}

/// What a batch adds to a dataset. Also what is known about one, summed over batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetRow {
    /// Dataset.
    pub dataset_id: String,
    /// Its domain.
    pub domain_id: String,
    /// Layer of its newest object.
    pub layer: String,
    /// Events.
    pub events: u64,
    /// Payload bytes.
    pub bytes: u64,
}

/// A lineage update: a row of `lineage_events`, and an edge from each upstream and to each downstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineageRow {
    /// Primary key.
    pub id: Uuid,
    /// Dataset.
    pub dataset_id: String,
    /// `added`, `updated` or `removed`.
    pub operation: String,
    /// Datasets that it is made from.
    pub upstream: Vec<String>,
    /// Datasets made from it.
    pub downstream: Vec<String>,
    /// When, in microseconds since the Unix epoch.
    pub occurred_us: i64,
}

/// A row of `quality_reports`.
#[derive(Debug, Clone, PartialEq)]
pub struct QualityRow {
    /// Primary key.
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
    /// Scores by dimension.
    pub dimension_scores: Map<String, Value>,
    /// Expectations that held.
    pub passed: i32,
    /// Expectations that did not.
    pub failed: i32,
    /// When, in microseconds since the Unix epoch.
    pub created_us: i64,
}

/// A row of `governance_decisions`.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionRow {
    /// Primary key.
    pub id: Uuid,
    /// E.g. `data_promotion`.
    pub decision_type: String,
    /// Title, 1 to 500 characters.
    pub title: String,
    /// Description.
    pub description: String,
    /// E.g. `pending`.
    pub status: String,
    /// Domain.
    pub domain_id: String,
    /// Who asked for it.
    pub created_by: String,
    /// When, in microseconds since the Unix epoch.
    pub created_us: i64,
    /// Free fields.
    pub metadata: Map<String, Value>,
    /// Layer that a promotion starts from.
    pub source_layer: Option<String>,
    /// Layer that it leads to.
    pub target_layer: Option<String>,
    /// Classification of the data.
    pub data_classification: Option<String>,
}

/// Everything that one batch registers, in one transaction.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// The object. With one, registering the batch again changes nothing.
    pub object: Option<ObjectRow>,
    /// What the batch adds to each dataset.
    pub datasets: Vec<DatasetRow>,
    /// Lineage updates.
    pub lineage: Vec<LineageRow>,
    /// Quality reports.
    pub quality: Vec<QualityRow>,
    /// Governance decisions.
    pub decisions: Vec<DecisionRow>,
    /// Audit events, already chained.
    pub audit: Vec<AuditEvent>,
}

/// What registering a batch came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    /// All rows were written.
    New,
    /// The object was registered before; nothing was written.
    Already,
}

/// What the tables hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows of `governance_decisions`.
    pub decisions: u64,
    /// Rows of `audit_events`.
    pub audit_events: u64,
    /// Rows of `quality_reports`.
    pub quality_reports: u64,
    /// Rows of `dataset_metadata`.
    pub datasets: u64,
    /// Rows of `lineage_events`.
    pub lineage_events: u64,
    /// Rows of `lineage_edges`.
    pub lineage_edges: u64,
    /// Objects, events and bytes by layer, in order of the layer's name.
    pub layers: Vec<LayerCount>,
}

/// What is registered of one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerCount {
    /// Layer.
    pub layer: String,
    /// Objects.
    pub objects: u64,
    /// Events in them.
    pub events: u64,
    /// Bytes in them.
    pub bytes: u64,
}
