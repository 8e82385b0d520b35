//! What any run left in the account.

use super::NatsDriver;
use crate::driver::DriverError;
use crate::driver::prefix::of_the_house;

impl NatsDriver {
    /// Streams of any run of odg-bench.
    ///
    /// # Errors
    /// As classified.
    pub async fn house_names(&self) -> Result<Vec<String>, DriverError> {
        self.streams(of_the_house).await
    }
}
