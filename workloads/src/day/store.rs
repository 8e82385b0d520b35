//! Stores sealed batches as bronze objects, several at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc};

use super::batch::Batch;
use super::ingest::Sealed;
use crate::clock::Clock;
use crate::driver::Done;
use crate::driver::s3::S3Driver;
use crate::lane;
use crate::recorder::{Lane, Span};

/// Bronze objects on their way at once.
pub(super) const CONCURRENCY: usize = 4;
/// A batch that cannot be stored or registered for this long is given up; its events are lost then, and
/// the ledger says so.
pub(super) const GIVE_UP: Duration = Duration::from_secs(60);
/// Pause between two tries at the same batch.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// A batch whose object is stored, or was given up.
#[derive(Debug)]
pub(super) struct Stored {
    pub batch: Batch,
    pub object: StoredObject,
    /// When its object was acknowledged.
    pub stored_ns: u64,
    /// False where it was given up.
    pub ok: bool,
}

/// An object as it was sent.
#[derive(Debug, Clone)]
pub(super) struct StoredObject {
    pub key: String,
    pub bytes: u64,
    pub crc32c: u32,
}

/// What storing needs.
#[derive(Clone)]
pub(super) struct Store {
    pub clock: Clock,
    pub s3: S3Driver,
    pub bucket: String,
    pub lane: Lane,
    /// Where registration waits are recorded, where stored batches are registered.
    pub register: Option<Lane>,
    pub give_up: Arc<AtomicBool>,
}

impl Store {
    /// Stores batches until there are no more, and hands each on, in whatever order they end.
    pub(super) async fn run(
        self,
        mut sealed: mpsc::Receiver<Sealed>,
        stored: mpsc::Sender<Stored>,
    ) {
        let slots = Arc::new(Semaphore::new(CONCURRENCY));
        while let Some(next) = sealed.recv().await {
            // The semaphore is never closed.
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { break };
            let (store, stored) = (self.clone(), stored.clone());
            tokio::spawn(async move {
                let done = store.store(next).await;
                if let Some(register) = &store.register {
                    register.offer(done.stored_ns);
                }
                let _ = stored.send(done).await;
                drop(slot);
            });
        }
        let _ended = slots.acquire_many(CONCURRENCY as u32).await;
    }

    async fn store(&self, Sealed { mut batch, due_ns }: Sealed) -> Stored {
        let body = Bytes::from(std::mem::take(&mut batch.object));
        let object = StoredObject {
            key: batch.object_key(),
            bytes: body.len() as u64,
            crc32c: crc32c::crc32c(&body),
        };
        let started = Instant::now();
        loop {
            self.lane.begin();
            let start_ns = self.clock.now_ns();
            let put = self.s3.put(&self.bucket, &object.key, body.clone()).await;
            let stored_ns = self.clock.now_ns();
            let span = Span { intended_ns: due_ns, start_ns, end_ns: stored_ns };
            let result = put.map(|d| Done { value: object.bytes, retries: d.retries });
            lane::record(&self.lane, span, &result);
            let ok = result.is_ok();
            let give_up = self.give_up.load(Ordering::Relaxed) || started.elapsed() > GIVE_UP;
            if ok || give_up {
                return Stored { batch, object, stored_ns, ok };
            }
            tokio::time::sleep(RETRY_PAUSE).await;
            self.lane.offer(due_ns);
        }
    }
}
