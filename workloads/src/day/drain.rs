//! The end of a day workload: what is under way drains, each part in turn, and the stores are asked.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use odg_reports::record::LedgerSummary;
use tokio::task::JoinHandle;

use super::clients::Bus;
use super::pacing::Pacing;
use super::promote::Promoted;
use super::publish::Kept;
use super::register::Totals;
use super::running::{LOOK, Pipeline, Running, Stored};
use super::verify;
use crate::driver::DriverError;
use crate::ledger::Hop;
use crate::littles_law::InFlightMeans;

/// While draining, this long (or a quarter of the drain, where that is more) without any event read means
/// that no more will come.
const QUIET: Duration = Duration::from_secs(5);
/// Time for the rest of the pipeline once it was told to give up.
const LAST: Duration = Duration::from_secs(10);

/// What a run leaves behind.
#[derive(Debug)]
pub struct DayOutcome {
    /// The account of every event, with checks of the stores; empty where the stack carries no events.
    pub ledger: LedgerSummary,
    /// How well the schedule was kept.
    pub pacing: Pacing,
    /// Arrivals dropped because a queue was full.
    pub dropped: u64,
    /// Sampled in-flight means per operation.
    pub in_flight: InFlightMeans,
    /// Arrivals that the schedule holds up to the end of the load, counted apart from pacing.
    pub scheduled: u64,
    /// How well the publishing thread kept up with the pacer.
    pub publishing: Kept,
    /// Errors while reading from the bus.
    pub consumer_errors: u64,
    /// Connections to the bus and to NATS that broke or could not be opened.
    pub connection_failures: u64,
    /// Whether everything drained before the deadline.
    pub drained: bool,
    /// What workloads beside this one could not take back.
    pub leftovers: Vec<DriverError>,
}

impl Running {
    /// Lets what is under way end, at most for `drain`, and compares the stores with the ledger. Call it
    /// once the schedule has ended, or to end it. `each_look` is called about every 20 ms meanwhile and
    /// answers how long draining may still take, where that is less than it was.
    pub async fn finish(
        mut self,
        drain: Duration,
        mut each_look: impl FnMut() -> Option<Duration>,
    ) -> DayOutcome {
        self.stop();
        self.end_ns = self.clock.now_ns();
        let mut deadline = Instant::now() + drain;
        let mut hurry = |deadline: &mut Instant| {
            if let Some(left) = each_look() {
                *deadline = (*deadline).min(Instant::now() + left);
            }
        };
        let mut drained = true;
        // 1. The generator: lanes end when the pacer has dropped their queues and they are empty.
        while !(self.published() && self.lanes.iter().all(JoinHandle::is_finished)) {
            if Instant::now() > deadline {
                drained = false;
                break;
            }
            hurry(&mut deadline);
            tokio::time::sleep(LOOK).await;
        }
        if !drained {
            // What has not been sent stays unsent; what has been gets its time in the pipeline.
            self.switches.stop_publishing.store(true, Ordering::Relaxed);
            self.lanes.iter().for_each(JoinHandle::abort);
            deadline = deadline.max(Instant::now() + LAST);
        }
        // 2. The bus: what it acknowledged is read back.
        let quiet = QUIET.max(drain / 4);
        let mut seen_errors = self.consumer_errors();
        let mut last = (self.ledger.arrivals(Hop::Consumed), Instant::now());
        while let Some(pipeline) = &self.pipeline {
            let outstanding = self.ledger.outstanding(Hop::Acknowledged, Hop::Consumed);
            if outstanding == 0 && self.published() {
                break;
            }
            let consumed = self.ledger.arrivals(Hop::Consumed);
            let errors = self.consumer_errors();
            let held_up = pipeline.ingest_waiting.load(Ordering::Relaxed) || errors > seen_errors;
            if consumed > last.0 || held_up {
                last = (consumed, Instant::now());
                seen_errors = errors;
            }
            if last.1.elapsed() > quiet {
                // The bus has been silent while nothing held the reader up: what is missing is lost.
                break;
            }
            if Instant::now() > deadline {
                drained = false;
                break;
            }
            hurry(&mut deadline);
            tokio::time::sleep(LOOK).await;
        }
        // 3. The pipeline, from its start to its end: each part ends when the one before has.
        self.switches.stop_ingest.store(true, Ordering::Relaxed);
        while !self.pipeline_ended() && Instant::now() < deadline {
            hurry(&mut deadline);
            tokio::time::sleep(LOOK).await;
        }
        self.switches.give_up.store(true, Ordering::Relaxed);
        let last_call = Instant::now() + LAST;
        while !self.pipeline_ended() && Instant::now() < last_call {
            drained = false;
            hurry(&mut deadline);
            tokio::time::sleep(LOOK).await;
        }
        self.at_rest(drained).await
    }

