//! A governance workload: prepared, under way, ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle as Thread;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::decision::{Decisions, Lanes};
use super::load::{GovernanceLoad, Stream};
use super::names::GovernanceNames;
use super::observed::{Counters, Observed};
use super::roles::Roles;
use super::{operations as op, reads};
use crate::clock::Clock;
use crate::day::Pacing;
use crate::day::pacing::{self, Offer};
use crate::driver::platform::{GovernanceClient, LakehouseClient, QualityClient};
use crate::driver::{DriverError, ErrorKind};
use crate::endpoint::PlatformEndpoints;
use crate::lane::{self, LaneQueue};
use crate::recorder::{Lane, Recorder};
use crate::schedule::Schedule;

/// Decisions in flight: half of the 30 database connections that one process of the platform opens.
const DECISIONS_IN_FLIGHT: usize = 15;
/// Other requests in flight, per stream.
const READS_IN_FLIGHT: usize = 4;
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// A prepared governance workload: its users have their roles.
#[derive(Debug)]
pub struct Governance {
    load: GovernanceLoad,
    platform: PlatformEndpoints,
    names: GovernanceNames,
    governance: Option<GovernanceClient>,
    lakehouse: Option<LakehouseClient>,
    quality: Option<QualityClient>,
    roles: Roles,
}

/// What a governance workload leaves.
#[derive(Debug)]
pub struct GovernanceOutcome {
    /// How well the schedule was kept.
    pub pacing: Pacing,
    /// Arrivals dropped because a queue was full.
    pub dropped: u64,
    /// Arrivals that the schedule holds up to the end of the load.
    pub scheduled: u64,
    /// What the decisions showed.
    pub observed: Observed,
    /// Decisions that were acknowledged; of very many, the first ones.
    pub acknowledged: Vec<Uuid>,
    /// Decisions that were asked for.
    pub asked: u64,
    /// Whether every request had ended in time.
    pub drained: bool,
    /// Roles that could not be taken away again.
    pub leftovers: Vec<DriverError>,
}

impl Governance {
    /// Makes the clients and gives the run's users their roles.
    ///
    /// # Errors
    /// A service that does not answer, or that refuses. No role is left then.
    pub async fn prepare(
        run: &str,
        platform: &PlatformEndpoints,
        load: GovernanceLoad,
    ) -> Result<Self, DriverError> {
        let names = GovernanceNames::new(run)?;
        let governance =
            platform.governance_engine.as_ref().map(GovernanceClient::new).transpose()?;
        let lakehouse = platform.lakehouse_agent.as_ref().map(LakehouseClient::new).transpose()?;
        let quality = platform.quality_gate.as_ref().map(QualityClient::new).transpose()?;
        let roles = Roles::assign(governance.as_ref(), &names).await?;
        Ok(Self { load, platform: platform.clone(), names, governance, lakehouse, quality, roles })
    }

    /// Takes the roles away again, where no load follows; answers what could not be.
    pub async fn abandon(self) -> Vec<DriverError> {
        self.roles.revoke(self.governance.as_ref(), &self.names).await
    }

