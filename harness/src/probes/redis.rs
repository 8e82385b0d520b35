//! Redis: what is set is read back, expires, and can be deleted.

use std::time::Duration;

use odg_workloads::driver::redis::RedisDriver;
use odg_workloads::endpoint::RedisEndpoint;

use super::{Answer, prefix, same, tidied};

pub(super) const ASKED: &str = "set a value for 3 s, read it back, see it expire";

pub(super) async fn probe(endpoint: &RedisEndpoint, run: &str) -> Answer {
    let prefix = prefix(run)?;
    let redis = RedisDriver::connect(endpoint, prefix.clone()).await?;
    tidied("redis", ask(&redis, prefix.as_str()), redis.delete_prefix(prefix.as_str())).await
}

async fn ask(redis: &RedisDriver, prefix: &str) -> Answer {
    let key = format!("{prefix}:value");
    redis.put(&key, b"42", 3).await?;
    let found = redis.get(&key).await?.value;
    same(found.as_deref(), Some(b"42".as_slice()), "redis", "read the value back")?;
    tokio::time::sleep(Duration::from_millis(3_100)).await;
    same(redis.get(&key).await?.value, None, "redis", "read the value after its time")?;
    Ok(format!("the value, then nothing, from Redis {}", redis.version().await?))
}
