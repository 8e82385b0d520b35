//! Keeps the `Server` header of the last answer: the only place where an S3 server names itself.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;

#[derive(Debug, Clone, Default)]
pub(super) struct ServerHeader(Arc<Mutex<Option<String>>>);

impl ServerHeader {
    pub(super) fn last(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Intercept for ServerHeader {
    fn name(&self) -> &'static str {
        "ServerHeader"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(server) = context.response().headers().get("server") {
            let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // The same on every answer: no allocation once it is known.
            if last.as_deref() != Some(server) {
                *last = Some(server.to_owned());
            }
        }
        Ok(())
    }
}
