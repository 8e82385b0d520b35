//! Waiting for a server that runs as a process of this machine.

use odg_workloads::driver::DriverError;

use crate::provider::ProviderError;
use crate::provider::ready::{self, NotReady};
pub(super) use crate::provider::ready::{kafka, nats, postgres, redis, s3};

use super::candidate::Site;
use super::process::Process;

/// Asks until the first answer.
///
/// # Errors
/// The process ended, or the site's time is over.
pub(super) async fn wait<T, F>(
    process: &mut Process,
    site: &Site<'_>,
    port: u16,
    ask: impl FnMut() -> F,
) -> Result<T, ProviderError>
where
    F: Future<Output = Result<T, DriverError>>,
{
    let ended = || process.status().map(|status| status.to_string());
    ready::wait(port, site.ready_timeout, ended, ask).await.map_err(|error| match error {
        NotReady::Ended(status) => site.failed_to_start(&status),
        NotReady::Silent(last) => site.not_ready(&last),
    })
}
