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

/// Lists the buckets, and reads bronze objects back, frame by frame.
pub(super) async fn objects(s3: &S3Driver, names: &Names, totals: &Totals) -> Vec<LedgerCheck> {
    let bronze = names.bucket(Layer::Bronze);
    let what = "bronze objects listed in the object store";
    let listed = match s3.list(&bronze, "events/").await {
        Ok(listed) => listed.value,
        Err(error) => return vec![unanswered(what, totals.objects, &error)],
    };
    let bytes: u64 = listed.iter().map(|o| o.bytes).sum();
    let mut checks = vec![
        equal(what, totals.objects, listed.len()),
        equal("bytes in them, as listed", totals.bytes, bytes),
        higher_layers(s3, names, totals).await,
    ];
    let stride = usize::try_from(bytes.div_ceil(READ_BACK_BYTES)).unwrap_or(usize::MAX).max(1);
    let chosen: Vec<_> = listed.iter().step_by(stride).collect();
    let (mut intact, mut wrong) = (0_u64, 0_u64);
    for object in &chosen {
        let got = match s3.get(&bronze, &object.key).await {
            Ok(got) => got.value,
            Err(error) => {
                checks.push(unanswered("an object read back", &object.key, &error));
                return checks;
            }
        };
        wrong += u64::from(got.len() as u64 != object.bytes);
        for frame in read_frames(&got) {
            match frame {
                Ok(_) => intact += 1,
                Err(_) => wrong += 1,
            }
        }
    }
    let what = format!(
        "{} of {} bronze objects read back, length and every checksum verified",
        chosen.len(),
        listed.len()
    );
    // Where all were read, their events must be all there are; promotion reads every object as well.
    let expected = if stride == 1 { totals.events } else { intact };
    checks.push(equal(
        &what,
        format!("{expected} intact events, 0 wrong"),
        format!("{intact} intact events, {wrong} wrong"),
    ));
    checks
}

async fn higher_layers(s3: &S3Driver, names: &Names, totals: &Totals) -> LedgerCheck {
    let what = "silver and gold objects and their bytes, as listed";
    let expected = format!("{} objects, {} bytes", totals.promoted, totals.promoted_bytes);
    let (mut objects, mut bytes) = (0, 0);
    for layer in [Layer::Silver, Layer::Gold] {
        match s3.list(&names.bucket(layer), "").await {
            Ok(listed) => {
                objects += listed.value.len();
                bytes += listed.value.iter().map(|o| o.bytes).sum::<u64>();
            }
            Err(error) => return unanswered(what, expected, &error),
        }
    }
    equal(what, expected, format!("{objects} objects, {bytes} bytes"))
}

/// Notifications, as the workload counted them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Notified {
    /// Published, answered or not.
    pub attempted: u64,
    /// Acknowledged.
    pub acknowledged: u64,
}

/// Compares the notification stream with what NATS acknowledged. A message whose acknowledgement got lost
/// may be there without having been acknowledged; it cannot be the other way round.
pub(super) async fn notifications(
    nats: &NatsDriver,
    names: &Names,
    Notified { attempted, acknowledged }: Notified,
) -> LedgerCheck {
    let what = "notifications stored in the NATS stream";
    let expected = if attempted == acknowledged {
        acknowledged.to_string()
    } else {
        format!("{acknowledged} to {attempted}")
    };
    match nats.stored(&names.notifications_stream()).await {
        Ok(stored) => LedgerCheck {
            what: what.into(),
            ok: (acknowledged..=attempted).contains(&stored),
            expected,
            found: stored.to_string(),
        },
        Err(error) => unanswered(what, expected, &error),
    }
}

/// Every registered event must have come through to silver and be counted in gold.
pub(super) fn promotion(promoted: &Promoted, totals: &Totals) -> Vec<LedgerCheck> {
    let given_up = if promoted.given_up { ", given up" } else { "" };
    let found = |events: u64| format!("{events}{given_up}");
    vec![
        equal("registered events in silver", totals.events, found(promoted.silver_events)),
        equal("registered events counted in gold", totals.events, found(promoted.gold_events)),
    ]
}
