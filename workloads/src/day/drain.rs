//! The end of a day workload: what is under way drains, each part in turn, and the stores are asked.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use odg_reports::record::LedgerSummary;
use tokio::task::JoinHandle;

use super::clients::Bus;
use super::pacing::Pacing;
use super::publish::Kept;
use super::running::{LOOK, Running};
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
    /// The account of every event, with checks of the stores.
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
    /// What could not be removed afterwards.
    pub leftovers: Vec<DriverError>,
}

impl Running {
    /// Lets what is under way end, at most for `drain`, and compares the stores with the ledger. Call it
    /// once the schedule has ended, or to end it. `each_look` is called about every 20 ms meanwhile and
    /// answers how long draining may still take, where that is less than it was. `clean_up` removes
    /// everything that carries the run's names, for stacks that outlive the run.
    pub async fn finish(
        mut self,
        drain: Duration,
        clean_up: bool,
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
        while !(self.publisher.is_finished() && self.lanes.iter().all(JoinHandle::is_finished)) {
            if Instant::now() > deadline {
                drained = false;
                break;
            }
            hurry(&mut deadline);
            tokio::time::sleep(LOOK).await;
        }
        if !drained {
            // What has not been sent stays unsent; what has been gets its time in the pipeline.
            self.stop_publishing.store(true, Ordering::Relaxed);
            self.lanes.iter().for_each(JoinHandle::abort);
            deadline = deadline.max(Instant::now() + LAST);
        }
        // 2. The bus: what it acknowledged is read back.
        let quiet = QUIET.max(drain / 4);
        let mut seen_errors = self.consumer_errors.load(Ordering::Relaxed);
        let mut last = (self.ledger.arrivals(Hop::Consumed), Instant::now());
        loop {
            let outstanding = self.ledger.outstanding(Hop::Acknowledged, Hop::Consumed);
            if outstanding == 0 && self.publisher.is_finished() {
                break;
            }
            let consumed = self.ledger.arrivals(Hop::Consumed);
            let errors = self.consumer_errors.load(Ordering::Relaxed);
            let held_up = self.ingest_waiting.load(Ordering::Relaxed) || errors > seen_errors;
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
        self.stop_ingest.store(true, Ordering::Relaxed);
        while !self.pipeline_ended() && Instant::now() < deadline {
            hurry(&mut deadline);
            tokio::time::sleep(LOOK).await;
        }
        self.give_up.store(true, Ordering::Relaxed);
        let last_call = Instant::now() + LAST;
        while !self.pipeline_ended() && Instant::now() < last_call {
            drained = false;
            hurry(&mut deadline);
            tokio::time::sleep(LOOK).await;
        }
        self.at_rest(drained, clean_up).await
    }

    fn pipeline_ended(&self) -> bool {
        self.ingest.is_finished()
            && self.store.is_finished()
            && self.registrar.is_finished()
            && self.promoter.is_finished()
    }

    /// Gathers what each part leaves, and asks the stores.
    async fn at_rest(self, drained: bool, clean_up: bool) -> DayOutcome {
        let finished = self.pipeline_ended();
        if !finished {
            self.store.abort();
            self.registrar.abort();
            self.promoter.abort();
        }
        let totals = self.registrar.await.unwrap_or_default();
        let promoted = self.promoter.await.unwrap_or_default();
        let in_flight = self.sampler.finish();
        let publishing = self.publishing.read();
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
        let mut ledger = self.ledger.summary();
        if finished {
            ledger.checks = verify::postgres(&clients.postgres, &totals).await;
            ledger.checks.extend(verify::objects(&clients.s3, &self.names, &totals).await);
            ledger.checks.extend(verify::promotion(&promoted, &totals));
            if let (Some(nats), Bus::Kafka(_)) = (&clients.nats, &clients.bus) {
                let notified = verify::Notified {
                    attempted: self.notified.attempted.load(Ordering::Relaxed),
                    acknowledged: self.notified.acknowledged.load(Ordering::Relaxed),
                };
                ledger.checks.push(verify::notifications(nats, &self.names, notified).await);
            }
        }
        ledger.balanced &= finished && ledger.checks.iter().all(|check| check.ok);
        let kafka = match &clients.bus {
            Bus::Kafka(kafka) => kafka.connection_failures(),
            Bus::Nats(_) => 0,
        };
        let nats = clients.nats.as_ref().map_or(0, |n| n.disconnects() + n.slow_consumer_events());
        let leftovers = if clean_up { clients.clean_up(&self.names).await } else { Vec::new() };
        DayOutcome {
            ledger,
            pacing,
            dropped,
            in_flight,
            scheduled,
            publishing,
            consumer_errors: self.consumer_errors.load(Ordering::Relaxed),
            connection_failures: kafka + nats,
            drained,
            leftovers,
        }
    }
}
