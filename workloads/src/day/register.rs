//! Registers stored batches in PostgreSQL, in order, with the hash-chained audit trail.
//!
//! One task owns the chain: the platform's chain is global, so appends to it cannot overlap.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot};

use super::batch::Batch as EventBatch;
use super::catalog::{Catalog, Known};
use super::names::Layer;
use super::promote::Source;
use super::store::{GIVE_UP, RETRY_PAUSE, Stored};
use crate::audit::{ChainAppender, Draft};
use crate::clock::Clock;
use crate::driver::postgres::{
    Batch, DatasetRow, DecisionRow, LineageRow, ObjectRow, PostgresDriver, QualityRow,
};
use crate::driver::{Done, DriverError};
use crate::lane;
use crate::ledger::{Hop, Ledger};
use crate::payload::{dataset_id, dataset_of, domain_of};
use crate::recorder::{Lane, Outcome, Span};

/// Audit rows read at once.
const CHAIN_PAGE: u32 = 1_000;

/// An object of a higher layer, to be registered.
#[derive(Debug)]
pub(super) struct Promotion {
    pub object: ObjectRow,
    /// When it was stored, in nanoseconds since the run's epoch.
    pub stored_ns: u64,
    pub done: oneshot::Sender<bool>,
}

/// What was registered, to be compared with the stores at rest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Bronze objects.
    pub objects: u64,
    /// Events in them.
    pub events: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Silver and gold objects.
    pub promoted: u64,
    /// Bytes in them.
    pub promoted_bytes: u64,
    /// Lineage events.
    pub lineage: u64,
    /// Quality reports.
    pub quality: u64,
    /// Decisions.
    pub decisions: u64,
    /// Audit events.
    pub audit: u64,
    /// Events whose body was not the document that its kind promises.
    pub malformed: u64,
}

/// What registering needs.
pub(super) struct Registrar {
    pub clock: Clock,
    pub postgres: PostgresDriver,
    pub ledger: Arc<Ledger>,
    pub lane: Lane,
    pub end_to_end: Lane,
    pub bucket: String,
    pub catalog: Arc<Catalog>,
    pub give_up: Arc<AtomicBool>,
    pub promotions: mpsc::UnboundedSender<Source>,
    pub chain: Chain,
    pub totals: Totals,
}

/// The audit chain's end.
#[derive(Debug, Default)]
pub(super) struct Chain {
    appender: ChainAppender,
    /// Time of the last event known to be committed, in microseconds since the Unix epoch.
    last_us: Option<i64>,
    /// Set where a commit was given up without an answer: it may have happened.
    uncertain: bool,
}

impl Registrar {
    /// Registers batches in order of their numbers, and promotions as they come, until `stored` has
    /// ended; then promotions alone until they have ended too. Answers what was registered.
    pub(super) async fn run(
        mut self,
        mut stored: mpsc::Receiver<Stored>,
        mut promoted: mpsc::UnboundedReceiver<Promotion>,
    ) -> Totals {
        let mut early: BTreeMap<u64, Stored> = BTreeMap::new();
        let mut next = 0;
        loop {
            tokio::select! {
                batch = stored.recv() => match batch {
                    Some(batch) => {
                        early.insert(batch.batch.number, batch);
                        while let Some(batch) = early.remove(&next) {
                            next += 1;
                            self.register_batch(batch).await;
                        }
                    }
                    None => break,
                },
                Some(promotion) = promoted.recv() => self.register_promotion(promotion).await,
            }
        }
        // Promotion ends when it has no more sources.
        let (nobody, _) = mpsc::unbounded_channel();
        self.promotions = nobody;
        while let Some(promotion) = promoted.recv().await {
            self.register_promotion(promotion).await;
        }
        self.totals
    }

