//! What of the day workload a stack can carry: a function of the components that it has.

use super::operations as op;
use crate::endpoint::Endpoints;
use crate::ledger::Hop;

/// The components that the workload may use. A workload on a part of them is the part that they can carry:
///
/// - without a bus (Kafka, or NATS) there are no events;
/// - without S3 they end when they are read back from the bus, with or without PostgreSQL: what is registered
///   there are objects;
/// - without PostgreSQL they end as stored bronze objects: what is promoted are registered ones;
/// - object reads, look-ups and sessions go on wherever their component is, notifications where NATS is there
///   and is not the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carries {
    /// PostgreSQL.
    pub postgres: bool,
    /// Redis.
    pub redis: bool,
    /// NATS.
    pub nats: bool,
    /// Kafka.
    pub kafka: bool,
    /// S3.
    pub s3: bool,
}

impl Carries {
    /// Every component.
    pub const ALL: Self = Self { postgres: true, redis: true, nats: true, kafka: true, s3: true };
    /// None: nothing is offered.
    pub const NOTHING: Self =
        Self { postgres: false, redis: false, nats: false, kafka: false, s3: false };

    /// The components that have an endpoint.
    pub fn of(endpoints: &Endpoints) -> Self {
        Self {
            postgres: endpoints.postgres.is_some(),
            redis: endpoints.redis.is_some(),
            nats: endpoints.nats.is_some(),
            kafka: endpoints.kafka.is_some(),
            s3: endpoints.s3.is_some(),
        }
    }

    /// The components that both have.
    pub fn and(self, other: Self) -> Self {
        Self {
            postgres: self.postgres && other.postgres,
            redis: self.redis && other.redis,
            nats: self.nats && other.nats,
            kafka: self.kafka && other.kafka,
            s3: self.s3 && other.s3,
        }
    }

    /// What carries the events: `kafka`, else `nats`.
    pub fn bus(self) -> Option<&'static str> {
        match (self.kafka, self.nats) {
            (true, _) => Some("kafka"),
            (false, true) => Some("nats"),
            (false, false) => None,
        }
    }

    /// Whether NATS carries notifications beside the bus.
    pub fn notifications(self) -> bool {
        self.kafka && self.nats
    }

    /// The last place that events reach; `None` where there are none.
    pub fn last_hop(self) -> Option<Hop> {
        self.bus().map(|_| match (self.s3, self.postgres) {
            (true, true) => Hop::Registered,
            (true, false) => Hop::Stored,
            (false, _) => Hop::Consumed,
        })
    }

    /// Whether events are stored as objects.
    pub(super) fn stores(self) -> bool {
        self.bus().is_some() && self.s3
    }

    /// Whether stored objects are registered and promoted.
    pub(super) fn registers(self) -> bool {
        self.stores() && self.postgres
    }

    /// The components that an operation of the workload needs and that are not there; empty where the
    /// operation is offered, and for an operation that the workload does not know.
    pub fn missing_for(self, operation: &str) -> Vec<&'static str> {
        let bus = [(self.bus().is_some(), "kafka or nats")];
        let s3 = [(self.s3, "minio")];
        let postgres = [(self.postgres, "postgresql")];
        let notify = [(self.nats, "nats"), (self.kafka, "kafka")];
        let needs: Vec<(bool, &'static str)> = match operation {
            op::PUBLISH | op::DELIVER => bus.to_vec(),
            op::PUT => [bus, s3].concat(),
            op::REGISTER | op::END_TO_END | op::SILVER | op::GOLD => [bus, s3, postgres].concat(),
            op::GET => s3.to_vec(),
            op::LOOKUP => postgres.to_vec(),
            op::SESSION => vec![(self.redis, "redis")],
            op::NOTIFY => notify.to_vec(),
            _ => Vec::new(),
        };
        needs.into_iter().filter(|(there, _)| !there).map(|(_, name)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every subset of the five components.
    fn subsets() -> impl Iterator<Item = Carries> {
        (0..32_u8).map(|bits| Carries {
            postgres: bits & 1 != 0,
            redis: bits & 2 != 0,
            nats: bits & 4 != 0,
            kafka: bits & 8 != 0,
            s3: bits & 16 != 0,
        })
    }

    #[test]
    fn what_is_recorded_is_what_nothing_is_missing_for_on_every_subset() {
        let all = op::operations(Carries::ALL);
        assert_eq!(all.len(), 11);
        for carries in subsets() {
            let offered: Vec<&str> = op::operations(carries).iter().map(|o| o.name).collect();
            for operation in &all {
                assert_eq!(
                    offered.contains(&operation.name),
                    carries.missing_for(operation.name).is_empty(),
                    "{} on {carries:?}",
                    operation.name
                );
            }
        }
        assert!(op::operations(Carries::NOTHING).is_empty());
    }

    #[test]
    fn events_go_as_far_as_the_components_take_them() {
        let without = |change: fn(&mut Carries)| {
            let mut carries = Carries::ALL;
            change(&mut carries);
            carries.last_hop()
        };
        assert_eq!(Carries::ALL.last_hop(), Some(Hop::Registered));
        assert_eq!(without(|c| c.postgres = false), Some(Hop::Stored));
        assert_eq!(without(|c| c.s3 = false), Some(Hop::Consumed));
        assert_eq!(without(|c| c.kafka = false), Some(Hop::Registered));
        assert_eq!(without(|c| (c.kafka, c.nats) = (false, false)), None);
    }
}
