//! One record of a topic, and where it is.

use std::{fmt, str::FromStr};

use chassis::events::dead_letter;
use proto::topics::DEAD_LETTER_SUFFIX;
use rdkafka::{
    Message,
    message::{BorrowedMessage, Headers, OwnedHeaders},
};
use serde::Serialize;

/// The topic, partition and offset of a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

impl FromStr for Place {
    type Err = String;

    /// Parses the place of a dead letter; the topic may be given without its `.dlq`.
    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (rest, offset) = text.rsplit_once('/')?;
            let (topic, partition) = rest.rsplit_once('/')?;
            let topic = topic.strip_suffix(DEAD_LETTER_SUFFIX).unwrap_or(topic);
            let (partition, offset) = (partition.parse().ok()?, offset.parse().ok()?);
            Some(Self { topic: dead_letter::topic(topic), partition, offset })
        };
        read().ok_or_else(|| {
            format!(
                "{text:?} is no place; expected topic/partition/offset, as orders.events.dlq/0/3"
            )
        })
    }
}

impl Serialize for Place {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One record.
#[derive(Clone, Debug)]
pub struct Record {
    /// Where it is.
    pub place: Place,
    /// When it was sent, in milliseconds since the Unix epoch; `None` if it does not say so.
    pub sent_ms: Option<i64>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its content.
    pub payload: Option<Vec<u8>>,
    /// Its headers.
    pub headers: OwnedHeaders,
}

impl Record {
    pub(crate) fn new(message: &BorrowedMessage<'_>) -> Self {
        Self {
            place: Place {
                topic: message.topic().to_owned(),
                partition: message.partition(),
                offset: message.offset(),
            },
            sent_ms: message.timestamp().to_millis(),
            key: message.key().map(<[u8]>::to_vec),
            payload: message.payload().map(<[u8]>::to_vec),
            headers: message.headers().map_or_else(OwnedHeaders::new, |headers| headers.detach()),
        }
    }

    /// A header's text; empty if it is missing. If there are several of this name, the last one counts.
    pub fn header(&self, name: &str) -> String {
        let mut all: Vec<_> = self.headers.iter().filter(|header| header.key == name).collect();
        let value = all.pop().and_then(|header| header.value).unwrap_or_default();
        String::from_utf8_lossy(value).into_owned()
    }

    /// All headers in their order; one may have no value.
    pub fn headers(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        self.headers.iter().map(|header| (header.key, header.value))
    }

    /// The key as text; empty if there is none.
    pub fn key(&self) -> String {
        String::from_utf8_lossy(self.key.as_deref().unwrap_or_default()).into_owned()
    }

    /// The trace id, 32 hexadecimal digits; empty if there is none.
    pub fn trace_id(&self) -> String {
        self.header("traceparent").split('-').nth(1).unwrap_or_default().to_owned()
    }

    /// The bytes that it takes in memory, about.
    pub(crate) fn size(&self) -> usize {
        let length = |part: &Option<Vec<u8>>| part.as_ref().map_or(0, Vec::len);
        let headers =
            self.headers().map(|(key, value)| key.len() + value.map_or(0, <[u8]>::len) + 32);
        size_of::<Self>() + length(&self.key) + length(&self.payload) + headers.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_and_written_the_same() {
        let place: Place = "orders.events.dlq/0/3".parse().unwrap();
        assert_eq!(place.to_string(), "orders.events.dlq/0/3");
        assert_eq!("orders.events/0/3".parse(), Ok(place));
        for bad in ["", "orders.events", "orders.events/0", "orders.events/x/3", "3"] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }
}
