//! The light questions, again and again while the load runs.

use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::Invariants;

/// Pause between two rounds: a round is about twenty requests, so that it adds no load worth naming.
const PAUSE: Duration = Duration::from_secs(5);

/// Rounds under way. Dropping it ends them; the probes' roles then stay.
pub struct Watch {
    stop: Option<oneshot::Sender<Infallible>>,
    rounds: JoinHandle<Invariants>,
}

impl Watch {
    /// Goes on asking until [`Watch::end`].
    pub fn start(mut invariants: Invariants) -> Self {
        let (stop, mut stopped) = oneshot::channel::<Infallible>();
        let rounds = tokio::spawn(async move {
            loop {
                let round = async {
                    tokio::time::sleep(PAUSE).await;
                    invariants.round().await;
                };
                tokio::select! {
                    // Dropped: nobody waits for the end of this round.
                    _ = &mut stopped => return invariants,
                    () = round => {}
                }
            }
        });
        Self { stop: Some(stop), rounds }
    }

    /// Gives the round under way up, and answers everything found so far; `None` where a round panicked.
    pub async fn end(mut self) -> Option<Invariants> {
        drop(self.stop.take());
        (&mut self.rounds).await.ok()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.rounds.abort();
    }
}
