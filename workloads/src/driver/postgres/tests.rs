use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    Batch, DatasetRow, DecisionRow, LineageRow, ObjectRow, PoolSize, PostgresDriver, QualityRow,
    Registered,
};
use crate::audit::{ChainAppender, Draft, verify};
use crate::driver::ErrorKind;
use crate::driver::test_proxy::CuttingProxy;
use crate::driver::test_servers::{free_port, postgres, prefix, prefix_};
use crate::secret::Secret;

const NOW_US: i64 = 1_770_465_600_123_456;

fn map(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

fn dataset(id: &str, events: u64) -> DatasetRow {
    DatasetRow {
        dataset_id: id.to_owned(),
        domain_id: "sales".to_owned(),
        layer: "bronze".to_owned(),
        events,
        bytes: events * 1024,
    }
}

fn batch(key: &str, chain: &mut ChainAppender) -> Batch {
    let draft = |n: i64| Draft {
        event_type: "decision_created".to_owned(),
        entity_type: "decision".to_owned(),
        entity_id: format!("{key}-{n}"),
        actor_id: "u1".to_owned(),
        description: "Promote sales — ção ✓".to_owned(),
        details: map(json!({"n": n, "score": 1.0, "tiny": 1e-07, "half": 0.5, "z": null})),
    };
    Batch {
        object: Some(ObjectRow {
            key: key.to_owned(),
            bucket: "odgbench-p-bronze".to_owned(),
            layer: "bronze".to_owned(),
            bytes: 4096,
            events: 4,
            crc32c: u32::MAX,
            first_intended_us: NOW_US,
            last_intended_us: NOW_US + 9,
            parents: vec!["a".to_owned()],
        }),
        // The same dataset twice: one row, summed.
        datasets: vec![dataset("orders", 1), dataset("orders", 2), dataset("clients", 1)],
        lineage: vec![LineageRow {
            id: Uuid::new_v4(),
            dataset_id: "orders".to_owned(),
            operation: "updated".to_owned(),
            upstream: vec!["raw".to_owned(), "raw".to_owned()],
            downstream: vec!["report".to_owned()],
            occurred_us: NOW_US,
        }],
        quality: vec![QualityRow {
            id: Uuid::new_v4(),
            dataset_id: "orders".to_owned(),
            domain_id: "sales".to_owned(),
            layer: "bronze".to_owned(),
            suite_name: "default_bronze".to_owned(),
            dq_score: 0.9,
            dimension_scores: map(json!({"completeness": 0.9})),
            passed: 2,
            failed: 1,
            created_us: NOW_US,
        }],
        decisions: vec![DecisionRow {
            id: Uuid::new_v4(),
            decision_type: "data_promotion".to_owned(),
            title: "Promote".to_owned(),
            description: String::new(),
            status: "pending".to_owned(),
            domain_id: "sales".to_owned(),
            created_by: "u1".to_owned(),
            created_us: NOW_US,
            metadata: Map::new(),
            source_layer: Some("bronze".to_owned()),
            target_layer: Some("silver".to_owned()),
            data_classification: None,
        }],
        audit: (0..5).map(|n| chain.append(draft(n), NOW_US).unwrap()).collect(),
    }
}

#[tokio::test]
async fn a_batch_is_registered_once_visible_whole_and_its_audit_chain_verifies_from_the_table() {
    let Some((_server, endpoint)) = postgres().await else { return };
    let size = PoolSize { min: 1, max: 4 };
    let driver = PostgresDriver::connect(&endpoint, size, &prefix_("p")).await.unwrap();
    driver.prepare().await.unwrap();
    driver.prepare().await.unwrap();
    driver.ping().await.unwrap();
    assert!(driver.version().await.unwrap().starts_with(|c: char| c.is_ascii_digit()));

    let mut chain = ChainAppender::default();
    let first = batch("k1", &mut chain);
    let second = batch("k2", &mut chain);
    assert_eq!(driver.register(&first).await.unwrap().value, Registered::New);
    assert_eq!(driver.register(&second).await.unwrap().value, Registered::New);
    assert_eq!(driver.register(&first).await.unwrap().value, Registered::Already);
    driver.register(&Batch::default()).await.unwrap();

    let counts = driver.counts().await.unwrap();
    assert_eq!((counts.decisions, counts.audit_events, counts.quality_reports), (2, 10, 2));
    assert_eq!((counts.datasets, counts.lineage_events, counts.lineage_edges), (2, 2, 2));
    assert_eq!(counts.layers.len(), 1);
    assert_eq!((counts.layers[0].objects, counts.layers[0].events), (2, 8));
    let orders = driver.lookup_dataset("orders").await.unwrap().value.unwrap();
    assert_eq!((orders.events, orders.bytes), (6, 6 * 1024));
    assert_eq!(driver.lookup_object("k1").await.unwrap().value, first.object);
    assert_eq!(driver.lookup_object("none").await.unwrap().value, None);

    let mut events = driver.audit_rows(None, 7).await.unwrap();
    assert_eq!(events.len(), 7);
    events.extend(driver.audit_rows(events.last().map(|e| e.occurred_us), 7).await.unwrap());
    let written: Vec<_> = first.audit.into_iter().chain(second.audit).collect();
    assert_eq!(events, written);
    assert_eq!(verify(&events).unwrap().count, 10);

    let refused = sqlx::query("DELETE FROM audit_events").execute(&driver.pool).await.unwrap_err();
    assert_eq!(super::pg_error("delete", &refused).kind(), ErrorKind::Refused);
    driver.drop_schema().await.unwrap();
    assert_eq!(driver.counts().await.unwrap_err().kind(), ErrorKind::NotFound);
    driver.close().await;
}

#[tokio::test]
async fn a_failed_batch_leaves_nothing_behind() {
    let Some((_server, endpoint)) = postgres().await else { return };
    let size = PoolSize { min: 0, max: 2 };
    let driver = PostgresDriver::connect(&endpoint, size, &prefix_("p")).await.unwrap();
    driver.prepare().await.unwrap();
    let mut broken = batch("k1", &mut ChainAppender::default());
    broken.decisions[0].title = "x".repeat(501);
    assert_eq!(driver.register(&broken).await.unwrap_err().kind(), ErrorKind::Refused);
    assert_eq!(driver.counts().await.unwrap(), super::Counts::default());
}

#[tokio::test]
async fn batches_that_touch_the_same_datasets_at_once_all_succeed() {
    let Some((_server, endpoint)) = postgres().await else { return };
    let size = PoolSize { min: 0, max: 8 };
    let driver = PostgresDriver::connect(&endpoint, size, &prefix_("p")).await.unwrap();
    driver.prepare().await.unwrap();
    let batches = (0..16).map(|n| {
        let mut datasets: Vec<_> = (0..20).map(|d| dataset(&format!("d{d}"), 1)).collect();
        if n % 2 == 0 {
            datasets.reverse();
        }
        Batch { datasets, ..Batch::default() }
    });
    let batches: Vec<Batch> = batches.collect();
    let done = futures::future::join_all(batches.iter().map(|b| driver.register(b))).await;
    assert!(done.iter().all(|d| d.as_ref().is_ok_and(|d| d.retries == 0)), "{done:?}");
    assert_eq!(driver.lookup_dataset("d7").await.unwrap().value.unwrap().events, 16);
}

#[tokio::test]
async fn dead_connections_are_replaced_retried_and_counted() {
    let Some((_server, mut endpoint)) = postgres().await else { return };
    let proxy = CuttingProxy::to(endpoint.port).await;
    endpoint.port = proxy.port;
    let size = PoolSize { min: 3, max: 3 };
    let driver = PostgresDriver::connect(&endpoint, size, &prefix_("p")).await.unwrap();
    driver.prepare().await.unwrap();
    let pings = futures::future::join_all((0..3).map(|_| driver.ping())).await;
    assert!(pings.iter().all(Result::is_ok));
    proxy.cut().await;
    let batch = batch("k1", &mut ChainAppender::default());
    let done = driver.register(&batch).await.unwrap();
    assert_eq!((done.value, done.retries), (Registered::New, 1));
    assert_eq!(driver.counts().await.unwrap().audit_events, 5);
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_a_closed_port_is_a_connection_error() {
    let Some((_server, mut endpoint)) = postgres().await else { return };
    endpoint.password = Secret::new("wrong");
    let connect = |endpoint| async move {
        let driver = PostgresDriver::connect(&endpoint, PoolSize::default(), &prefix_("p")).await;
        driver.map(drop).unwrap_err()
    };
    let refused = connect(endpoint.clone()).await;
    assert_eq!(refused.kind(), ErrorKind::Refused);
    assert!(!refused.to_string().contains("wrong"), "{refused}");
    endpoint.port = free_port();
    assert_eq!(connect(endpoint.clone()).await.kind(), ErrorKind::Connection);
    let dashed = PostgresDriver::connect(&endpoint, PoolSize::default(), &prefix("p")).await;
    assert_eq!(dashed.map(drop).unwrap_err().kind(), ErrorKind::Refused);
}

#[test]
fn every_operation_can_run_as_a_task() {
    fn sendable<T: Send>(_: impl FnOnce(PostgresDriver) -> T) {}
    sendable(|driver| async move { driver.register(&Batch::default()).await.map(drop) });
    sendable(|driver| async move { driver.lookup_dataset("d").await.map(drop) });
    sendable(|driver| async move { driver.lookup_object("k").await.map(drop) });
    sendable(|driver| async move { driver.audit_rows(None, 1).await.map(drop) });
    sendable(|driver| async move { driver.counts().await.map(drop) });
    sendable(|driver| async move { driver.ping().await.map(drop) });
    sendable(|driver| async move { driver.version().await.map(drop) });
    sendable(|driver| async move { driver.prepare().await });
    sendable(|driver| async move { driver.drop_schema().await });
}

#[test]
fn the_product_is_what_stands_before_the_version() {
    use super::name_in;
    assert_eq!(
        name_in("PostgreSQL 15.20 (Debian 15.20-0+deb12u1) on x86_64-pc-linux-gnu"),
        "PostgreSQL"
    );
    assert_eq!(name_in("CockroachDB CCL v23.1.11 (x86_64-pc-linux-gnu)"), "CockroachDB CCL");
    assert_eq!(name_in(""), "");
}
