//! Dead letters: events that could not be handled, set aside in `<topic>.dlq` with everything needed to understand and replay
//! them.
//!
//! A dead letter has the event's key, payload and headers, and the headers below. A replayed one keeps [`GROUP`], so that only
//! the group that could not handle the event handles it again.
//!
//! A record that does not fit into the dead-letter topic becomes a stub: it has no payload, but its size, its digest and the
//! record's position.

mod form;

use opentelemetry::{Context, KeyValue};
use rdkafka::{
    error::KafkaError,
    message::{Headers, OwnedHeaders},
    types::RDKafkaErrorCode,
};
use tokio::time::sleep;

pub(super) use self::form::{Form, cut, sha256};
pub use crate::kafka::headers::GROUP;
use crate::{
    contract::DEAD_LETTER_SUFFIX,
    kafka::{Outgoing, Producer, Settings, record::Record},
    retry,
};

/// Why the event became a dead letter: `undecodable`, `rejected`, `retries_exhausted`, `panicked`, `unreadable`.
pub const REASON: &str = "dlq_reason";
/// The last error, with its causes.
pub const ERROR: &str = "dlq_error";
/// How often the event was tried.
pub const ATTEMPTS: &str = "dlq_attempts";
/// The topic that the event was on.
pub const TOPIC: &str = "dlq_topic";
/// The partition that the event was on.
pub const PARTITION: &str = "dlq_partition";
/// The event's offset in that partition.
pub const OFFSET: &str = "dlq_offset";
/// When it was set aside, RFC 3339.
pub const TIME: &str = "dlq_time";

/// In a stub: the parts that were left out or cut, `payload`, `key` and `headers` with commas between. A stub cannot be replayed.
pub const TRUNCATED: &str = "dlq_truncated";
/// In a stub: the payload's size in bytes.
pub const PAYLOAD_SIZE: &str = "dlq_payload_size";
/// In a stub: the payload's SHA-256, in hexadecimal digits.
pub const PAYLOAD_SHA256: &str = "dlq_payload_sha256";
/// In a dead letter for several records: the last one's offset.
pub const LAST_OFFSET: &str = "dlq_last_offset";

const ALL: [&str; 12] = [
    REASON,
    ERROR,
    ATTEMPTS,
    TOPIC,
    PARTITION,
    OFFSET,
    GROUP,
    TIME,
    TRUNCATED,
    PAYLOAD_SIZE,
    PAYLOAD_SHA256,
    LAST_OFFSET,
];

/// Why an event became a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Undecodable,
    Rejected,
    RetriesExhausted,
    Panicked,
    /// The client cannot read the record from the log: it is damaged, or in a codec or format that the client does not know.
    Unreadable,
}

impl Reason {
    pub(super) const ALL: [Self; 5] = [
        Self::Undecodable,
        Self::Rejected,
        Self::RetriesExhausted,
        Self::Panicked,
        Self::Unreadable,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::Rejected => "rejected",
            Self::RetriesExhausted => "retries_exhausted",
            Self::Panicked => "panicked",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Returns the name of a topic's dead-letter topic.
pub fn topic(of: &str) -> String {
    format!("{of}{DEAD_LETTER_SUFFIX}")
}

/// Returns the headers to replay a dead letter with: those of the event, and the one group that is to handle it again.
pub fn replayed(headers: &impl Headers) -> OwnedHeaders {
    let kept = headers.iter().filter(|header| header.key == GROUP || !ALL.contains(&header.key));
    kept.fold(OwnedHeaders::new(), |headers, header| headers.insert(header))
}

/// The reason, the error and the attempts of an event that becomes a dead letter.
pub(super) struct Verdict<'a> {
    pub(super) reason: Reason,
    pub(super) error: &'a str,
    pub(super) attempts: u32,
    pub(super) group: &'a str,
    /// The last offset, if several records were set aside as one.
    pub(super) last: Option<i64>,
}

/// A dead letter that brokers refuse is tried this many times more than an event: it is the last resort, and a missing topic may
/// be about to be created.
const EXTRA_ATTEMPTS: u32 = 4;

/// Sends an event to the dead-letter topic: whole, or as a stub if the topic does not take it whole. Returns which of them.
/// During an outage of the brokers it waits until they are back.
///
/// # Errors
/// The brokers refuse the stub, too. Further attempts would not help: the record stays in its topic, at the position that the
/// caller logs.
pub(super) async fn send(
    producer: &Producer,
    settings: &Settings,
    record: &Record,
    verdict: &Verdict<'_>,
    parent: &Context,
) -> Result<Form, KafkaError> {
    let topic = topic(&record.topic);
    let (mut form, mut refusals) = (Form::Whole, 0);
    loop {
        let error = match send_once(producer, &topic, form, record, verdict, parent).await {
            Ok(()) => return Ok(form),
            Err(error) => error,
        };
        let refusal = Refusal::from(&error);
        if refusal == Refusal::Record && form == Form::Whole {
            tracing::warn!(topic = %topic, error = %error, "a dead letter is refused whole, sending a stub");
            form = Form::Stub;
            continue;
        }
        if refusal == Refusal::Outage {
            sleep(settings.backoff_cap).await;
            continue;
        }
        refusals += 1;
        if refusals >= settings.attempts + EXTRA_ATTEMPTS {
            return Err(error);
        }
        if refusals == 1 {
            tracing::error!(topic = %topic, error = %error, "a dead letter could not be sent, trying again");
        }
        sleep(retry::pause(settings.backoff, settings.backoff_cap, refusals - 1)).await;
    }
}

async fn send_once(
    producer: &Producer,
    topic: &str,
    form: Form,
    record: &Record,
    verdict: &Verdict<'_>,
    parent: &Context,
) -> Result<(), KafkaError> {
    let outgoing = Outgoing {
        topic,
        key: record.key.as_deref().map(|key| form.key(key)),
        payload: record.payload.as_deref().filter(|_| form == Form::Whole),
        headers: form.headers(record, verdict),
        parent,
        attributes: vec![KeyValue::new("messaging.message.id", cut(&record.id()).to_owned())],
    };
    producer.send(outgoing).await?.acknowledged().await
}

/// Why a dead letter was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// The brokers are away, or this producer had to be replaced.
    Outage,
    /// This record is refused, usually because it is too large.
    Record,
    /// The topic takes no record.
    Topic,
}

