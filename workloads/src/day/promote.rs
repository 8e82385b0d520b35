//! Promotion: bronze objects become silver Parquet files, silver files become gold aggregates.
//!
//! Each step reads its sources back from the object store, so that promotion also verifies what is at
//! rest: every bronze frame's checksum, every silver file's rows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::catalog::{Catalog, Known};
use super::names::{Layer, Names};
use super::register::Promotion;
use crate::clock::Clock;
use crate::driver::postgres::ObjectRow;
use crate::driver::s3::S3Driver;
use crate::driver::{Done, DriverError, ErrorKind};
use crate::event::{EventKind, read_frames};
use crate::lane;
use crate::ledger::{Hop, Ledger};
use crate::parquet_in::{Aggregate, aggregate_silver};
use crate::parquet_out::{AggregateRow, EventRow, gold_parquet, silver_parquet};
use crate::payload::{dataset_id, dataset_of, domain_of};
use crate::recorder::{Lane, Span};

/// Bronze objects that make one silver file, at most.
const SILVER_PARENTS: usize = 4;
/// A silver file is made as soon as its sources are this large together, in bytes.
const SILVER_BYTES: u64 = 16 << 20;
/// Silver files that make one gold file.
const GOLD_PARENTS: usize = 4;

/// A registered object that waits for promotion.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub key: String,
    pub bytes: u64,
    pub events: u64,
    /// Checksum of the object as it was stored.
    pub crc32c: u32,
    /// When it was registered, in nanoseconds since the run's epoch.
    pub ready_ns: u64,
}

/// What promotion did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Promoted {
    /// Events in the silver files.
    pub silver_events: u64,
    /// Events that the gold files count.
    pub gold_events: u64,
    /// Whether it was told to give up before everything was promoted.
    pub given_up: bool,
}

/// What promotion needs.
pub(super) struct Promoter {
    pub clock: Clock,
    pub s3: S3Driver,
    pub names: Names,
    pub silver: Lane,
    pub gold: Lane,
    pub register: Lane,
    pub ledger: Arc<Ledger>,
    pub catalog: Arc<Catalog>,
    pub give_up: Arc<AtomicBool>,
    pub promotions: mpsc::UnboundedSender<Promotion>,
    pub promoted: Promoted,
    pub made: [u64; 2],
}

/// A file that a step made, before it is registered.
struct Made {
    file: Vec<u8>,
    events: u64,
    first_us: i64,
    last_us: i64,
}

impl Promoter {
    /// Promotes until there are no more sources, the rest included.
    pub(super) async fn run(mut self, mut sources: mpsc::UnboundedReceiver<Source>) -> Promoted {
        let mut bronze: Vec<Source> = Vec::new();
        let mut silver: Vec<Source> = Vec::new();
        loop {
            let source = sources.recv().await;
            let at_end = source.is_none();
            bronze.extend(source);
            if self.give_up.load(Ordering::Relaxed) {
                self.promoted.given_up = !bronze.is_empty() || !silver.is_empty();
                return self.promoted;
            }
            let bytes: u64 = bronze.iter().map(|s| s.bytes).sum();
            let full = bronze.len() >= SILVER_PARENTS || bytes >= SILVER_BYTES;
            if full || at_end && !bronze.is_empty() {
                silver.extend(self.make(Layer::Silver, std::mem::take(&mut bronze)).await);
            }
            if silver.len() >= GOLD_PARENTS || at_end && !silver.is_empty() {
                self.make(Layer::Gold, std::mem::take(&mut silver)).await;
            }
            if at_end {
                return self.promoted;
            }
        }
    }

    /// Makes and registers one file of `layer`. A failed promotion is counted and not tried again; the
    /// sources stay where they are.
    async fn make(&mut self, layer: Layer, parents: Vec<Source>) -> Option<Source> {
        let lane = if layer == Layer::Silver { &self.silver } else { &self.gold }.clone();
        let intended_ns = parents.iter().map(|s| s.ready_ns).max().unwrap_or(0);
        lane.offer(intended_ns);
        lane.begin();
        let start_ns = self.clock.now_ns();
        let result = self.try_make(layer, &parents).await;
        let span = Span { intended_ns, start_ns, end_ns: self.clock.now_ns() };
        let bytes = |done: &Done<Source>| Done { value: done.value.bytes, retries: done.retries };
        lane::record(&lane, span, &result.as_ref().map(bytes));
        match result {
            Ok(Done { value: source, .. }) => {
                match layer {
                    Layer::Silver => self.promoted.silver_events += source.events,
                    _ => self.promoted.gold_events += source.events,
                }
                Some(source)
            }
            Err(error) => {
                tracing::warn!(%error, layer = layer.name(), "promotion");
                None
            }
        }
    }

