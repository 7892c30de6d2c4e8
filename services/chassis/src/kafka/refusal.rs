//! What a producer's error means for the record, and for the records behind it.

use rdkafka::{error::KafkaError, types::RDKafkaErrorCode as Code};

/// Why a record was not taken. There is one variant for each way to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// This record is never taken as it is; the text is the reason.
    Record(&'static str),
    /// Its topic takes no record: the topic does not exist, or this service may not write to it. An operator may change that.
    Topic,
    /// The brokers take no record at the moment.
    Outage,
    /// The broker gave another reason. It may pass or not.
    Unknown,
}

/// The reasons in [`Refusal::Record`].
pub(crate) const TOO_LARGE: &str = "too_large";
pub(crate) const INVALID: &str = "invalid";

impl From<&KafkaError> for Refusal {
    /// <https://kafka.apache.org/protocol#protocol_error_codes>; in librdkafka, names with a leading `_` are the client's own
    /// errors.
    fn from(error: &KafkaError) -> Self {
        match error {
            KafkaError::Nul(_) => Self::Record(INVALID),
            KafkaError::MessageProduction(code) => code.into(),
            _ => Self::Outage,
        }
    }
}

impl From<&Code> for Refusal {
    fn from(code: &Code) -> Self {
        match code {
            Code::MessageSizeTooLarge | Code::MessageBatchTooLarge => Self::Record(TOO_LARGE),
            Code::InvalidRecord
            | Code::InvalidMessageSize
            | Code::InvalidTimestamp
            | Code::InvalidTopic
            | Code::InvalidArgument
            | Code::BadMessage
            | Code::BadCompression
            | Code::UnsupportedCompressionType
            | Code::UnsupportedForMessageFormat => Self::Record(INVALID),
            Code::UnknownTopic
            | Code::UnknownTopicOrPartition
            | Code::UnknownTopicId
            | Code::UnknownPartition
            | Code::TopicAuthorizationFailed => Self::Topic,
            Code::Unknown
            | Code::InvalidMessage
            | Code::InvalidPartitions
            | Code::InvalidRequest
            | Code::InvalidConfig
            | Code::PolicyViolation
            | Code::UnsupportedFeature
            | Code::UnsupportedVersion => Self::Unknown,
            _ => Self::Outage,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_about_the_record_is_for_ever() {
        for (code, meaning) in [
            (Code::MessageSizeTooLarge, Refusal::Record(TOO_LARGE)),
            (Code::MessageBatchTooLarge, Refusal::Record(TOO_LARGE)),
            (Code::InvalidRecord, Refusal::Record(INVALID)),
            (Code::UnsupportedCompressionType, Refusal::Record(INVALID)),
            (Code::UnknownTopic, Refusal::Topic),
            (Code::TopicAuthorizationFailed, Refusal::Topic),
            (Code::Unknown, Refusal::Unknown),
            (Code::NotEnoughReplicas, Refusal::Outage),
            (Code::BrokerTransportFailure, Refusal::Outage),
            (Code::Fatal, Refusal::Outage),
            (Code::QueueFull, Refusal::Outage),
            (Code::ClusterAuthorizationFailed, Refusal::Outage),
        ] {
            assert_eq!(Refusal::from(&KafkaError::MessageProduction(code)), meaning, "{code:?}");
        }
        assert_eq!(Refusal::from(&KafkaError::Canceled), Refusal::Outage);
    }
}
