//! Dead letters, and how they were handled.

use std::{collections::HashMap, fmt};

use chassis::{Error, Kind, events::dead_letter, kafka::headers};
use serde::Serialize;

use crate::record::{Place, Record};

/// How a letter was handled, as its note says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Handled {
    /// It was sent to its original topic again.
    Replayed,
    /// It will not be replayed.
    GivenUp,
}

impl Handled {
    /// Its word in a note.
    pub fn as_str(self) -> &'static str {
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
pub(crate) const NOTE: &str = "dlq_note";
/// The header of a note that says how the record was handled.
pub(crate) const HANDLED: &str = "dlq_handled";

/// One record of a dead-letter topic.
#[derive(Clone, Debug)]
pub struct Letter {
    /// The record.
    pub record: Record,
}

/// One letter in `mesh dlq list --json`, and on the console's page.
#[derive(Debug, Serialize)]
pub struct Summary {
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

impl Letter {
    /// Where the letter is.
    pub fn place(&self) -> &Place {
        &self.record.place
    }

    /// A header's text; empty if it is missing.
    pub fn header(&self, name: &str) -> String {
        self.record.header(name)
    }

    /// The topic that the letter was on.
    ///
    /// # Errors
    /// It does not say so.
    pub fn origin(&self) -> Result<String, Error> {
        let topic = self.header(dead_letter::TOPIC);
        Some(topic).filter(|topic| !topic.is_empty()).ok_or_else(|| {
            let place = self.place();
            let header = dead_letter::TOPIC;
            let text = format!("{place} does not say where it came from (no header {header})");
            Error::new(Kind::Precondition, text).reason("NO_ORIGIN")
        })
    }

    /// Fails for a truncated letter, which is not complete enough to be sent again.
    ///
    /// # Errors
    /// It is truncated.
    pub fn ensure_whole(&self) -> Result<(), Error> {
        let truncated = self.header(dead_letter::TRUNCATED);
        if truncated.is_empty() {
            return Ok(());
        }
        let text = format!(
            "{} is a stub without its {truncated} and cannot be replayed; the record was at {}/{}/{}",
            self.place(),
            self.header(dead_letter::TOPIC),
            self.header(dead_letter::PARTITION),
            self.header(dead_letter::OFFSET)
        );
        Err(Error::new(Kind::Precondition, text).reason("TRUNCATED"))
    }

    /// What lists show of it.
    pub fn summary(&self, handled: Option<Handled>) -> Summary {
        Summary {
            id: self.place().clone(),
            topic: self.header(dead_letter::TOPIC),
            partition: self.header(dead_letter::PARTITION).parse().unwrap_or(-1),
            offset: self.header(dead_letter::OFFSET).parse().unwrap_or(-1),
            reason: self.header(dead_letter::REASON),
            error: self.header(dead_letter::ERROR),
            attempts: self.header(dead_letter::ATTEMPTS).parse().unwrap_or_default(),
            group: self.header(dead_letter::GROUP),
            event_type: self.header(headers::TYPE),
            event_id: self.header(headers::ID),
            key: self.record.key(),
            time: self.header(dead_letter::TIME),
            trace_id: self.record.trace_id(),
            handled,
        }
    }

    /// Whether the record is no letter, but a note about one.
    pub(crate) fn is_note(&self) -> bool {
        self.note().is_some()
    }

    fn note(&self) -> Option<(Place, Handled)> {
        let note = self.header(NOTE);
        let (partition, offset) = note.split_once('/')?;
        let place = Place {
            topic: self.place().topic.clone(),
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
pub struct Queue {
    letters: Vec<Letter>,
    handled: HashMap<Place, Handled>,
}

impl Queue {
    /// Separates letters from notes.
    pub fn new(records: Vec<Record>) -> Self {
        let mut queue = Self { letters: Vec::new(), handled: HashMap::new() };
        for letter in records.into_iter().map(|record| Letter { record }) {
            match letter.note() {
                Some((place, handled)) => drop(queue.handled.insert(place, handled)),
                None => queue.letters.push(letter),
            }
        }
        queue.letters.sort_by_cached_key(|letter| {
            (letter.header(dead_letter::TIME), letter.place().clone())
        });
        queue
    }

    /// All letters, oldest first.
    pub fn letters(&self) -> impl Iterator<Item = &Letter> {
        self.letters.iter()
    }

    /// The letter at a place.
    pub fn find(&self, place: &Place) -> Option<&Letter> {
        self.letters.iter().find(|letter| letter.place() == place)
    }

    /// How the letter was handled; `None` while it waits.
    pub fn handled(&self, letter: &Letter) -> Option<Handled> {
        self.handled.get(letter.place()).copied()
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::message::{Header, OwnedHeaders};

    use super::*;

    fn record(offset: i64, headers: &[(&str, &str)]) -> Record {
        let place = Place { topic: "orders.events.dlq".into(), partition: 0, offset };
        let insert = |all: OwnedHeaders, (key, value): &(&str, &str)| {
            all.insert(Header { key, value: Some(*value) })
        };
        Record {
            place,
            sent_ms: None,
            key: None,
            payload: None,
            headers: headers.iter().fold(OwnedHeaders::new(), insert),
        }
    }

    fn letter(record: Record) -> Letter {
        Letter { record }
    }

    #[test]
    fn notes_are_no_letters_and_tell_what_became_of_them() {
        let queue = Queue::new(vec![
            record(0, &[(dead_letter::REASON, "rejected"), (dead_letter::TIME, "2026-01-02")]),
            record(1, &[(dead_letter::REASON, "panicked"), (dead_letter::TIME, "2026-01-01")]),
            record(2, &[(NOTE, "0/0"), (HANDLED, "replayed")]),
        ]);
        let all: Vec<_> =
            queue.letters().map(|letter| (letter.place().offset, queue.handled(letter))).collect();
        assert_eq!(all, [(1, None), (0, Some(Handled::Replayed))]);
    }

    #[test]
    fn a_stub_cannot_be_replayed_and_says_where_the_record_is() {
        let at = [
            (dead_letter::TOPIC, "orders.events"),
            (dead_letter::PARTITION, "2"),
            (dead_letter::OFFSET, "7"),
        ];
        assert!(letter(record(0, &at)).ensure_whole().is_ok());
        let stub = letter(record(0, &[at[0], at[1], at[2], (dead_letter::TRUNCATED, "payload")]));
        let refused = stub.ensure_whole().unwrap_err().to_string();
        assert!(refused.contains("orders.events/2/7"), "{refused}");
    }

    #[test]
    fn a_letter_tells_its_trace() {
        let letter = letter(record(
            0,
            &[("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")],
        ));
        assert_eq!(letter.record.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(letter.origin().is_err());
    }
}
