//! MinIO from `minio/minio`.

use std::time::Duration;

use odg_workloads::endpoint::{S3Endpoint, Tls};
use odg_workloads::secret::Secret;

use super::recipe::{FILES, Recipe, USER};
use crate::provider::answer::Answer;
use crate::provider::password::random_password;

pub(super) fn recipe() -> Recipe {
    let secret_key = random_password();
    let file = format!("{FILES}/minio.env");
    let credentials =
        format!("MINIO_ROOT_USER={USER}\nMINIO_ROOT_PASSWORD={}\n", secret_key.expose());
    Recipe {
        port: 9000,
        host_port: None,
        data: "/data",
        env: vec![
            ("MINIO_CONFIG_ENV_FILE", file.clone()),
            ("MINIO_BROWSER", "off".to_owned()),
            ("MINIO_UPDATE", "off".to_owned()),
            ("MINIO_CALLHOME_ENABLE", "off".to_owned()),
        ],
        files: vec![(file, Secret::new(credentials))],
        args: vec!["server".to_owned(), "/data".to_owned()],
        shared_memory: None,
        grace: Duration::from_secs(10),
        answer: Box::new(move |port| {
            Answer::S3(S3Endpoint {
                url: format!("http://127.0.0.1:{port}"),
                access_key: USER.to_owned(),
                secret_key: secret_key.clone(),
                region: "us-east-1".to_owned(),
                tls: Tls::default(),
            })
        }),
    }
}
