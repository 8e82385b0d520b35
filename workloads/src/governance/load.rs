//! How much of each stream the governance workload offers.

use std::time::Duration;

use crate::endpoint::PlatformEndpoints;
use crate::schedule::{Arrivals, Schedule};

/// Decisions per second that are offered unless another rate is asked for. Ours (derived): a minute of
/// them (480) suffices to claim a p99 at 99 % confidence (459). The day's volume is no guide: the platform
/// states no rate for its services, and a tenth of small's events (about 100/s, of six requests each) is
/// more than one process of such a service carries.
pub const DECISIONS_PER_S: f64 = 8.0;

/// One of each per decision. Ours (derived): somebody looks at the list before deciding, an auditor at a
/// page of what was done, and the data is validated before and promoted after.
const PER_DECISION: f64 = 1.0;

/// Apart from the day workload's streams, whose arrivals come from the same seed.
const FIRST_STREAM: u64 = 64;

/// The open-loop streams, in the order in which the pacer knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Stream {
    Decisions = 0,
    Lists = 1,
    Audits = 2,
    Promotions = 3,
    Validations = 4,
}

impl Stream {
    pub(super) const ALL: [Self; 5] =
        [Self::Decisions, Self::Lists, Self::Audits, Self::Promotions, Self::Validations];

    /// Whether the service that carries it is there.
    pub(super) fn carried_by(self, platform: &PlatformEndpoints) -> bool {
        match self {
            Self::Decisions | Self::Lists | Self::Audits => platform.governance_engine.is_some(),
            Self::Promotions => platform.lakehouse_agent.is_some(),
            Self::Validations => platform.quality_gate.is_some(),
        }
    }
}

/// What the platform's services are offered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GovernanceLoad {
    /// Decisions per second; every other stream follows it.
    pub decisions_per_s: f64,
    /// How arrivals are spread.
    pub arrivals: Arrivals,
    /// Warm-up and measured part together.
    pub length: Duration,
    /// Seed.
    pub seed: u64,
}

impl GovernanceLoad {
    /// The schedules, one per stream; empty where its service is absent.
    pub(super) fn schedules(&self, platform: &PlatformEndpoints) -> Vec<Schedule> {
        Stream::ALL
            .into_iter()
            .map(|stream| {
                let rate = match stream {
                    _ if !stream.carried_by(platform) => 0.0,
                    Stream::Decisions => self.decisions_per_s,
                    _ => self.decisions_per_s * PER_DECISION,
                };
                let number = FIRST_STREAM + stream as u64;
                Schedule::new(self.arrivals, rate, self.length, self.seed, number)
            })
            .collect()
    }

    /// Operations of every stream per second, on average.
    pub fn operations_per_s(&self, platform: &PlatformEndpoints) -> f64 {
        self.schedules(platform).iter().map(Schedule::mean_rate).sum()
    }

    /// Decisions expected over the whole run.
    pub fn decisions(&self, platform: &PlatformEndpoints) -> u64 {
        let rate = self.schedules(platform)[Stream::Decisions as usize].mean_rate();
        (rate * self.length.as_secs_f64()).ceil() as u64
    }
}
