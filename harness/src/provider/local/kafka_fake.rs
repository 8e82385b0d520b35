//! librdkafka's mock cluster, in this process: always marked fake.

use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use futures::channel::oneshot;
use futures::future::BoxFuture;
use odg_profiles::Component;
use odg_reports::record::Fidelity;
use odg_workloads::endpoint::KafkaEndpoint;
use rdkafka::mocking::MockCluster;

use crate::provider::ProviderError;

use super::candidate::{Answer, Candidate, Found, Identity, Inside, Running, Site, Started};
use super::search::{NotFound, Search};

pub(super) struct KafkaFake;

impl Candidate for KafkaFake {
    fn identity(&self) -> Identity {
        Identity {
            component: Component::Kafka,
            id: "fake",
            product: "librdkafka mock cluster",
            fidelity: Fidelity::Fake,
            note: Some(
                "a test double inside odg-bench: memory only, keeps 5 MiB or 100,000 messages a partition and \
             then drops unread ones silently; transactions do nothing; no topic administration",
            ),
        }
    }

    fn find(&self, _: &Search) -> Result<Found, NotFound> {
        Ok(Found { path: None, version: Some(librdkafka_version()) })
    }

    fn start<'a>(
        &'a self,
        _: &'a Search,
        _: &'a Site<'a>,
    ) -> BoxFuture<'a, Result<Started, ProviderError>> {
        Box::pin(start())
    }
}

/// The cluster's thread. The cluster cannot move between threads, so it lives and ends on one of its own.
struct Cluster {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Inside for Cluster {
    fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn start() -> Result<Started, ProviderError> {
    const WHAT: &str = "start librdkafka's mock cluster";
    let (stop, stopped) = channel::<()>();
    let (answer, bootstrap) = oneshot::channel();
    let work = move || match MockCluster::new(1) {
        Ok(cluster) => {
            let _ = answer.send(Ok(cluster.bootstrap_servers()));
            // Returns when the sender is dropped.
            let _ = stopped.recv();
        }
        Err(error) => {
            let _ = answer.send(Err(error));
        }
    };
    let thread = thread::Builder::new()
        .name("mock-kafka".into())
        .spawn(work)
        .map_err(|e| ProviderError::io(WHAT, e))?;
    let cluster = Cluster { stop: Some(stop), thread: Some(thread) };
    let bootstrap = match bootstrap.await {
        Ok(Ok(bootstrap)) => bootstrap,
        Ok(Err(error)) => return Err(ProviderError::io(WHAT, std::io::Error::other(error))),
        Err(_) => return Err(ProviderError::io(WHAT, std::io::Error::other("its thread ended"))),
    };
    Ok(Started {
        answer: Answer::Kafka(KafkaEndpoint { bootstrap, admin: false, login: None, tls: None }),
        version: librdkafka_version(),
        running: Running::Inside(Box::new(cluster)),
    })
}

fn librdkafka_version() -> String {
    rdkafka::util::get_rdkafka_version().1
}
