//! Dead letters: events that could not be handled, set aside in `<topic>.dlq` with everything needed to understand and replay them.
//!
//! A dead letter has the event's key, payload and headers, and the headers below. Replayed, it keeps [`GROUP`]: only the
//! group that could not handle it looks at it again.

use std::time::{Duration, SystemTime};

use opentelemetry::{Context, KeyValue};
use proto::topics::DEAD_LETTER_SUFFIX;
use rdkafka::message::{Header, Headers, OwnedHeaders};
use tokio::time::sleep;

use super::{Outgoing, Producer, record::Record};

/// Why: `undecodable`, `rejected`, `retries_exhausted`, `panicked`.
pub const REASON: &str = "dlq_reason";
/// What went wrong the last time, with its causes.
pub const ERROR: &str = "dlq_error";
/// How often it was tried.
pub const ATTEMPTS: &str = "dlq_attempts";
/// The topic it was on.
pub const TOPIC: &str = "dlq_topic";
/// The partition it was on.
pub const PARTITION: &str = "dlq_partition";
/// Its offset there.
pub const OFFSET: &str = "dlq_offset";
/// The consumer group that could not handle it.
pub const GROUP: &str = "dlq_group";
/// When it was set aside, RFC 3339.
pub const TIME: &str = "dlq_time";

const ALL: [&str; 8] = [REASON, ERROR, ATTEMPTS, TOPIC, PARTITION, OFFSET, GROUP, TIME];

/// A header of Kafka has no limit of its own, but counts into the record's.
const LONGEST_ERROR: usize = 4096;

/// Why an event became a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Undecodable,
    Rejected,
    RetriesExhausted,
    Panicked,
}

impl Reason {
    pub(super) const ALL: [Self; 4] =
        [Self::Undecodable, Self::Rejected, Self::RetriesExhausted, Self::Panicked];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::Rejected => "rejected",
            Self::RetriesExhausted => "retries_exhausted",
            Self::Panicked => "panicked",
        }
    }
}

/// The dead-letter topic of a topic.
pub fn topic(of: &str) -> String {
    format!("{of}{DEAD_LETTER_SUFFIX}")
}

/// The headers to replay a dead letter with: as the event was first sent, for the one group that could not handle it.
pub fn replayed(headers: &impl Headers) -> OwnedHeaders {
    let kept = headers.iter().filter(|header| header.key == GROUP || !ALL.contains(&header.key));
    kept.fold(OwnedHeaders::new(), |headers, header| headers.insert(header))
}

/// What is told about a dead letter.
pub(super) struct Verdict<'a> {
    pub(super) reason: Reason,
    pub(super) error: &'a str,
    pub(super) attempts: u32,
    pub(super) group: &'a str,
}

/// Sets an event aside, as often as it takes until the broker has it.
pub(super) async fn send(
    producer: &Producer,
    record: &Record,
    verdict: &Verdict<'_>,
    parent: &Context,
) {
    let topic = topic(&record.topic);
    let mut told = false;
    loop {
        let outgoing = Outgoing {
            topic: &topic,
            key: record.key.as_deref(),
            payload: record.payload.as_deref(),
            headers: written(record, verdict),
            parent,
            attributes: vec![KeyValue::new("messaging.message.id", record.id())],
        };
        let result = match producer.send(outgoing).await {
            Ok(sending) => sending.acknowledged().await,
            Err(error) => Err(error),
        };
        let Err(error) = result else { return };
        if !told {
            tracing::error!(topic = %topic, error = %error, "a dead letter could not be sent, trying again");
        }
        told = true;
        sleep(Duration::from_secs(1)).await;
    }
}

/// The event's own headers, but for an earlier death and for the trace, which the sender adds.
fn written(record: &Record, verdict: &Verdict<'_>) -> OwnedHeaders {
    const TRACE: [&str; 3] = ["traceparent", "tracestate", "baggage"];
    let own = record.headers.iter().flatten();
    let kept =
        own.filter(|(key, _)| !ALL.contains(&key.as_str()) && !TRACE.contains(&key.as_str()));
    let all = kept.fold(OwnedHeaders::new(), |all, (key, value)| {
        all.insert(Header { key, value: value.as_ref() })
    });
    let end = verdict.error.floor_char_boundary(LONGEST_ERROR);
    let told = [
        (REASON, verdict.reason.label().to_owned()),
        (ERROR, verdict.error[..end].to_owned()),
        (ATTEMPTS, verdict.attempts.to_string()),
        (TOPIC, record.topic.clone()),
        (PARTITION, record.partition.to_string()),
        (OFFSET, record.offset.to_string()),
        (GROUP, verdict.group.to_owned()),
        (TIME, humantime::format_rfc3339_millis(SystemTime::now()).to_string()),
    ];
    told.iter().fold(all, |all, (key, value)| all.insert(Header { key, value: Some(value) }))
}

#[cfg(test)]
mod tests {
    use super::{super::headers, *};

    #[test]
    fn a_replayed_letter_is_the_event_as_it_was_and_for_one_group() {
        let letter =
            [("ce_id", "1"), (GROUP, "orders"), (REASON, "rejected"), ("traceparent", "00-…")]
                .into_iter()
                .fold(OwnedHeaders::new(), |all, (key, value)| headers::set(all, key, value));
        let headers = replayed(&letter);
        let names: Vec<_> = headers.iter().map(|header| header.key.to_owned()).collect();
        assert_eq!(names, ["ce_id", GROUP, "traceparent"]);
    }
}