    async fn try_make(
        &mut self,
        layer: Layer,
        parents: &[Source],
    ) -> Result<Done<Source>, DriverError> {
        let from = if layer == Layer::Silver { Layer::Bronze } else { Layer::Silver };
        let mut objects = Vec::with_capacity(parents.len());
        let mut retries = 0;
        for parent in parents {
            let got = self.s3.get(&self.names.bucket(from), &parent.key).await?;
            retries += got.retries;
            if crc32c::crc32c(&got.value) != parent.crc32c {
                self.ledger.corrupted(Hop::Stored);
                return Err(broken(&format!("{} is not what was stored", parent.key)));
            }
            objects.push(got.value);
        }
        let (clock, ledger) = (self.clock, Arc::clone(&self.ledger));
        // Encoding takes tens of milliseconds of CPU: not on the threads that time other operations.
        let made = tokio::task::spawn_blocking(move || match layer {
            Layer::Silver => make_silver(&objects, &clock, &ledger),
            _ => make_gold(&objects),
        })
        .await
        .map_err(|e| broken(&e))??;
        let number = &mut self.made[usize::from(layer == Layer::Gold)];
        let folder = if layer == Layer::Silver { "events" } else { "datasets" };
        let key = format!("{folder}/{:08}.parquet", *number);
        *number += 1;
        let row = ObjectRow {
            key: format!("{}/{key}", layer.name()),
            bucket: self.names.bucket(layer),
            layer: layer.name().into(),
            bytes: made.file.len() as u64,
            events: made.events,
            crc32c: crc32c::crc32c(&made.file),
            first_intended_us: made.first_us,
            last_intended_us: made.last_us,
            parents: parents.iter().map(|s| s.key.clone()).collect(),
        };
        let (bytes, crc32c) = (row.bytes, row.crc32c);
        let put = self.s3.put(&self.names.bucket(layer), &key, Bytes::from(made.file)).await?;
        retries += put.retries;
        let stored_ns = self.clock.now_ns();
        let (done, registered) = oneshot::channel();
        self.register.offer(stored_ns);
        let _ = self.promotions.send(Promotion { object: row, stored_ns, done });
        if !registered.await.unwrap_or(false) {
            return Err(DriverError::new(
                ErrorKind::Cancelled,
                "postgresql",
                format!("register {key}"),
                "given up",
            ));
        }
        self.catalog.add(Known { layer, key: key.clone(), bytes });
        let ready_ns = self.clock.now_ns();
        Ok(Done { value: Source { key, bytes, events: made.events, crc32c, ready_ns }, retries })
    }
}

fn broken(error: &dyn std::fmt::Display) -> DriverError {
    DriverError::new(ErrorKind::Protocol, "minio", "promote", error)
}

fn make_silver(objects: &[Bytes], clock: &Clock, ledger: &Ledger) -> Result<Made, DriverError> {
    let mut ids: Vec<(String, String)> = Vec::new();
    let mut frames = Vec::new();
    for object in objects {
        for frame in read_frames(object) {
            let Ok(frame) = frame else {
                ledger.corrupted(Hop::Stored);
                return Err(broken(&"a bronze object holds a corrupt frame"));
            };
            let stamp = frame.stamp;
            ids.push((
                format!("{:04}-{:010}", stamp.key, stamp.sequence),
                dataset_id(dataset_of(stamp.key)),
            ));
            frames.push((stamp, object.slice_ref(frame.body)));
        }
    }
    let rows: Vec<EventRow<'_>> = ids
        .iter()
        .zip(frames)
        .map(|((event_id, dataset), (stamp, payload))| EventRow {
            event_id,
            kind: stamp.kind.topic(),
            domain: domain_of(dataset_of(stamp.key)),
            dataset,
            seq: stamp.sequence,
            intended_us: clock.wall_us(stamp.intended_ns),
            payload,
        })
        .collect();
    let file = silver_parquet(&rows).map_err(|e| broken(&e))?;
    Ok(Made {
        file,
        events: rows.len() as u64,
        first_us: rows.iter().map(|r| r.intended_us).min().unwrap_or(0),
        last_us: rows.iter().map(|r| r.intended_us).max().unwrap_or(0),
    })
}

fn make_gold(files: &[Bytes]) -> Result<Made, DriverError> {
    let mut aggregates: BTreeMap<String, Aggregate> = BTreeMap::new();
    for file in files {
        aggregate_silver(file.clone(), EventKind::QualityReport.topic(), &mut aggregates)
            .map_err(|e| broken(&e))?;
    }
    let rows: Vec<AggregateRow<'_>> = aggregates
        .iter()
        .map(|(dataset, a)| AggregateRow {
            domain: &a.domain,
            dataset,
            events: a.events,
            bytes: a.bytes,
            first_intended_us: a.first_us,
            last_intended_us: a.last_us,
            quality_mean: (a.quality_reports > 0).then(|| a.quality_sum / a.quality_reports as f64),
        })
        .collect();
    let file = gold_parquet(&rows).map_err(|e| broken(&e))?;
    Ok(Made {
        file,
        events: rows.iter().map(|r| r.events).sum(),
        first_us: rows.iter().map(|r| r.first_intended_us).min().unwrap_or(0),
        last_us: rows.iter().map(|r| r.last_intended_us).max().unwrap_or(0),
    })
}
