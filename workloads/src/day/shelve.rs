//! The end of the pipeline where nothing registers what is stored: objects are entered into the catalogue for
//! readers, and counted.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::catalog::{Catalog, Known};
use super::names::Layer;
use super::register::Totals;
use super::store::Stored;
use crate::ledger::{Hop, Ledger};

/// Takes stored batches until there are no more, and answers what they held.
pub(super) async fn run(
    ledger: Arc<Ledger>,
    catalog: Arc<Catalog>,
    mut stored: mpsc::Receiver<Stored>,
) -> Totals {
    let mut totals = Totals::default();
    while let Some(Stored { batch, object, ok, .. }) = stored.recv().await {
        if !ok {
            continue;
        }
        ledger.reached_all(Hop::Stored, batch.events.iter().map(|e| (e.key, e.sequence)));
        totals.objects += 1;
        totals.events += batch.events.len() as u64;
        totals.bytes += object.bytes;
        totals.malformed += batch.malformed;
        catalog.add(Known { layer: Layer::Bronze, key: object.key, bytes: object.bytes });
    }
    totals
}
