//! What any run left in the database.

use super::{PostgresDriver, classify::pg_error};
use crate::driver::DriverError;
use crate::driver::prefix::of_the_house;

impl PostgresDriver {
    /// Schemas of any run of odg-bench.
    ///
    /// # Errors
    /// As classified.
    pub async fn house_names(&self) -> Result<Vec<String>, DriverError> {
        let names: Vec<String> =
            sqlx::query_scalar("SELECT nspname::text FROM pg_catalog.pg_namespace ORDER BY 1")
                .fetch_all(&self.pool)
                .await
                .map_err(|e| pg_error("list schemas", &e))?;
        Ok(names.into_iter().filter(|name| of_the_house(name)).collect())
    }
}
