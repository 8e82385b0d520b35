//! `s3s-fs`, an S3 server over a directory, in this process: always marked fake.

use std::path::Path;
use std::time::Duration;

use futures::future::BoxFuture;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use odg_profiles::Component;
use odg_reports::record::Fidelity;
use odg_workloads::endpoint::{S3Endpoint, Tls};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::provider::ProviderError;

use super::candidate::{
    Answer, Candidate, Found, Identity, Inside, Running, Site, Started, random_password,
};
use super::search::{NotFound, Search};
use super::workdir::make_private_dir;

const USER: &str = "odgbench";
/// The workspace pins exactly this version.
const VERSION: &str = "0.14.1";
/// Pause after the system refused to accept a connection (too many open files), so that it can recover.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

pub(super) struct S3Fake;

impl Candidate for S3Fake {
    fn identity(&self) -> Identity {
        Identity {
            component: Component::Minio,
            id: "fake",
            product: "s3s-fs",
            fidelity: Fidelity::Fake,
            note: Some(
                "a test double inside odg-bench over a directory: concurrent writes of one key tear, a bucket \
             that is not empty can be deleted; no versioning, lifecycle, policy or tagging",
            ),
        }
    }

    fn find(&self, _: &Search) -> Result<Found, NotFound> {
        Ok(Found { path: None, version: Some(VERSION.to_owned()) })
    }

    fn start<'a>(
        &'a self,
        _: &'a Search,
        site: &'a Site<'a>,
    ) -> BoxFuture<'a, Result<Started, ProviderError>> {
        Box::pin(start(site))
    }
}

/// The task that accepts connections; they end with it.
struct Server(JoinHandle<()>);

impl Inside for Server {
    fn has_ended(&self) -> bool {
        self.0.is_finished()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn start(site: &Site<'_>) -> Result<Started, ProviderError> {
    let what = || format!("start s3s-fs in {}", site.dir.display());
    let data = site.dir.join("data");
    make_private_dir(&data)?;
    let secret_key = random_password();
    let service = service(&data, secret_key.expose())
        .map_err(|e| ProviderError::io(what(), std::io::Error::other(e)))?;
    let listener =
        TcpListener::bind(("127.0.0.1", 0)).await.map_err(|e| ProviderError::io(what(), e))?;
    let address = listener.local_addr().map_err(|e| ProviderError::io(what(), e))?;
    let server = Server(tokio::spawn(accept(listener, service)));
    let endpoint = S3Endpoint {
        url: format!("http://{address}"),
        access_key: USER.to_owned(),
        secret_key,
        region: "us-east-1".to_owned(),
        tls: Tls::default(),
    };
    Ok(Started {
        answer: Answer::S3(endpoint),
        version: VERSION.to_owned(),
        running: Running::Inside(Box::new(server)),
    })
}

fn service(data: &Path, secret_key: &str) -> Result<S3Service, String> {
    let files = FileSystem::new(data).map_err(|e| format!("{e:?}"))?;
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single(USER, secret_key));
    Ok(builder.build())
}

async fn accept(listener: TcpListener, service: S3Service) {
    let http = Builder::new(TokioExecutor::new());
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // Small answers must not wait for Nagle's algorithm.
        let _ = stream.set_nodelay(true);
        let connection = http.serve_connection(TokioIo::new(stream), service.clone()).into_owned();
        connections.spawn(async move {
            let _ = connection.await;
        });
        while connections.try_join_next().is_some() {}
    }
}
