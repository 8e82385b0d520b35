//! Kafka's errors as countable kinds.

use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode as Code;

use crate::driver::{DriverError, ErrorKind};

pub(super) const SYSTEM: &str = "kafka";

/// A client-side error as a driver error.
pub(super) fn kafka_error(operation: impl Into<String>, error: &KafkaError) -> DriverError {
    let kind = match error {
        // The library's own look-up leaves admin errors out.
        KafkaError::AdminOp(code) => kind_of(*code),
        KafkaError::Canceled => ErrorKind::Cancelled,
        KafkaError::ClientConfig(..) | KafkaError::AdminOpCreation(_) => ErrorKind::Refused,
        KafkaError::NoMessageReceived => ErrorKind::Timeout,
        other => other.rdkafka_error_code().map_or(ErrorKind::Server, kind_of),
    };
    match error {
        // Its own text repeats the value, which may be a password.
        KafkaError::ClientConfig(_, reason, setting, _) => {
            DriverError::new(kind, SYSTEM, operation, format!("{setting}: {reason}"))
        }
        error => DriverError::new(kind, SYSTEM, operation, error),
    }
}

/// An error code from an admin answer as a driver error.
pub(super) fn code_error(operation: impl Into<String>, code: Code) -> DriverError {
    DriverError::new(kind_of(code), SYSTEM, operation, code)
}

fn kind_of(code: Code) -> ErrorKind {
    match code {
        Code::OperationTimedOut
        | Code::RequestTimedOut
        | Code::MessageTimedOut
        | Code::TimedOutQueue => ErrorKind::Timeout,
        Code::BrokerTransportFailure
        | Code::AllBrokersDown
        | Code::NetworkException
        | Code::Resolve
        | Code::SSL => ErrorKind::Connection,
        Code::Authentication
        | Code::SaslAuthenticationFailed
        | Code::UnsupportedSASLMechanism
        | Code::IllegalSASLState
        | Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed
        | Code::PolicyViolation
        | Code::InvalidTopic
        | Code::InvalidPartitions
        | Code::InvalidReplicationFactor
        | Code::InvalidConfig
        | Code::InvalidRequest
        | Code::InvalidArgument
        | Code::InvalidGroupId
        | Code::MessageSizeTooLarge => ErrorKind::Refused,
        Code::ThrottlingQuotaExceeded => ErrorKind::Throttled,
        Code::UnknownTopic
        | Code::UnknownTopicOrPartition
        | Code::UnknownPartition
        | Code::UnknownGroup => ErrorKind::NotFound,
        Code::TopicAlreadyExists
        | Code::RebalanceInProgress
        | Code::IllegalGeneration
        | Code::UnknownMemberId
        | Code::AssignmentLost
        | Code::Conflict
        | Code::Fenced => ErrorKind::Conflict,
        Code::QueueFull => ErrorKind::Full,
        Code::PurgeQueue | Code::PurgeInflight | Code::Interrupted => ErrorKind::Cancelled,
        Code::BadMessage
        | Code::BadCompression
        | Code::InvalidMessage
        | Code::UnsupportedVersion
        | Code::UnsupportedFeature
        | Code::UnknownProtocol => ErrorKind::Protocol,
        _ => ErrorKind::Server,
    }
}
