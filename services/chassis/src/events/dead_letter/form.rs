//! The content of a dead letter: its headers, and how much of the event it holds.

use std::{fmt::Write, time::SystemTime};

use rdkafka::message::{Header, OwnedHeaders};
use sha2::{Digest, Sha256};

use super::{
    ALL, ATTEMPTS, ERROR, GROUP, LAST_OFFSET, OFFSET, PARTITION, PAYLOAD_SHA256, PAYLOAD_SIZE,
    REASON, TIME, TOPIC, TRUNCATED, Verdict,
};
use crate::kafka::{headers, record::Record};

/// Longest error text in a header. Kafka limits no single header, but each counts into the record's size.
const MAX_ERROR: usize = 4096;
/// The most bytes that a stub keeps of the key, and of each header: longer than any of ours.
const MAX_KEPT: usize = 1024;
/// The headers that a stub keeps.
const KEPT: [&str; 6] = [
    headers::ID,
    headers::TYPE,
    headers::SOURCE,
    headers::TIME,
    headers::SPECVERSION,
    headers::CONTENT_TYPE,
];

/// How much of an event a dead letter holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::events) enum Form {
    /// The whole event.
    Whole,
    /// Only what is needed to find and to recognise the event.
    Stub,
}

impl Form {
    pub(super) fn key(self, key: &[u8]) -> &[u8] {
        match self {
            Self::Whole => key,
            Self::Stub => &key[..key.len().min(MAX_KEPT)],
        }
    }

    /// Returns the event's own headers, without those of an earlier dead letter and of the trace, which the sender adds; and the
    /// headers that describe why it failed.
    pub(super) fn headers(self, record: &Record, verdict: &Verdict<'_>) -> OwnedHeaders {
        const TRACE: [&str; 3] = ["traceparent", "tracestate", "baggage"];
        let own = record.headers.iter().flatten();
        let kept = own.filter(|(key, value)| match self {
            Self::Whole => !ALL.contains(&key.as_str()) && !TRACE.contains(&key.as_str()),
            Self::Stub => fits(key, value.as_deref()),
        });
        let all = kept.fold(OwnedHeaders::new(), |all, (key, value)| {
            all.insert(Header { key, value: value.as_ref() })
        });
        let mut added = failure(record, verdict);
        if self == Self::Stub {
            added.extend(digest(record));
        }
        added.iter().fold(all, |all, (key, value)| all.insert(Header { key, value: Some(value) }))
    }
}

fn fits(key: &str, value: Option<&[u8]>) -> bool {
    KEPT.contains(&key) && value.is_none_or(|value| value.len() <= MAX_KEPT)
}

/// The part of a text that a stub keeps.
pub(in crate::events) fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_KEPT)]
}

fn failure(record: &Record, verdict: &Verdict<'_>) -> Vec<(&'static str, String)> {
    let end = verdict.error.floor_char_boundary(MAX_ERROR);
    let mut headers = vec![
        (REASON, verdict.reason.as_str().to_owned()),
        (ERROR, verdict.error[..end].to_owned()),
        (ATTEMPTS, verdict.attempts.to_string()),
        (TOPIC, record.topic.clone()),
        (PARTITION, record.partition.to_string()),
        (OFFSET, record.offset.to_string()),
        (GROUP, verdict.group.to_owned()),
        (TIME, humantime::format_rfc3339_millis(SystemTime::now()).to_string()),
    ];
    headers.extend(verdict.last.map(|last| (LAST_OFFSET, last.to_string())));
    // Records that the client could not read: there never was a payload to replay.
    if record.payload.is_none() && verdict.last.is_some() {
        headers.push((TRUNCATED, "payload,key,headers".into()));
    }
    headers
}

fn digest(record: &Record) -> Vec<(&'static str, String)> {
    let payload = record.payload.as_deref().unwrap_or_default();
    let mut missing = vec!["payload"];
    if record.key.as_ref().is_some_and(|key| key.len() > MAX_KEPT) {
        missing.push("key");
    }
    if record.headers.iter().flatten().any(|(key, value)| !fits(key, value.as_deref())) {
        missing.push("headers");
    }
    vec![
        (TRUNCATED, missing.join(",")),
        (PAYLOAD_SIZE, payload.len().to_string()),
        (PAYLOAD_SHA256, sha256(payload)),
    ]
}

pub(in crate::events) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string does not fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}

#[cfg(test)]
mod tests {
    use rdkafka::message::Headers;

    use super::{super::Reason, *};

    #[test]
    fn a_stub_lists_the_parts_that_were_left_out() {
        let headers = [("ce_id", "1"), ("x", "y"), ("ce_source", &*"s".repeat(2000))];
        let record = Record {
            topic: "orders.events".into(),
            partition: 2,
            offset: 7,
            at_ms: 0,
            key: Some(vec![b'k'; 5000]),
            payload: Some(b"abc".to_vec()),
            headers: Some(
                headers.map(|(key, value)| (key.to_owned(), Some(value.into()))).to_vec(),
            ),
        };
        let error = "e".repeat(10_000);
        let verdict = Verdict {
            reason: Reason::Rejected,
            error: &error,
            attempts: 1,
            group: "payments",
            last: None,
        };
        let written = Form::Stub.headers(&record, &verdict);
        let value = |name: &str| {
            let header = written.iter().find(|header| header.key == name)?;
            String::from_utf8(header.value?.to_vec()).ok()
        };
        assert_eq!(value("ce_id").as_deref(), Some("1"));
        assert_eq!((value("x"), value("ce_source")), (None, None));
        assert_eq!(value(TRUNCATED).as_deref(), Some("payload,key,headers"));
        assert_eq!(value(PAYLOAD_SIZE).as_deref(), Some("3"));
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(value(PAYLOAD_SHA256).as_deref(), Some(abc));
        assert_eq!(value(ERROR).map(|text| text.len()), Some(MAX_ERROR));
        assert_eq!(Form::Stub.key(record.key.as_deref().unwrap()).len(), MAX_KEPT);
    }
}
