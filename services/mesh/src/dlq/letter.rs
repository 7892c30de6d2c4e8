//! Dead letters, and how they were handled.

use std::{collections::HashMap, fmt, str::FromStr};

use anyhow::{Context, ensure};
use chassis::{events::dead_letter, kafka::headers};
use proto::topics::DEAD_LETTER_SUFFIX;
use rdkafka::message::{Headers, OwnedHeaders};
use serde::Serialize;

/// The topic, partition and offset of a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) offset: i64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

impl FromStr for Place {
    type Err = String;

    /// Parses a place; the topic may be given without its `.dlq`.
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

/// How a letter was handled, as its note says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Handled {
    Replayed,
    GivenUp,
}

impl Handled {
    /// Its word in a note.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Replayed => "replayed",
            Self::GivenUp => "given_up",
        }
    }
}

impl fmt::Display for Handled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Replayed => "replayed",
            Self::GivenUp => "given up",
        })
    }
}

/// The header of a note that names the record that was handled, as `partition/offset` of the same topic.
pub(super) const NOTE: &str = "dlq_note";
/// The header of a note that says how the record was handled.
pub(super) const HANDLED: &str = "dlq_handled";

/// One record of a dead-letter topic.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) place: Place,
    pub(super) key: Option<Vec<u8>>,
    pub(super) payload: Option<Vec<u8>>,
    pub(super) headers: OwnedHeaders,
}

/// One letter in `mesh dlq list --json`.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    id: Place,
    topic: String,
    partition: i32,
    offset: i64,
    reason: String,
    error: String,
    attempts: u32,
    group: String,
    event_type: String,
    event_id: String,
    key: String,
    time: String,
    trace_id: String,
    handled: Option<Handled>,
}

impl Serialize for Place {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Letter {
    /// A header's text; empty if it is missing. If there are several of this name, the last one counts.
    pub(super) fn header(&self, name: &str) -> String {
        let mut all: Vec<_> = self.headers.iter().filter(|header| header.key == name).collect();
        let value = all.pop().and_then(|header| header.value).unwrap_or_default();
        String::from_utf8_lossy(value).into_owned()
    }

    /// The topic that the letter was on.
    pub(super) fn origin(&self) -> anyhow::Result<String> {
        let topic = self.header(dead_letter::TOPIC);
        Some(topic).filter(|topic| !topic.is_empty()).with_context(|| {
            format!(
                "{} does not say where it came from (no header {})",
                self.place,
                dead_letter::TOPIC
            )
        })
    }

    /// Fails for a truncated letter, which is not complete enough to be sent again.
    pub(super) fn ensure_whole(&self) -> anyhow::Result<()> {
        let truncated = self.header(dead_letter::TRUNCATED);
        ensure!(
            truncated.is_empty(),
            "{} is a stub without its {truncated} and cannot be replayed; the record was at {}/{}/{}",
            self.place,
            self.header(dead_letter::TOPIC),
            self.header(dead_letter::PARTITION),
            self.header(dead_letter::OFFSET)
        );
        Ok(())
    }

    pub(super) fn key(&self) -> String {
        String::from_utf8_lossy(self.key.as_deref().unwrap_or_default()).into_owned()
    }

    /// The trace id, 32 hexadecimal digits; empty if there is none.
    pub(super) fn trace_id(&self) -> String {
        self.header("traceparent").split('-').nth(1).unwrap_or_default().to_owned()
    }

    pub(super) fn summary(&self, handled: Option<Handled>) -> Summary {
        Summary {
            id: self.place.clone(),
            topic: self.header(dead_letter::TOPIC),
            partition: self.header(dead_letter::PARTITION).parse().unwrap_or(-1),
            offset: self.header(dead_letter::OFFSET).parse().unwrap_or(-1),
            reason: self.header(dead_letter::REASON),
            error: self.header(dead_letter::ERROR),
            attempts: self.header(dead_letter::ATTEMPTS).parse().unwrap_or_default(),
            group: self.header(dead_letter::GROUP),
            event_type: self.header(headers::TYPE),
            event_id: self.header(headers::ID),
            key: self.key(),
            time: self.header(dead_letter::TIME),
            trace_id: self.trace_id(),
            handled,
        }
    }