    /// Starts the load on the run's clock. `recorder` must hold the operations of
    /// [`super::operations::operations`].
    ///
    /// # Errors
    /// Where an operation is unknown to the recorder, or the system gives no thread.
    pub fn start(self, recorder: &Recorder, clock: Clock) -> Result<Running, DriverError> {
        let runtime = Handle::current();
        let lane = |name: &'static str| {
            let id = recorder.find(name).ok_or_else(|| {
                DriverError::new(ErrorKind::NotFound, "odg-bench", "find an operation", name)
            })?;
            Ok::<Lane, DriverError>(recorder.lane(id))
        };
        let mut queues = Queues::default();
        let mut tasks = Vec::new();
        let mut keep = |stream: Stream, (queue, task): (LaneQueue, JoinHandle<()>)| {
            queues.of_stream[stream as usize] = Some(queue);
            tasks.push(task);
        };
        let names = Arc::new(self.names.clone());
        let mut decisions = None;
        if let Some(client) = &self.governance {
            let shared = Arc::new(Decisions {
                clock,
                client: client.clone(),
                names: self.names.clone(),
                seed: self.load.seed,
                lanes: Lanes {
                    create: lane(op::CREATE)?,
                    submit: lane(op::SUBMIT)?,
                    approve: lane(op::APPROVE)?,
                    veto: lane(op::VETO)?,
                    override_: lane(op::OVERRIDE)?,
                    get: lane(op::GET)?,
                },
                counters: Counters::default(),
                numbers: AtomicU64::new(0),
                acknowledged: std::sync::Mutex::default(),
            });
            decisions = Some(Arc::clone(&shared));
            let whole = lane(op::DECISION)?;
            keep(
                Stream::Decisions,
                lane::spawn(&runtime, whole, clock, DECISIONS_IN_FLIGHT, move |at| {
                    let shared = Arc::clone(&shared);
                    async move { shared.run(at).await }
                }),
            );
            let (list, audit) = (client.clone(), client.clone());
            let of = Arc::clone(&names);
            keep(
                Stream::Lists,
                lane::spawn(&runtime, lane(op::LIST)?, clock, READS_IN_FLIGHT, move |at| {
                    let (client, names) = (list.clone(), Arc::clone(&of));
                    async move { reads::list(&client, &names, at).await }
                }),
            );
            keep(
                Stream::Audits,
                lane::spawn(&runtime, lane(op::AUDIT)?, clock, READS_IN_FLIGHT, move |at| {
                    let client = audit.clone();
                    async move { reads::audit(&client, at).await }
                }),
            );
        }
        if let Some(client) = self.lakehouse.clone() {
            let of = Arc::clone(&names);
            keep(
                Stream::Promotions,
                lane::spawn(&runtime, lane(op::PROMOTE)?, clock, READS_IN_FLIGHT, move |at| {
                    let (client, names) = (client.clone(), Arc::clone(&of));
                    async move { reads::promote(&client, &names, at).await }
                }),
            );
        }
        if let Some(client) = self.quality.clone() {
            let of = Arc::clone(&names);
            keep(
                Stream::Validations,
                lane::spawn(&runtime, lane(op::VALIDATE)?, clock, READS_IN_FLIGHT, move |at| {
                    let (client, names) = (client.clone(), Arc::clone(&of));
                    async move { reads::validate(&client, &names, at).await }
                }),
            );
        }
        let schedules = self.load.schedules(&self.platform);
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let pacer = pacing::start(
            schedules.clone(),
            queues,
            clock,
            recorder.measured_ns(),
            Arc::clone(&stop),
            Arc::clone(&done),
        )
        .map_err(|e| DriverError::new(ErrorKind::Full, "odg-bench", "start a thread", e))?;
        Ok(Running {
            prepared: self,
            clock,
            decisions,
            schedules,
            tasks,
            stop,
            done,
            pacer: Some(pacer),
        })
    }
}

/// The queues that arrivals go to, one per stream whose service is there.
#[derive(Debug, Default)]
struct Queues {
    of_stream: [Option<LaneQueue>; Stream::ALL.len()],
}

impl Offer for Queues {
    fn offer(&self, stream: usize, intended_ns: u64) {
        if let Some(queue) = self.of_stream.get(stream).and_then(Option::as_ref) {
            queue.offer(intended_ns);
        }
    }

    fn dropped(&self) -> u64 {
        self.of_stream.iter().flatten().map(LaneQueue::dropped).sum()
    }
}

/// A governance workload under way. Dropping it ends its pacing; its roles then stay.
pub struct Running {
    prepared: Governance,
    clock: Clock,
    decisions: Option<Arc<Decisions>>,
    schedules: Vec<Schedule>,
    tasks: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicBool>,
    pacer: Option<Thread<(Pacing, u64)>>,
}

impl Running {
    /// Ends the schedule before its end.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether every arrival has been handed over (or pacing was stopped).
    pub fn schedule_ended(&self) -> bool {
        self.done.load(Ordering::Relaxed)
    }

    /// Lets what is under way end, at most for `patience`, and takes the run's roles away again.
    pub async fn finish(mut self, patience: Duration) -> GovernanceOutcome {
        let end_ns = if self.schedule_ended() { u64::MAX } else { self.clock.now_ns() };
        self.stop();
        let deadline = Instant::now() + patience;
        while self.tasks.iter().any(|task| !task.is_finished()) && Instant::now() < deadline {
            tokio::time::sleep(LOOK).await;
        }
        let drained = self.tasks.iter().all(JoinHandle::is_finished);
        let schedules = std::mem::take(&mut self.schedules);
        let pacer = self.pacer.take();
        // The pacer ended when its schedule did, or within one sleep of `stop`.
        let paced = tokio::task::spawn_blocking(move || {
            let scheduled = schedules.into_iter().flatten().filter(|t| *t < end_ns).count();
            (pacer.and_then(|pacer| pacer.join().ok()), scheduled as u64)
        });
        let (paced, scheduled) = paced.await.unwrap_or_default();
        let (pacing, dropped) = paced.unwrap_or_else(|| (Pacing::nothing(), 0));
        let prepared = &mut self.prepared;
        let roles = std::mem::take(&mut prepared.roles);
        let leftovers = roles.revoke(prepared.governance.as_ref(), &prepared.names).await;
        let shared = self.decisions.as_deref();
        let acknowledged = shared.map(|s| {
            s.acknowledged.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
        });
        GovernanceOutcome {
            pacing,
            dropped,
            scheduled,
            observed: shared.map(|s| s.counters.read()).unwrap_or_default(),
            acknowledged: acknowledged.unwrap_or_default(),
            asked: shared.map_or(0, |s| s.numbers.load(Ordering::Relaxed)),
            drained,
            leftovers,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
        for task in &self.tasks {
            task.abort();
        }
    }
}
