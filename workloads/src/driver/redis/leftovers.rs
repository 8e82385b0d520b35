//! What any run left in the database.

use super::{RedisDriver, SCAN_COUNT};
use crate::driver::prefix::of_the_house;
use crate::driver::{Done, DriverError};

impl RedisDriver {
    /// Keys of any run of odg-bench.
    ///
    /// # Errors
    /// As classified.
    pub async fn house_names(&self) -> Result<Vec<String>, DriverError> {
        let mut names = Vec::new();
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg("odgbench*").arg("COUNT").arg(SCAN_COUNT);
            let found: Done<(u64, Vec<Vec<u8>>)> = self.run("SCAN", &scan).await?;
            let (next, keys) = found.value;
            let keys = keys.into_iter().filter_map(|key| String::from_utf8(key).ok());
            names.extend(keys.filter(|key| of_the_house(key)));
            cursor = next;
            if cursor == 0 {
                return Ok(names);
            }
        }
    }
}
