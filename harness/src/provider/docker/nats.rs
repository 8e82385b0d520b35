//! NATS with JetStream from `nats`.

use std::time::Duration;

use odg_workloads::endpoint::{NatsEndpoint, NatsLogin};
use odg_workloads::secret::Secret;

use super::recipe::{FILES, Recipe, USER};
use crate::provider::answer::Answer;
use crate::provider::password::random_password;

pub(super) fn recipe() -> Recipe {
    let password = random_password();
    let file = format!("{FILES}/nats.conf");
    let config = format!(
        "server_name: odgbench\nlisten: \"0.0.0.0:4222\"\n\
         authorization {{ user: \"{USER}\", password: \"{}\" }}\n\
         jetstream {{ store_dir: \"/data/jetstream\" }}\n",
        password.expose()
    );
    Recipe {
        port: 4222,
        host_port: None,
        data: "/data",
        env: Vec::new(),
        files: vec![(file.clone(), Secret::new(config))],
        // Options alone: some of the official images have the server as entry point, some a script.
        args: vec!["--config".to_owned(), file],
        shared_memory: None,
        grace: Duration::from_secs(10),
        answer: Box::new(move |port| {
            Answer::Nats(NatsEndpoint {
                address: format!("127.0.0.1:{port}"),
                login: NatsLogin::Password { user: USER.to_owned(), password: password.clone() },
                tls: None,
            })
        }),
    }
}
