use bytes::Bytes;

use super::{S3Driver, S3Options};
use crate::driver::ErrorKind;
use crate::driver::test_proxy::{CuttingProxy, canned_http};
use crate::driver::test_servers::{free_port, minio, prefix, s3_endpoint};
use crate::secret::Secret;

const BUCKET: &str = "odgbench-s-bronze";

fn driver(port: u16) -> S3Driver {
    S3Driver::new(&s3_endpoint(port), S3Options::default(), prefix("s")).unwrap()
}

fn noise(bytes: usize) -> Bytes {
    let mut state = 1_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..bytes).map(next).collect()
}

#[tokio::test]
async fn objects_small_and_in_parts_come_back_are_listed_and_are_removed() {
    let Some((server, _)) = minio().await else { return };
    let driver = driver(server.port);
    driver.ensure_bucket(BUCKET).await.unwrap();
    driver.ensure_bucket(BUCKET).await.unwrap();
    let (small, large) = (noise(3000), noise((20 << 20) + 7));
    assert_eq!(driver.put(BUCKET, "a/small", small.clone()).await.unwrap().value, 1);
    assert_eq!(driver.put(BUCKET, "a/large", large.clone()).await.unwrap().value, 3);
    assert_eq!(driver.put(BUCKET, "b/empty", Bytes::new()).await.unwrap().value, 1);
    assert_eq!(driver.get(BUCKET, "a/small").await.unwrap().value, small);
    assert!(driver.get(BUCKET, "a/large").await.unwrap().value == large);
    assert_eq!(driver.get(BUCKET, "b/empty").await.unwrap().value, Bytes::new());
    assert_eq!(driver.head(BUCKET, "a/large").await.unwrap().value.bytes, large.len() as u64);
    let listed = driver.list(BUCKET, "a/").await.unwrap().value;
    let keys: Vec<&str> = listed.iter().map(|o| o.key.as_str()).collect();
    assert_eq!(keys, ["a/large", "a/small"]);

    let unsigned = S3Options { sign_payload: false, ..S3Options::default() };
    let unsigned = S3Driver::new(&s3_endpoint(server.port), unsigned, prefix("s")).unwrap();
    unsigned.put(BUCKET, "c", small.clone()).await.unwrap();
    assert_eq!(unsigned.get(BUCKET, "c").await.unwrap().value, small);

    assert_eq!(driver.delete_bucket(BUCKET).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(driver.delete_prefix(BUCKET, "a/").await.unwrap(), 2);
    assert_eq!(driver.clean_up().await.unwrap(), [BUCKET]);
    assert_eq!(driver.ping().await.unwrap().value, 0);
    driver.delete_bucket(BUCKET).await.unwrap();
    assert_eq!(driver.version().await.unwrap(), "MinIO");
}

#[tokio::test]
async fn a_listing_longer_than_a_page_is_whole_and_all_of_it_is_deleted() {
    let Some((server, _)) = minio().await else { return };
    let driver = driver(server.port);
    driver.ensure_bucket(BUCKET).await.unwrap();
    for from in (0..1010).step_by(101) {
        let puts = (from..from + 101).map(|n| {
            let driver = driver.clone();
            async move { driver.put(BUCKET, &format!("k{n:04}"), Bytes::from_static(b"x")).await }
        });
        futures::future::try_join_all(puts).await.unwrap();
    }
    let keys: Vec<String> =
        driver.list(BUCKET, "").await.unwrap().value.into_iter().map(|o| o.key).collect();
    assert_eq!(keys, (0..1010).map(|n| format!("k{n:04}")).collect::<Vec<_>>());
    assert_eq!(driver.delete_prefix(BUCKET, "").await.unwrap(), 1010);
    assert!(driver.list(BUCKET, "").await.unwrap().value.is_empty());
}

#[tokio::test]
async fn a_missing_bucket_or_key_and_a_wrong_secret_are_told_apart() {
    let Some((server, mut endpoint)) = minio().await else { return };
    let driver = driver(server.port);
    let body = Bytes::from_static(b"x");
    let missing = driver.put("odgbench-s-none", "k", body.clone()).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    let large = noise(17 << 20);
    let missing = driver.put("odgbench-s-none", "k", large).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    driver.ensure_bucket(BUCKET).await.unwrap();
    assert_eq!(driver.get(BUCKET, "k").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(driver.head(BUCKET, "k").await.unwrap_err().kind(), ErrorKind::NotFound);
    endpoint.secret_key = Secret::new("wrong-secret");
    let stranger = S3Driver::new(&endpoint, S3Options::default(), prefix("s")).unwrap();
    let refused = stranger.put(BUCKET, "k", body).await.unwrap_err();
    assert_eq!((refused.kind(), refused.retries()), (ErrorKind::Refused, 0));
}

#[tokio::test]
async fn foreign_buckets_are_neither_written_nor_deleted() {
    let driver = driver(free_port());
    for refused in [
        driver.ensure_bucket("odg-bronze-default").await.map(drop),
        driver.put("odg-bronze-default", "k", Bytes::new()).await.map(drop),
        driver.delete_prefix("odg-bronze-default", "").await.map(drop),
        driver.delete_bucket("odg-bronze-default").await,
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Refused);
    }
}

#[tokio::test]
async fn a_server_that_closes_its_connections_is_retried_and_counted() {
    let Some((server, _)) = minio().await else { return };
    let proxy = CuttingProxy::to(server.port).await;
    let driver = driver(proxy.port);
    driver.ensure_bucket(BUCKET).await.unwrap();
    proxy.cut().await;
    proxy.close_next(1);
    let done = driver.put(BUCKET, "k", Bytes::from_static(b"x")).await.unwrap();
    // One for the connection that was closed on arrival, one more if the old one looked alive.
    assert!((1..=2).contains(&done.retries), "{}", done.retries);
    assert_eq!(driver.get(BUCKET, "k").await.unwrap().value, "x");
}

#[tokio::test]
async fn a_closed_port_is_a_connection_error_after_all_attempts() {
    let error = driver(free_port()).ping().await.unwrap_err();
    assert_eq!((error.kind(), error.retries()), (ErrorKind::Connection, 2));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_read_again() {
    let answer = |length: usize| {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\nhello")
    };
    let port = canned_http(vec![answer(100), answer(5)]).await;
    let done = driver(port).get(BUCKET, "k").await.unwrap();
    assert_eq!((done.value, done.retries), (Bytes::from_static(b"hello"), 1));
}

#[tokio::test]
async fn a_server_that_asks_for_less_load_is_throttling() {
    let body = "<Error><Code>SlowDown</Code><Message>wait</Message></Error>";
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    let error = driver(canned_http(vec![answer; 3]).await).get(BUCKET, "k").await.unwrap_err();
    assert_eq!((error.kind(), error.retries()), (ErrorKind::Throttled, 2));
}

#[test]
fn every_operation_can_run_as_a_task() {
    fn sendable<T: Send>(_: impl FnOnce(S3Driver) -> T) {}
    sendable(|driver| async move { driver.put("b", "k", Bytes::new()).await.map(drop) });
    sendable(|driver| async move { driver.get("b", "k").await.map(drop) });
    sendable(|driver| async move { driver.head("b", "k").await.map(drop) });
    sendable(|driver| async move { driver.list("b", "k").await.map(drop) });
    sendable(|driver| async move { driver.delete_prefix("b", "k").await.map(drop) });
    sendable(|driver| async move { driver.clean_up().await.map(drop) });
    sendable(|driver| async move { driver.ensure_bucket("b").await.map(drop) });
}
