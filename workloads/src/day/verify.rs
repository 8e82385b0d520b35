//! What the stores hold at rest, compared with what the ledger says was registered.

use odg_reports::record::LedgerCheck;

use super::names::{Layer, Names};
use super::promote::Promoted;
use super::register::Totals;
use crate::audit::ChainVerifier;
use crate::driver::nats::NatsDriver;
use crate::driver::postgres::PostgresDriver;
use crate::driver::s3::S3Driver;
use crate::event::read_frames;

/// Audit rows read at once.
const AUDIT_PAGE: u32 = 5_000;
/// Bronze bytes read back, at most. Up to here every object is read; beyond, evenly spread ones.
const READ_BACK_BYTES: u64 = 256 << 20;

fn equal(what: &str, expected: impl ToString, found: impl ToString) -> LedgerCheck {
    let (expected, found) = (expected.to_string(), found.to_string());
    LedgerCheck { what: what.into(), ok: expected == found, expected, found }
}

fn unanswered(what: &str, expected: impl ToString, error: &impl ToString) -> LedgerCheck {
    LedgerCheck {
        what: what.into(),
        expected: expected.to_string(),
        found: format!("no answer: {}", error.to_string()),
        ok: false,
    }
}

/// Compares PostgreSQL's tables and its audit chain with what was registered.
pub(super) async fn postgres(postgres: &PostgresDriver, totals: &Totals) -> Vec<LedgerCheck> {
    let counts = match postgres.counts().await {
        Ok(counts) => counts,
        Err(error) => return vec![unanswered("rows in PostgreSQL", totals.objects, &error)],
    };
    let bronze = counts.layers.iter().find(|l| l.layer == Layer::Bronze.name());
    let (objects, events, bytes) = bronze.map_or((0, 0, 0), |l| (l.objects, l.events, l.bytes));
    let promoted: u64 =
        counts.layers.iter().filter(|l| l.layer != Layer::Bronze.name()).map(|l| l.objects).sum();
    let mut checks = vec![
        equal("bronze objects registered in PostgreSQL", totals.objects, objects),
        equal("events in them", totals.events, events),
        equal("bytes in them", totals.bytes, bytes),
        equal("silver and gold objects registered", totals.promoted, promoted),
        equal("lineage rows", totals.lineage, counts.lineage_events),
        equal("quality rows", totals.quality, counts.quality_reports),
        equal("decision rows", totals.decisions, counts.decisions),
        equal("event bodies that are not what their kind promises", 0, totals.malformed),
    ];
    checks.push(audit_chain(postgres, totals.audit).await);
    checks
}

async fn audit_chain(postgres: &PostgresDriver, expected: u64) -> LedgerCheck {
    let what = "audit chain recomputed over every row";
    let promise = format!("{expected} events, unbroken");
    let mut verifier = ChainVerifier::default();
    let mut after = None;
    loop {
        let page = match postgres.audit_rows(after, AUDIT_PAGE).await {
            Ok(page) => page,
            Err(error) => return unanswered(what, promise, &error),
        };
        let Some(last) = page.last() else { break };
        after = Some(last.occurred_us);
        for event in &page {
            if let Err(broken) = verifier.check(event) {
                return equal(what, promise, broken);
            }
        }
    }
    equal(what, promise, format!("{} events, unbroken", verifier.verified().count))
}

/// Lists the bronze bucket and reads objects back, frame by frame.
pub(super) async fn objects(s3: &S3Driver, names: &Names, totals: &Totals) -> Vec<LedgerCheck> {
    let bucket = names.bucket(Layer::Bronze);
    let what = "bronze objects listed in the object store";
    let listed = match s3.list(&bucket, "events/").await {
        Ok(listed) => listed.value,
        Err(error) => return vec![unanswered(what, totals.objects, &error)],
    };
    let bytes: u64 = listed.iter().map(|o| o.bytes).sum();
    let mut checks = vec![
        equal(what, totals.objects, listed.len()),
        equal("bytes listed in the object store", totals.bytes, bytes),
    ];
    let stride = usize::try_from(bytes.div_ceil(READ_BACK_BYTES)).unwrap_or(usize::MAX).max(1);
    let chosen: Vec<_> = listed.iter().step_by(stride).collect();
    let (mut intact, mut corrupt) = (0_u64, 0_u64);
    for object in &chosen {
        match s3.get(&bucket, &object.key).await {
            Ok(got) => {
                for frame in read_frames(&got.value) {
                    if frame.is_ok() { intact += 1 } else { corrupt += 1 }
                }
            }
            Err(error) => {
                checks.push(unanswered("an object read back", &object.key, &error));
                return checks;
            }
        }
    }
    let what = format!(
        "{} of {} bronze objects read back, every checksum verified",
        chosen.len(),
        listed.len()
    );
    if stride == 1 {
        checks.push(equal(
            &what,
            format!("{} intact events", totals.events),
            format!("{intact} intact events{}", if corrupt > 0 { ", some corrupt" } else { "" }),
        ));
    } else {
        checks.push(equal(&what, "0 corrupt", format!("{corrupt} corrupt")));
    }
    checks
}

/// Compares the notification stream with what NATS acknowledged.
pub(super) async fn notifications(
    nats: &NatsDriver,
    names: &Names,
    acknowledged: u64,
) -> LedgerCheck {
    let what = "notifications stored in the NATS stream";
    match nats.stored(&names.notifications_stream()).await {
        Ok(stored) => equal(what, acknowledged, stored),
        Err(error) => unanswered(what, acknowledged, &error),
    }
}

/// Compares each layer with the one it was made from.
pub(super) fn promotion(promoted: &Promoted) -> Vec<LedgerCheck> {
    vec![
        equal(
            "events in silver, of those promoted from bronze",
            promoted.bronze_events,
            promoted.silver_events,
        ),
        equal(
            "events counted in gold, of those in its silver",
            promoted.gold_sources,
            promoted.gold_events,
        ),
    ]
}
