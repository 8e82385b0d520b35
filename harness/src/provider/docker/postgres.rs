//! PostgreSQL from `postgres`.

use std::time::Duration;

use odg_workloads::endpoint::{PostgresEndpoint, SslMode, Tls};

use super::recipe::{FILES, Recipe, USER};
use crate::provider::answer::Answer;
use crate::provider::password::random_password;

const DATA: &str = "/var/lib/postgresql/data";

pub(super) fn recipe() -> Recipe {
    let password = random_password();
    let file = format!("{FILES}/password");
    // Durability stays as it ships: on. The sizes are those of the local provider.
    let settings = ["max_connections=100", "shared_buffers=128MB", "max_wal_size=2GB"];
    let mut args = vec!["postgres".to_owned()];
    args.extend(settings.iter().flat_map(|s| ["-c".to_owned(), (*s).to_owned()]));
    Recipe {
        port: 5432,
        host_port: None,
        data: DATA,
        env: vec![
            ("POSTGRES_USER", USER.to_owned()),
            ("POSTGRES_DB", "postgres".to_owned()),
            ("POSTGRES_PASSWORD_FILE", file.clone()),
            ("POSTGRES_INITDB_ARGS", "--encoding=UTF8 --locale=C".to_owned()),
            ("PGDATA", DATA.to_owned()),
        ],
        files: vec![(file, password.clone())],
        args,
        // Parallel queries exchange rows through it.
        shared_memory: Some(256 << 20),
        grace: Duration::from_secs(10),
        answer: Box::new(move |port| {
            Answer::Postgres(PostgresEndpoint {
                host: "127.0.0.1".to_owned(),
                port,
                user: USER.to_owned(),
                password: password.clone(),
                database: "postgres".to_owned(),
                ssl_mode: SslMode::Disable,
                tls: Tls::default(),
            })
        }),
    }
}
