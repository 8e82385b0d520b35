//! A day workload under way: its parts, and how far they are. `start` puts them together, `drain` ends them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle as Thread;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::carries::Carries;
use super::clients::Clients;
use super::names::Names;
use super::pacing::Pacing;
use super::promote::Promoted;
use super::publish::KeptSoFar;
use super::register::Totals;
use crate::clock::Clock;
use crate::ledger::{Hop, Ledger};
use crate::littles_law::InFlightSampler;
use crate::schedule::Schedule;

/// Pause between two looks.
pub(super) const LOOK: Duration = Duration::from_millis(20);
/// Where the events are, right now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Handed to the bus's client.
    pub sent: u64,
    /// Acknowledged by the bus.
    pub acknowledged: u64,
    /// Read back.
    pub consumed: u64,
    /// Registered.
    pub registered: u64,
    /// Refused by the bus.
    pub rejected: u64,
}

/// A day workload under way. Dropping it ends every part of it, in no order.
pub struct Running {
    pub(super) names: Names,
    pub(super) clients: Clients,
    pub(super) carries: Carries,
    pub(super) clock: Clock,
    pub(super) ledger: Arc<Ledger>,
    pub(super) switches: Switches,
    pub(super) pacing_done: Arc<AtomicBool>,
    pub(super) pacer: Thread<(Pacing, u64)>,
    pub(super) publishing: KeptSoFar,
    pub(super) schedules: Vec<Schedule>,
    pub(super) end_ns: u64,
    pub(super) lanes: Vec<JoinHandle<()>>,
    /// What moves the events, where there are any.
    pub(super) pipeline: Option<Pipeline>,
    pub(super) sampler: InFlightSampler,
    pub(super) notified: Notifications,
}

/// What tells the parts to end. Dropping it does.
#[derive(Debug, Default)]
pub(super) struct Switches {
    /// No more arrivals.
    pub stop_pacing: Arc<AtomicBool>,
    /// What has not been sent stays unsent.
    pub stop_publishing: Arc<AtomicBool>,
    /// Nothing more is read from the bus.
    pub stop_ingest: Arc<AtomicBool>,
    /// What fails is not tried again.
    pub give_up: Arc<AtomicBool>,
}

impl Drop for Switches {
    fn drop(&mut self) {
        for switch in [&self.stop_pacing, &self.stop_publishing, &self.stop_ingest, &self.give_up] {
            switch.store(true, Ordering::Relaxed);
        }
    }
}

/// The parts that events pass, as far as the stack takes them.
pub(super) struct Pipeline {
    pub(super) publisher: Thread<()>,
    pub(super) ingest: IngestHandle,
    pub(super) ingest_errors: Arc<AtomicU64>,
    pub(super) ingest_waiting: Arc<AtomicBool>,
    pub(super) stored: Option<Stored>,
}

/// The parts that stored events pass.
pub(super) struct Stored {
    pub(super) store: JoinHandle<()>,
    /// Registers batches, or only counts them.
    pub(super) end: JoinHandle<Totals>,
    pub(super) promoter: Option<JoinHandle<Promoted>>,
}

impl Pipeline {
    /// Whether everything after the bus has ended.
    pub(super) fn ended(&self) -> bool {
        self.ingest.is_finished()
            && self.stored.as_ref().is_none_or(|stored| {
                stored.store.is_finished()
                    && stored.end.is_finished()
                    && stored.promoter.as_ref().is_none_or(JoinHandle::is_finished)
            })
    }
}

/// Counts of the notification lane.
#[derive(Debug, Clone, Default)]
pub(super) struct Notifications {
    pub(super) attempted: Arc<AtomicU64>,
    pub(super) acknowledged: Arc<AtomicU64>,
}

pub(super) enum IngestHandle {
    Kafka(Thread<()>),
    Nats(JoinHandle<()>),
}

impl IngestHandle {
    pub(super) fn is_finished(&self) -> bool {
        match self {
            Self::Kafka(thread) => thread.is_finished(),
            Self::Nats(task) => task.is_finished(),
        }
    }
}

impl Running {
    /// The run's clock.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Where the events are.
    pub fn progress(&self) -> Progress {
        Progress {
            sent: self.ledger.arrivals(Hop::Sent),
            acknowledged: self.ledger.arrivals(Hop::Acknowledged),
            consumed: self.ledger.arrivals(Hop::Consumed),
            registered: self.ledger.arrivals(Hop::Registered),
            rejected: self.ledger.rejections(),
        }
    }

    /// Ends the schedule before its end.
    pub fn stop(&self) {
        self.switches.stop_pacing.store(true, Ordering::Relaxed);
    }

    /// Whether every arrival has been handed over (or pacing was stopped).
    pub fn schedule_ended(&self) -> bool {
        self.pacing_done.load(Ordering::Relaxed)
    }
}
