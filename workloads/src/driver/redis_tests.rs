use super::{RedisDriver, escape_glob};
use crate::driver::ErrorKind;
use crate::driver::test_proxy::CuttingProxy;
use crate::driver::test_servers::{free_port, prefix, redis};
use crate::secret::Secret;

#[test]
fn a_prefix_is_matched_literally() {
    assert_eq!(escape_glob("odgbench-a1:s*[x]"), "odgbench-a1:s\\*\\[x\\]");
}

#[tokio::test]
async fn sessions_are_kept_expire_and_only_this_runs_are_removed() {
    let Some((_server, endpoint)) = redis().await else { return };
    let driver = RedisDriver::connect(&endpoint, prefix("r")).await.unwrap();
    let other = RedisDriver::connect(&endpoint, prefix("r2")).await.unwrap();
    driver.ping().await.unwrap();
    assert!(driver.version().await.unwrap().starts_with(|c: char| c.is_ascii_digit()));
    for n in 0..2500 {
        driver.put(&format!("odgbench-r:s:{n}"), b"session", 3600).await.unwrap();
    }
    other.put("odgbench-r2:s:1", b"theirs", 3600).await.unwrap();
    let found = driver.get("odgbench-r:s:7").await.unwrap().value;
    assert_eq!(found.as_deref(), Some(&b"session"[..]));
    assert_eq!(driver.get("odgbench-r:s:none").await.unwrap().value, None);
    driver.put("odgbench-r:short", b"x", 1).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!(driver.get("odgbench-r:short").await.unwrap().value, None);
    assert_eq!(driver.delete_prefix("odgbench-r").await.unwrap(), 2500);
    assert!(other.get("odgbench-r2:s:1").await.unwrap().value.is_some());
}

#[tokio::test]
async fn a_foreign_key_is_neither_written_nor_removed() {
    let Some((_server, endpoint)) = redis().await else { return };
    let driver = RedisDriver::connect(&endpoint, prefix("r")).await.unwrap();
    let put = driver.put("governance_decisions:1", b"x", 60).await.unwrap_err();
    assert_eq!(put.kind(), ErrorKind::Refused);
    assert_eq!(driver.delete_prefix("").await.unwrap_err().kind(), ErrorKind::Refused);
}

#[tokio::test]
async fn a_server_that_closes_its_connection_is_retried_and_counted() {
    let Some((server, mut endpoint)) = redis().await else { return };
    let proxy = CuttingProxy::to(server.port).await;
    endpoint.port = proxy.port;
    let driver = RedisDriver::connect(&endpoint, prefix("r")).await.unwrap();
    driver.put("odgbench-r:k", b"x", 60).await.unwrap();
    proxy.cut().await;
    let done = driver.get("odgbench-r:k").await.unwrap();
    assert_eq!(done.value.as_deref(), Some(&b"x"[..]));
    assert!(done.retries >= 1);
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_a_closed_port_is_a_connection_error() {
    let Some((_server, mut endpoint)) = redis().await else { return };
    endpoint.password = Some(Secret::new("wrong"));
    let refused = RedisDriver::connect(&endpoint, prefix("r")).await.map(drop).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Refused, "{refused}");
    endpoint.port = free_port();
    let closed = RedisDriver::connect(&endpoint, prefix("r")).await.map(drop).unwrap_err();
    assert_eq!(closed.kind(), ErrorKind::Connection, "{closed}");
}

#[test]
fn every_operation_can_run_as_a_task() {
    fn sendable<T: Send>(_: impl FnOnce(RedisDriver) -> T) {}
    sendable(|driver| async move { driver.put("k", b"", 1).await.map(drop) });
    sendable(|driver| async move { driver.get("k").await.map(drop) });
    sendable(|driver| async move { driver.delete_prefix("k").await.map(drop) });
}
