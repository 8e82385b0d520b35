//! What any run left in the account.

use futures::TryStreamExt;

use super::{NatsDriver, classify};
use crate::driver::DriverError;
use crate::driver::prefix::of_the_house;

impl NatsDriver {
    /// Streams of any run of odg-bench.
    ///
    /// # Errors
    /// As classified.
    pub async fn house_names(&self) -> Result<Vec<String>, DriverError> {
        let names: Vec<String> = self
            .context
            .stream_names()
            .try_collect()
            .await
            .map_err(|e| classify("list streams", &e))?;
        Ok(names.into_iter().filter(|name| of_the_house(name)).collect())
    }
}
