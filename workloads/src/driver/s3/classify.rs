//! The SDK's errors as countable kinds.

use std::error::Error;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::driver::error::{chain, tls_error};
use crate::driver::{DriverError, ErrorKind};

pub(super) const SYSTEM: &str = "s3";

/// Every S3 call made here may be repeated, so whatever a fresh attempt could mend is retryable.
pub(super) fn sdk_error<E>(operation: &str, error: &SdkError<E, HttpResponse>) -> DriverError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    if let Some(error) = tls_error(SYSTEM, operation, error) {
        return error;
    }
    let kind = match error {
        SdkError::ConstructionFailure(_) => ErrorKind::Refused,
        SdkError::TimeoutError(_) => ErrorKind::Timeout,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => ErrorKind::Timeout,
        SdkError::DispatchFailure(failure) if failure.is_user() => ErrorKind::Refused,
        SdkError::DispatchFailure(_) => ErrorKind::Connection,
        SdkError::ServiceError(answer) => {
            of_answer(answer.err().code(), answer.raw().status().as_u16())
        }
        _ => ErrorKind::Protocol,
    };
    let reason = match error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            let code = answer.err().code().unwrap_or("no code");
            let message = answer.err().message().unwrap_or("no message");
            format!("HTTP {status} {code}: {message}")
        }
        other => chain(other),
    };
    let retryable = matches!(
        kind,
        ErrorKind::Connection | ErrorKind::Throttled | ErrorKind::Protocol | ErrorKind::Server
    );
    DriverError::new(kind, SYSTEM, operation, reason).retryable(retryable)
}

fn of_answer(code: Option<&str>, status: u16) -> ErrorKind {
    match (code.unwrap_or_default(), status) {
        ("SlowDown" | "SlowDownRead" | "SlowDownWrite" | "RequestLimitExceeded", _)
        | (_, 429 | 503) => ErrorKind::Throttled,
        ("XMinioStorageFull" | "QuotaExceeded", _) | (_, 507) => ErrorKind::Full,
        ("RequestTimeout", _) | (_, 408 | 504) => ErrorKind::Timeout,
        // S3 gives a reason for every bad request; whatever gives none is not S3.
        ("", 400) => ErrorKind::Protocol,
        (_, 404) => ErrorKind::NotFound,
        (_, 409 | 412) => ErrorKind::Conflict,
        (_, 400..=499) => ErrorKind::Refused,
        (_, 500..=599) => ErrorKind::Server,
        _ => ErrorKind::Protocol,
    }
}

#[cfg(test)]
mod tests {
    use super::of_answer;
    use crate::driver::ErrorKind;

    #[test]
    fn answers_are_counted_under_the_kind_that_says_what_to_do() {
        for (code, status, kind) in [
            ("SlowDown", 503, ErrorKind::Throttled),
            ("NoSuchKey", 404, ErrorKind::NotFound),
            ("SignatureDoesNotMatch", 403, ErrorKind::Refused),
            ("BucketNotEmpty", 409, ErrorKind::Conflict),
            ("XMinioStorageFull", 507, ErrorKind::Full),
            ("InternalError", 500, ErrorKind::Server),
            ("", 302, ErrorKind::Protocol),
            ("", 400, ErrorKind::Protocol),
            ("AuthorizationHeaderMalformed", 400, ErrorKind::Refused),
        ] {
            assert_eq!(of_answer(Some(code), status), kind, "{code} {status}");
        }
    }
}