    async fn register_batch(&mut self, Stored { batch, object, stored_ns, ok }: Stored) {
        if !ok {
            // Offered when it was handed on; its events stay unregistered, and the ledger says so.
            self.lane.begin();
            let now = self.clock.now_ns();
            let span = Span { intended_ns: stored_ns, start_ns: now, end_ns: now };
            self.lane.end(span, Outcome::Failed { kind: "cancelled" }, 0);
            return;
        }
        let hop = |ledger: &Ledger, hop| {
            ledger.reached_all(hop, batch.events.iter().map(|e| (e.key, e.sequence)));
        };
        hop(&self.ledger, Hop::Stored);
        let (rows, drafts) = self.rows(&batch, &object);
        let audit = drafts.len() as u64;
        if !self.commit(rows, drafts, stored_ns).await {
            return;
        }
        hop(&self.ledger, Hop::Registered);
        let end_ns = self.clock.now_ns();
        for event in &batch.events {
            let span = Span { intended_ns: event.intended_ns, start_ns: event.sent_ns, end_ns };
            self.end_to_end.end(span, Outcome::Completed { bytes: 0 }, 0);
        }
        self.totals.objects += 1;
        self.totals.events += batch.events.len() as u64;
        self.totals.bytes += object.bytes;
        self.totals.lineage += batch.lineage.len() as u64;
        self.totals.quality += batch.quality.len() as u64;
        self.totals.decisions += batch.decisions.len() as u64;
        self.totals.audit += audit;
        self.totals.malformed += batch.malformed;
        let known = Known { layer: Layer::Bronze, key: object.key.clone(), bytes: object.bytes };
        self.catalog.add(known);
        let _ = self.promotions.send(Source {
            key: object.key,
            bytes: object.bytes,
            events: batch.events.len() as u64,
            crc32c: object.crc32c,
            ready_ns: end_ns,
        });
    }

    async fn register_promotion(&mut self, Promotion { object, stored_ns, done }: Promotion) {
        let layer = object.layer.clone();
        let bytes = object.bytes;
        let mut details = Map::new();
        details.insert("layer".into(), json!(layer));
        details.insert("events".into(), json!(object.events));
        details.insert("parents".into(), json!(object.parents));
        let draft = Draft {
            event_type: "data_promoted".into(),
            entity_type: "object".into(),
            entity_id: object.key.clone(),
            actor_id: "lakehouse-agent".into(),
            description: format!("Promoted {} objects to {layer}", object.parents.len()),
            details,
        };
        let rows = Batch { object: Some(object), ..Batch::default() };
        let ok = self.commit(rows, vec![draft], stored_ns).await;
        if ok {
            self.totals.promoted += 1;
            self.totals.promoted_bytes += bytes;
            self.totals.audit += 1;
        }
        let _ = done.send(ok);
    }

    /// Chains the audit events and commits everything in one transaction; tries again until it holds or
    /// is given up. The chain moves on only with a commit.
    async fn commit(&mut self, mut rows: Batch, drafts: Vec<Draft>, intended_ns: u64) -> bool {
        let started = Instant::now();
        loop {
            self.lane.begin();
            let start_ns = self.clock.now_ns();
            let result = self.commit_once(&mut rows, &drafts, start_ns).await;
            let span = Span { intended_ns, start_ns, end_ns: self.clock.now_ns() };
            lane::record(&self.lane, span, &result);
            match result {
                Ok(_) => return true,
                Err(error) => {
                    tracing::warn!(%error, "registering");
                    let waited_out = started.elapsed() > GIVE_UP;
                    if waited_out || self.give_up.load(Ordering::Relaxed) {
                        self.chain.uncertain = true;
                        return false;
                    }
                }
            }
            tokio::time::sleep(RETRY_PAUSE).await;
            self.lane.offer(intended_ns);
        }
    }

    async fn commit_once(
        &mut self,
        rows: &mut Batch,
        drafts: &[Draft],
        now_ns: u64,
    ) -> Result<Done<u64>, DriverError> {
        if self.chain.uncertain {
            self.find_end_of_chain().await?;
        }
        let mut appender = self.chain.appender.clone();
        // A second try must write the same audit rows, or an answer that got lost would fork the chain.
        if rows.audit.is_empty() {
            let at_us = self.clock.wall_us(now_ns);
            let chained: Result<Vec<_>, _> =
                drafts.iter().map(|draft| appender.append(draft.clone(), at_us)).collect();
            rows.audit = chained?;
        }
        let done = self.postgres.register(rows).await?;
        if let Some(last) = rows.audit.last() {
            self.chain.appender = ChainAppender::after(last);
            self.chain.last_us = Some(last.occurred_us);
        }
        Ok(Done { value: 0, retries: done.retries })
    }

