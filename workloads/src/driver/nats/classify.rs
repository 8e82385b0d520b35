//! async-nats' errors as countable kinds.

use std::error::Error;

use async_nats::jetstream::consumer::pull::{MessagesError, MessagesErrorKind};
use async_nats::jetstream::context::{
    CreateStreamError, CreateStreamErrorKind, GetStreamError, GetStreamErrorKind, PublishError,
    PublishErrorKind, RequestError, RequestErrorKind,
};
use async_nats::jetstream::stream::{ConsumerError, ConsumerErrorKind};
use async_nats::jetstream::{self, ErrorCode};

use crate::driver::error::{chain, io_cause, tls_error};
use crate::driver::{DriverError, ErrorKind};

pub(super) const SYSTEM: &str = "nats";

/// The first cause that says what kind it is: JetStream's own code where the server gave one.
pub(super) fn classify(operation: impl Into<String>, error: &(dyn Error + 'static)) -> DriverError {
    let operation = operation.into();
    if let Some(error) = tls_error(SYSTEM, &operation, error) {
        return error;
    }
    let mut kind = None;
    let mut cause = Some(error);
    while let (None, Some(current)) = (kind, cause) {
        kind = kind_of(current);
        cause = current.source();
    }
    let kind = kind.unwrap_or_else(|| match io_cause(error).map(std::io::Error::kind) {
        Some(std::io::ErrorKind::TimedOut) => ErrorKind::Timeout,
        Some(_) => ErrorKind::Connection,
        None => ErrorKind::Server,
    });
    DriverError::new(kind, SYSTEM, operation, chain(error))
}

fn kind_of(error: &(dyn Error + 'static)) -> Option<ErrorKind> {
    if let Some(error) = error.downcast_ref::<jetstream::Error>() {
        return Some(of_answer(error));
    }
    if let Some(error) = error.downcast_ref::<GetStreamError>() {
        return match error.kind() {
            GetStreamErrorKind::JetStream(answer) => Some(of_answer(&answer)),
            _ => None,
        };
    }
    if let Some(error) = error.downcast_ref::<CreateStreamError>() {
        return match error.kind() {
            CreateStreamErrorKind::JetStream(answer) => Some(of_answer(&answer)),
            CreateStreamErrorKind::TimedOut => Some(ErrorKind::Timeout),
            CreateStreamErrorKind::JetStreamUnavailable => Some(ErrorKind::Refused),
            _ => None,
        };
    }
    if let Some(error) = error.downcast_ref::<ConsumerError>() {
        return match error.kind() {
            ConsumerErrorKind::JetStream(answer) => Some(of_answer(&answer)),
            ConsumerErrorKind::TimedOut => Some(ErrorKind::Timeout),
            _ => None,
        };
    }
    if let Some(error) = error.downcast_ref::<PublishError>() {
        return match error.kind() {
            PublishErrorKind::TimedOut => Some(ErrorKind::Timeout),
            PublishErrorKind::BrokenPipe => Some(ErrorKind::Connection),
            PublishErrorKind::StreamNotFound => Some(ErrorKind::NotFound),
            PublishErrorKind::MaxAckPending => Some(ErrorKind::Full),
            PublishErrorKind::MaxPayloadExceeded => Some(ErrorKind::Refused),
            _ => None,
        };
    }
    if let Some(error) = error.downcast_ref::<RequestError>() {
        return match error.kind() {
            RequestErrorKind::TimedOut => Some(ErrorKind::Timeout),
            RequestErrorKind::NoResponders => Some(ErrorKind::NotFound),
            RequestErrorKind::InvalidSubject => Some(ErrorKind::Refused),
            RequestErrorKind::Other => None,
        };
    }
    if let Some(error) = error.downcast_ref::<async_nats::RequestError>() {
        return match error.kind() {
            async_nats::RequestErrorKind::TimedOut => Some(ErrorKind::Timeout),
            async_nats::RequestErrorKind::NoResponders => Some(ErrorKind::NotFound),
            _ => None,
        };
    }
    match error.downcast_ref::<MessagesError>()?.kind() {
        MessagesErrorKind::MissingHeartbeat => Some(ErrorKind::Connection),
        MessagesErrorKind::ConsumerDeleted | MessagesErrorKind::NoResponders => {
            Some(ErrorKind::NotFound)
        }
        _ => None,
    }
}

fn of_answer(answer: &jetstream::Error) -> ErrorKind {
    match answer.error_code() {
        ErrorCode::STREAM_STORE_FAILED
        | ErrorCode::STORAGE_RESOURCES_EXCEEDED
        | ErrorCode::MEMORY_RESOURCES_EXCEEDED
        | ErrorCode::ACCOUNT_RESOURCES_EXCEEDED
        | ErrorCode::INSUFFICIENT_RESOURCES => ErrorKind::Full,
        ErrorCode::STREAM_NOT_FOUND
        | ErrorCode::CONSUMER_NOT_FOUND
        | ErrorCode::CONSUMER_DOES_NOT_EXIST => ErrorKind::NotFound,
        ErrorCode::STREAM_NAME_EXIST
        | ErrorCode::CONSUMER_NAME_EXIST
        | ErrorCode::CONSUMER_ALREADY_EXISTS
        | ErrorCode::STREAM_SUBJECT_OVERLAP => ErrorKind::Conflict,
        ErrorCode::JETSTREAM_NOT_ENABLED
        | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT
        | ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM
        | ErrorCode::BAD_REQUEST => ErrorKind::Refused,
        _ => ErrorKind::Server,
    }
}
