//! Redis from `redis`.

use std::time::Duration;

use odg_workloads::endpoint::RedisEndpoint;
use odg_workloads::secret::Secret;

use super::recipe::{FILES, Recipe};
use crate::provider::answer::Answer;
use crate::provider::password::random_password;

pub(super) fn recipe() -> Recipe {
    let password = random_password();
    let file = format!("{FILES}/redis.conf");
    // As the local provider: the append-only file is on, synced every second.
    let config = format!(
        "requirepass {}\ndir /data\ndaemonize no\nlogfile \"\"\nsave \"\"\nappendonly yes\nappendfsync everysec\n",
        password.expose()
    );
    Recipe {
        port: 6379,
        host_port: None,
        data: "/data",
        env: Vec::new(),
        files: vec![(file.clone(), Secret::new(config))],
        args: vec!["redis-server".to_owned(), file],
        shared_memory: None,
        grace: Duration::from_secs(5),
        answer: Box::new(move |port| {
            Answer::Redis(RedisEndpoint {
                host: "127.0.0.1".to_owned(),
                port,
                user: None,
                password: Some(password.clone()),
                tls: None,
            })
        }),
    }
}