impl From<&KafkaError> for Refusal {
    fn from(error: &KafkaError) -> Self {
        use RDKafkaErrorCode as Code;
        match error.rdkafka_error_code() {
            Some(
                Code::MessageSizeTooLarge
                | Code::MessageBatchTooLarge
                | Code::InvalidMessage
                | Code::InvalidMessageSize
                | Code::InvalidRecord
                | Code::InvalidTimestamp
                | Code::InvalidArgument
                | Code::PolicyViolation
                | Code::UnsupportedForMessageFormat,
            ) => Self::Record,
            Some(
                Code::AllBrokersDown
                | Code::BrokerTransportFailure
                | Code::MessageTimedOut
                | Code::OperationTimedOut
                | Code::RequestTimedOut
                | Code::QueueFull
                | Code::Fatal
                | Code::Fenced
                | Code::OutOfOrderSequenceNumber
                | Code::UnknownProducerId
                | Code::PurgeQueue
                | Code::PurgeInflight
                | Code::LeaderNotAvailable
                | Code::NotLeaderForPartition
                | Code::BrokerNotAvailable
                | Code::NetworkException
                | Code::NotEnoughReplicas
                | Code::NotEnoughReplicasAfterAppend
                | Code::KafkaStorageError,
            ) => Self::Outage,
            // Cancelled because its client was replaced.
            None if *error == KafkaError::Canceled => Self::Outage,
            _ => Self::Topic,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::headers;

    #[test]
    fn a_replayed_dead_letter_has_the_headers_of_the_event_and_one_group() {
        let letter =
            [("ce_id", "1"), (GROUP, "orders"), (REASON, "rejected"), ("traceparent", "00-…")]
                .into_iter()
                .fold(OwnedHeaders::new(), |all, (key, value)| headers::set(all, key, value));
        let headers = replayed(&letter);
        let names: Vec<_> = headers.iter().map(|header| header.key.to_owned()).collect();
        assert_eq!(names, ["ce_id", GROUP, "traceparent"]);
    }

    #[test]
    fn only_errors_of_an_outage_are_waited_for() {
        let refusal = |code| Refusal::from(&KafkaError::MessageProduction(code));
        assert_eq!(refusal(RDKafkaErrorCode::MessageSizeTooLarge), Refusal::Record);
        assert_eq!(refusal(RDKafkaErrorCode::AllBrokersDown), Refusal::Outage);
        assert_eq!(Refusal::from(&KafkaError::Canceled), Refusal::Outage);
        for code in [
            RDKafkaErrorCode::UnknownTopic,
            RDKafkaErrorCode::UnknownTopicOrPartition,
            RDKafkaErrorCode::TopicAuthorizationFailed,
        ] {
            assert_eq!(refusal(code), Refusal::Topic, "{code:?}");
        }
    }
}