    fn note(&self) -> Option<(Place, Handled)> {
        let note = self.header(NOTE);
        let (partition, offset) = note.split_once('/')?;
        let place = Place {
            topic: self.place.topic.clone(),
            partition: partition.parse().ok()?,
            offset: offset.parse().ok()?,
        };
        let word = self.header(HANDLED);
        let handled =
            [Handled::Replayed, Handled::GivenUp].into_iter().find(|one| one.as_str() == word)?;
        Some((place, handled))
    }
}

/// All letters and notes of the dead-letter topics.
pub(super) struct Queue {
    letters: Vec<Letter>,
    handled: HashMap<Place, Handled>,
}

impl Queue {
    /// Separates letters from notes.
    pub(super) fn new(records: Vec<Letter>) -> Self {
        let mut queue = Self { letters: Vec::new(), handled: HashMap::new() };
        for record in records {
            match record.note() {
                Some((place, handled)) => drop(queue.handled.insert(place, handled)),
                None => queue.letters.push(record),
            }
        }
        queue
            .letters
            .sort_by_cached_key(|letter| (letter.header(dead_letter::TIME), letter.place.clone()));
        queue
    }

    /// All letters, oldest first.
    pub(super) fn letters(&self) -> impl Iterator<Item = &Letter> {
        self.letters.iter()
    }

    pub(super) fn find(&self, place: &Place) -> Option<&Letter> {
        self.letters.iter().find(|letter| letter.place == *place)
    }

    /// How the letter was handled; `None` while it waits.
    pub(super) fn handled(&self, letter: &Letter) -> Option<Handled> {
        self.handled.get(&letter.place).copied()
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::message::Header;

    use super::*;

    fn record(offset: i64, headers: &[(&str, &str)]) -> Letter {
        let place = Place { topic: "orders.events.dlq".into(), partition: 0, offset };
        let insert = |all: OwnedHeaders, (key, value): &(&str, &str)| {
            all.insert(Header { key, value: Some(*value) })
        };
        Letter {
            place,
            key: None,
            payload: None,
            headers: headers.iter().fold(OwnedHeaders::new(), insert),
        }
    }

    #[test]
    fn a_place_is_read_and_written_the_same() {
        let place: Place = "orders.events.dlq/0/3".parse().unwrap();
        assert_eq!(place.to_string(), "orders.events.dlq/0/3");
        assert_eq!("orders.events/0/3".parse(), Ok(place));
        for bad in ["", "orders.events", "orders.events/0", "orders.events/x/3", "3"] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }

    #[test]
    fn notes_are_no_letters_and_tell_what_became_of_them() {
        let queue = Queue::new(vec![
            record(0, &[(dead_letter::REASON, "rejected"), (dead_letter::TIME, "2026-01-02")]),
            record(1, &[(dead_letter::REASON, "panicked"), (dead_letter::TIME, "2026-01-01")]),
            record(2, &[(NOTE, "0/0"), (HANDLED, "replayed")]),
        ]);
        let all: Vec<_> =
            queue.letters().map(|letter| (letter.place.offset, queue.handled(letter))).collect();
        assert_eq!(all, [(1, None), (0, Some(Handled::Replayed))]);
    }

    #[test]
    fn a_stub_cannot_be_replayed_and_says_where_the_record_is() {
        let at = [
            (dead_letter::TOPIC, "orders.events"),
            (dead_letter::PARTITION, "2"),
            (dead_letter::OFFSET, "7"),
        ];
        assert!(record(0, &at).ensure_whole().is_ok());
        let stub = record(0, &[at[0], at[1], at[2], (dead_letter::TRUNCATED, "payload")]);
        let refused = stub.ensure_whole().unwrap_err().to_string();
        assert!(refused.contains("orders.events/2/7"), "{refused}");
    }

    #[test]
    fn a_letter_tells_its_trace() {
        let letter = record(
            0,
            &[("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")],
        );
        assert_eq!(letter.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(letter.origin().is_err());
    }
}
