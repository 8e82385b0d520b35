//! What any run left in the object store.

use super::S3Driver;
use crate::driver::DriverError;
use crate::driver::prefix::of_the_house;

impl S3Driver {
    /// Buckets of any run of odg-bench, of those that these credentials see.
    ///
    /// # Errors
    /// As classified.
    pub async fn house_names(&self) -> Result<Vec<String>, DriverError> {
        let buckets = self.buckets().await?.value;
        Ok(buckets.into_iter().filter(|name| of_the_house(name)).collect())
    }
}
