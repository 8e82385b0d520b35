//! Consumer groups of a run, and what any run left in the cluster.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::{KafkaDriver, QUERY_TIMEOUT, admin_options, code_error, kafka_error};
use crate::driver::DriverError;
use crate::driver::prefix::of_the_house;

/// Time for a group's last member to leave.
const LEAVING: Duration = Duration::from_secs(15);
const LEAVING_POLL: Duration = Duration::from_millis(200);

impl KafkaDriver {
    async fn group_names(&self) -> Result<Vec<String>, DriverError> {
        self.blocking(|reader| {
            let list = reader.consumer().client().fetch_group_list(None, QUERY_TIMEOUT);
            let list = list.map_err(|e| kafka_error("list groups", &e))?;
            Ok(list.groups().iter().map(|group| group.name().to_owned()).collect())
        })
        .await
    }

    /// Deletes the consumer groups that carry the run's prefix, and says which. Members that are just leaving
    /// are waited for.
    ///
    /// # Errors
    /// A group that cannot be deleted.
    pub async fn delete_groups(&self) -> Result<Vec<String>, DriverError> {
        let mut names = self.group_names().await?;
        names.retain(|name| self.prefix.owns(name));
        let admin = self.admin_client()?;
        for name in &names {
            let deadline = Instant::now() + LEAVING;
            loop {
                let results = admin.delete_groups(&[name], &admin_options()).await;
                let results = results.map_err(|e| kafka_error("delete groups", &e))?;
                match results.into_iter().next() {
                    Some(Err((_, Code::NonEmptyGroup))) if Instant::now() < deadline => {
                        tokio::time::sleep(LEAVING_POLL).await;
                    }
                    None | Some(Ok(_) | Err((_, Code::GroupIdNotFound))) => break,
                    Some(Err((name, code))) => {
                        return Err(code_error(format!("delete group {name}"), code));
                    }
                }
            }
        }
        Ok(names)
    }

    /// Topics and groups of any run of odg-bench.
    ///
    /// # Errors
    /// As classified.
    pub async fn house_names(&self) -> Result<Vec<String>, DriverError> {
        let mut names: Vec<String> = self
            .blocking(|reader| {
                let metadata = reader.metadata(None)?;
                Ok(metadata.topics().iter().map(|topic| topic.name().to_owned()).collect())
            })
            .await?;
        names.extend(self.group_names().await?);
        names.retain(|name| of_the_house(name));
        Ok(names)
    }
}
