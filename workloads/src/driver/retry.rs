//! Bounded, counted retries.

use std::future::Future;
use std::time::Duration;

use super::DriverError;

/// Times an operation is tried before its error is returned.
pub const MAX_ATTEMPTS: u32 = 3;

/// Pause before the third attempt. The second follows at once: the usual cause is a kept-alive
/// connection that the server had closed, and a fresh one works straight away.
const PAUSE: Duration = Duration::from_millis(50);

/// What an operation returned, and how often it had to be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done<T> {
    /// The operation's result.
    pub value: T,
    /// Attempts beyond the first.
    pub retries: u32,
}

impl<T> Done<T> {
    /// The same count with another value.
    pub(crate) fn map<U>(self, f: impl FnOnce(T) -> U) -> Done<U> {
        Done { value: f(self.value), retries: self.retries }
    }

    /// The same count with a value that may turn out unreadable.
    pub(crate) fn try_map<U>(
        self,
        f: impl FnOnce(T) -> Result<U, DriverError>,
    ) -> Result<Done<U>, DriverError> {
        Ok(Done { value: f(self.value)?, retries: self.retries })
    }
}

/// Runs `attempt` (called with 0, 1, …) until it succeeds, fails for good, or [`MAX_ATTEMPTS`] are used up.
pub(crate) async fn with_retries<T, F, Fut>(mut attempt: F) -> Result<Done<T>, DriverError>
where
    F: FnMut(u32) -> Fut,
    Fut: Future<Output = Result<T, DriverError>>,
{
    let mut retries = 0;
    loop {
        match attempt(retries).await {
            Ok(value) => return Ok(Done { value, retries }),
            Err(error) if error.is_retryable() && retries + 1 < MAX_ATTEMPTS => {
                if retries > 0 {
                    tokio::time::sleep(PAUSE).await;
                }
                retries += 1;
            }
            Err(error) => return Err(error.after_retries(retries)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Done, MAX_ATTEMPTS, with_retries};
    use crate::driver::{DriverError, ErrorKind};

    fn broken() -> DriverError {
        DriverError::new(ErrorKind::Connection, "test", "op", "closed")
    }

    #[tokio::test]
    async fn a_dead_connection_is_retried_and_counted() {
        let done =
            with_retries(|n| async move { if n == 0 { Err(broken()) } else { Ok(7) } }).await;
        assert_eq!(done.unwrap(), Done { value: 7, retries: 1 });
    }

    #[tokio::test]
    async fn attempts_are_bounded_and_the_error_says_how_many() {
        let mut calls = 0;
        let error = with_retries(|_| {
            calls += 1;
            async { Err::<(), _>(broken()) }
        })
        .await
        .unwrap_err();
        assert_eq!((calls, error.retries()), (MAX_ATTEMPTS, MAX_ATTEMPTS - 1));
    }

    #[tokio::test]
    async fn a_refusal_is_not_retried() {
        let refused = |_| async {
            Err::<(), _>(DriverError::new(ErrorKind::Refused, "test", "op", "wrong password"))
        };
        assert_eq!(with_retries(refused).await.unwrap_err().retries(), 0);
    }
}