    /// Reads what was committed after the last event that is known to be.
    async fn find_end_of_chain(&mut self) -> Result<(), DriverError> {
        loop {
            let page = self.postgres.audit_rows(self.chain.last_us, CHAIN_PAGE).await?;
            let Some(last) = page.last() else { break };
            self.chain.appender = ChainAppender::after(last);
            self.chain.last_us = Some(last.occurred_us);
        }
        self.chain.uncertain = false;
        Ok(())
    }

    /// The rows and audit events that a batch becomes.
    fn rows(&self, batch: &EventBatch, object: &super::store::StoredObject) -> (Batch, Vec<Draft>) {
        let wall = |ns| self.clock.wall_us(ns);
        let intended = batch.events.iter().map(|e| e.intended_ns);
        let object = ObjectRow {
            key: object.key.clone(),
            bucket: self.bucket.clone(),
            layer: Layer::Bronze.name().into(),
            bytes: object.bytes,
            events: batch.events.len() as u64,
            crc32c: object.crc32c,
            first_intended_us: wall(intended.clone().min().unwrap_or(0)),
            last_intended_us: wall(intended.max().unwrap_or(0)),
            parents: Vec::new(),
        };
        let datasets = batch
            .writes
            .iter()
            .map(|(dataset, written)| DatasetRow {
                dataset_id: dataset_id(*dataset),
                domain_id: domain_of(*dataset).into(),
                layer: Layer::Bronze.name().into(),
                events: written.events,
                bytes: written.bytes,
            })
            .collect();
        let lineage = batch
            .lineage
            .iter()
            .map(|row| LineageRow {
                id: row.row_id(),
                dataset_id: dataset_id(dataset_of(row.event.key)),
                operation: row.body.operation.clone(),
                upstream: row.body.upstream_datasets.clone(),
                downstream: row.body.downstream_datasets.clone(),
                occurred_us: wall(row.event.intended_ns),
            })
            .collect();
        let quality = batch
            .quality
            .iter()
            .map(|row| QualityRow {
                id: row.row_id(),
                dataset_id: dataset_id(dataset_of(row.event.key)),
                domain_id: domain_of(dataset_of(row.event.key)).into(),
                layer: row.body.layer.clone(),
                suite_name: row.body.suite_name.clone(),
                dq_score: row.body.dq_score,
                dimension_scores: Map::new(),
                passed: row.body.expectations_passed,
                failed: row.body.expectations_failed,
                created_us: wall(row.event.intended_ns),
            })
            .collect();
        let mut drafts = Vec::new();
        let decisions = batch
            .decisions
            .iter()
            .map(|row| {
                let dataset = dataset_of(row.event.key);
                let mut details = Map::new();
                details.insert("decision_type".into(), Value::from(row.body.decision_type.clone()));
                details.insert("dataset_id".into(), Value::from(dataset_id(dataset)));
                drafts.push(Draft {
                    event_type: "decision_created".into(),
                    entity_type: "decision".into(),
                    entity_id: row.row_id().to_string(),
                    actor_id: row.body.created_by.clone(),
                    description: format!("Decision created: {}", row.body.title),
                    details: details.clone(),
                });
                DecisionRow {
                    id: row.row_id(),
                    decision_type: row.body.decision_type.clone(),
                    title: row.body.title.clone(),
                    description: row.body.justification.clone(),
                    status: row.body.status.clone(),
                    domain_id: domain_of(dataset).into(),
                    created_by: row.body.created_by.clone(),
                    created_us: wall(row.event.intended_ns),
                    metadata: details,
                    source_layer: None,
                    target_layer: None,
                    data_classification: None,
                }
            })
            .collect();
        let rows = Batch {
            object: Some(object),
            datasets,
            lineage,
            quality,
            decisions,
            audit: Vec::new(),
        };
        (rows, drafts)
    }
}
