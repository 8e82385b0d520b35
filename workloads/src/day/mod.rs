//! The data workload of a day, the same at every volume.
//!
//! ```text
//! schedule ─► pacer ─┬► events ─► bus ─► ingest ─► bronze object ─► rows + audit chain   (ledger follows)
//!                    │                                       └► silver Parquet ─► gold Parquet
//!                    └► object reads · look-ups · sessions · notifications                (open-loop too)
//! ```
//! Everything left of the bus is open-loop: the pacer hands arrivals over whatever the stack does. What
//! follows the bus is the pipeline under test; where it falls behind, the bus keeps the backlog and
//! end-to-end latency shows it.
//!
//! A stack may lack components: [`Carries`] says what is then left of this.

pub mod batch;
mod carries;
mod catalog;
mod clients;
mod drain;
mod ingest;
pub mod load;
pub mod names;
pub mod operations;
pub(crate) mod pacing;
mod promote;
mod publish;
mod reads;
mod register;
mod running;
mod shelve;
mod start;
mod store;
mod sweep;
mod verify;

use std::sync::Arc;
use std::time::Duration;

pub use carries::Carries;
pub use clients::Sizes;
pub use drain::DayOutcome;
pub use pacing::{HELD_WITHIN, Pacing};
pub use publish::Kept;
pub use running::{Progress, Running};
pub use sweep::sweep;

use catalog::Catalog;
use clients::Clients;
use load::Load;
use names::Names;

use crate::driver::DriverError;
use crate::driver::kafka::KafkaOptions;
use crate::endpoint::Endpoints;
use crate::payload::Pool;
use crate::recorder::{Operation, Recorder};

/// What a run of the day workload is asked to do.
#[derive(Debug, Clone)]
pub struct DayOptions {
    /// The run's id: lower-case letters and digits. Everything created carries it.
    pub run: String,
    /// The load.
    pub load: Load,
    /// Cut off from every figure.
    pub warmup: Duration,
    /// Partitions of each topic.
    pub partitions: i32,
    /// Copies of each partition; -1 for what the cluster has as its default.
    pub replication: i32,
    /// Producer and consumer settings.
    pub kafka: KafkaOptions,
    /// Operations of workloads that run beside this one and record with it.
    pub beside: Vec<Operation>,
}

/// A prepared day workload.
pub struct Day {
    options: DayOptions,
    names: Names,
    clients: Clients,
    catalog: Arc<Catalog>,
    pool: Arc<Pool>,
    recorder: Arc<Recorder>,
}

impl Day {
    /// Connects to the components that carry the load and creates topics, buckets, schema and seed data, all
    /// under the run's names. What was created stays where that fails: see [`sweep`].
    ///
    /// # Errors
    /// A component that is missing, or that refuses.
    pub async fn prepare(endpoints: &Endpoints, options: DayOptions) -> Result<Self, DriverError> {
        let names = Names::new(&options.run)?;
        let load = options.load;
        let pool = Arc::new(Pool::day(load.seed));
        let offered = load.offered(&pool);
        let seconds = load.length.as_secs_f64();
        let sizes = Sizes {
            partitions: options.partitions,
            replication: options.replication,
            event_bytes: (offered.bytes_per_s * seconds) as u64,
            notifications: (offered.notifications_per_s * seconds) as u64,
        };
        let catalog = Arc::new(Catalog::default());
        let clients =
            Clients::prepare(endpoints, &names, options.kafka, sizes, &catalog, &load).await?;
        let mut operations = operations::operations(load.carries);
        operations.extend(options.beside.iter().cloned());
        let measured = (options.warmup.as_nanos() as u64, options.load.length.as_nanos() as u64);
        let recorder = Arc::new(Recorder::new(operations, measured));
        Ok(Self { options, names, clients, catalog, pool, recorder })
    }

    /// The recorder that the run will fill.
    pub fn recorder(&self) -> Arc<Recorder> {
        Arc::clone(&self.recorder)
    }
}
