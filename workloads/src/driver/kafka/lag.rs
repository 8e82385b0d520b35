//! How far a consumer group is behind.

use rdkafka::consumer::Consumer;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::QUERY_TIMEOUT;
use super::classify::kafka_error;
use super::client::Reader;
use crate::driver::DriverError;

/// Messages between the group's committed offsets and the ends of the topics' partitions. `client` carries
/// the group's name.
pub(super) fn of_group(client: &Reader, topics: &[String]) -> Result<u64, DriverError> {
    let mut wanted = TopicPartitionList::new();
    for topic in topics {
        let metadata = client.metadata(Some(topic))?;
        for partition in metadata.topics().iter().flat_map(|t| t.partitions()) {
            wanted.add_partition(topic, partition.id());
        }
    }
    let committed = client
        .consumer()
        .committed_offsets(wanted, QUERY_TIMEOUT)
        .map_err(|e| kafka_error("committed offsets", &e))?;
    let mut lag = 0;
    for element in committed.elements() {
        let (low, high) = client
            .consumer()
            .fetch_watermarks(element.topic(), element.partition(), QUERY_TIMEOUT)
            .map_err(|e| kafka_error(format!("watermarks of {}", element.topic()), &e))?;
        // A group that has committed nothing starts at the earliest message.
        let position = match element.offset() {
            Offset::Offset(offset) => offset.max(low),
            _ => low,
        };
        lag += u64::try_from(high - position).unwrap_or(0);
    }
    Ok(lag)
}
