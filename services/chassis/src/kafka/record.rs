//! A record as the broker delivered it.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use opentelemetry::{Context, global, propagation::Extractor};
use rdkafka::{
    Message,
    message::{BorrowedMessage, Headers},
};

use super::headers;
use crate::contract::Envelope;

/// A record that owns its data.
pub(crate) struct Record {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// The record's timestamp, in milliseconds since the Unix epoch; 0 if it has none.
    pub(crate) at_ms: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) payload: Option<Vec<u8>>,
    /// `None` if they cannot be read.
    pub(crate) headers: Option<Vec<(String, Option<Vec<u8>>)>>,
}

impl From<&BorrowedMessage<'_>> for Record {
    fn from(message: &BorrowedMessage<'_>) -> Self {
        Self {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            at_ms: message.timestamp().to_millis().unwrap_or_default(),
            key: message.key().map(<[u8]>::to_vec),
            payload: message.payload().map(<[u8]>::to_vec),
            headers: read(message),
        }
    }
}

/// Returns the headers; `None` if they cannot be read. The client panics on a header whose name is not UTF-8, and such a record,
/// on a topic that others can write to, must not stop us.
fn read(message: &BorrowedMessage<'_>) -> Option<Vec<(String, Option<Vec<u8>>)>> {
    let Some(headers) = message.headers() else { return Some(Vec::new()) };
    let copy = || {
        headers
            .iter()
            .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
            .collect()
    };
    catch_unwind(AssertUnwindSafe(copy)).ok()
}

impl Record {
    /// A record of which only the position is known.
    pub(crate) fn lost(topic: &str, partition: i32, offset: i64) -> Self {
        let (key, payload, headers) = (None, None, Some(Vec::new()));
        Self { topic: topic.to_owned(), partition, offset, at_ms: 0, key, payload, headers }
    }

    /// Returns the text of a header; of several with this name, the last: a sender that forwards a record may add another.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.as_ref()?.iter().rev().find(|(key, _)| key == name)?;
        std::str::from_utf8(value.as_ref()?).ok()
    }

    /// Returns the event's id. An event without an id gets its position as one, which is the same at each delivery.
    pub(crate) fn id(&self) -> String {
        match self.header(headers::ID) {
            Some(id) => id.to_owned(),
            None => format!("{}/{}/{}", self.topic, self.partition, self.offset),
        }
    }

    pub(crate) fn event_type(&self) -> Option<&str> {
        self.header(headers::TYPE)
    }

    /// Whether the record was replayed for one group, and that group is not this one.
    pub(crate) fn is_for_another(&self, group: &str) -> bool {
        self.header(headers::GROUP).is_some_and(|for_group| for_group != group)
    }

    /// Whether the record was sent again: to a broker that lost it, or for a handler that failed.
    pub(crate) fn is_sent_again(&self) -> bool {
        [headers::RESENT, headers::GROUP].iter().any(|name| self.header(name).is_some())
    }

    /// Returns the hash of the record's key: events of one key are handled in order. A record without a key has a hash of its own.
    pub(crate) fn key_hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        match &self.key {
            Some(key) => key.hash(&mut hasher),
            None => self.offset.hash(&mut hasher),
        }
        hasher.finish()
    }

    pub(crate) fn published_at(&self) -> SystemTime {
        let stated =
            self.header(headers::TIME).and_then(|text| humantime::parse_rfc3339(text).ok());
        stated
            .unwrap_or_else(|| UNIX_EPOCH + Duration::from_millis(self.at_ms.max(0).unsigned_abs()))
    }

    /// The trace context in the headers; empty if there is none.
    pub(crate) fn context(&self) -> Context {
        global::get_text_map_propagator(|propagator| {
            propagator.extract_with_context(&Context::new(), self)
        })
    }

    pub(crate) fn decode<M: Envelope>(&self) -> Result<M, String> {
        if self.headers.is_none() {
            return Err("a header's name is not UTF-8".into());
        }
        let payload = self.payload.as_deref().ok_or("no payload")?;
        M::decode(payload).map_err(|error| error.to_string())
    }
}

impl Extractor for Record {
    fn get(&self, key: &str) -> Option<&str> {
        self.header(key)
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let lines = self.headers.iter().flatten().filter(|(name, _)| name == key);
        let lines = lines.map(|(_, value)| std::str::from_utf8(value.as_deref()?).ok());
        // A value that is not text counts as a line, but adds nothing to a list.
        Some(lines.map(Option::unwrap_or_default).collect())
    }

    fn keys(&self) -> Vec<&str> {
        self.headers.iter().flatten().map(|(key, _)| key.as_str()).collect()
    }
}