    /// Whether every event has been handed to the bus and has its answer.
    fn published(&self) -> bool {
        self.pipeline.as_ref().is_none_or(|pipeline| pipeline.publisher.is_finished())
    }

    fn consumer_errors(&self) -> u64 {
        self.pipeline.as_ref().map_or(0, |p| p.ingest_errors.load(Ordering::Relaxed))
    }

    fn pipeline_ended(&self) -> bool {
        self.pipeline.as_ref().is_none_or(Pipeline::ended)
    }

    /// Gathers what each part leaves, and asks the stores.
    async fn at_rest(mut self, drained: bool) -> DayOutcome {
        let finished = self.pipeline_ended();
        let stored = self.pipeline.as_mut().and_then(|pipeline| pipeline.stored.take());
        let (totals, promoted) = match stored {
            Some(stored) => ends(stored, finished).await,
            None => (Totals::default(), None),
        };
        let in_flight = self.sampler.finish();
        let publishing = self.publishing.read();
        let consumer_errors =
            self.pipeline.as_ref().map_or(0, |p| p.ingest_errors.load(Ordering::Relaxed));
        let (schedules, end_ns) = (self.schedules, self.end_ns);
        // The pacer ended when its schedule did, or within one sleep of `stop`.
        let pacer = self.pacer;
        let paced = tokio::task::spawn_blocking(move || {
            let scheduled = schedules.into_iter().flatten().filter(|t| *t < end_ns).count();
            (pacer.join().ok(), scheduled as u64)
        });
        let (paced, scheduled) = paced.await.unwrap_or_default();
        let (pacing, dropped) = paced.unwrap_or_else(|| (Pacing::nothing(), 0));
        let clients = &self.clients;
        let mut ledger = match self.carries.last_hop() {
            Some(last) => self.ledger.summary_to(last),
            None => LedgerSummary::default(),
        };
        if finished {
            if let Some(s3) = clients.s3.as_ref().filter(|_| self.carries.stores()) {
                ledger.checks.extend(verify::objects(s3, &self.names, &totals).await);
            }
            if let (Some(postgres), Some(promoted)) = (&clients.postgres, &promoted) {
                ledger.checks.extend(verify::postgres(postgres, &totals).await);
                ledger.checks.extend(verify::promotion(promoted, &totals));
            }
            if let (Some(nats), true) = (&clients.nats, self.carries.notifications()) {
                let notified = verify::Notified {
                    attempted: self.notified.attempted.load(Ordering::Relaxed),
                    acknowledged: self.notified.acknowledged.load(Ordering::Relaxed),
                };
                ledger.checks.push(verify::notifications(nats, &self.names, notified).await);
            }
        }
        ledger.balanced &= finished && ledger.checks.iter().all(|check| check.ok);
        let kafka = match &clients.bus {
            Some(Bus::Kafka(kafka)) => kafka.connection_failures(),
            Some(Bus::Nats(_)) | None => 0,
        };
        let nats = clients.nats.as_ref().map_or(0, |n| n.disconnects() + n.slow_consumer_events());
        DayOutcome {
            ledger,
            pacing,
            dropped,
            in_flight,
            scheduled,
            publishing,
            consumer_errors,
            connection_failures: kafka + nats,
            drained,
            leftovers: Vec::new(),
        }
    }
}

/// What the parts after the bus answer; those that have not ended are ended.
async fn ends(stored: Stored, finished: bool) -> (Totals, Option<Promoted>) {
    let Stored { store, end, promoter } = stored;
    if !finished {
        store.abort();
        end.abort();
        promoter.iter().for_each(JoinHandle::abort);
    }
    let totals = end.await.unwrap_or_default();
    let promoted = match promoter {
        Some(promoter) => Some(promoter.await.unwrap_or_default()),
        None => None,
    };
    (totals, promoted)
}
