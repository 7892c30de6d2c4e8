//! Reads the dead-letter topics.

use chassis::{Error, events::dead_letter};
use proto::topics;

use crate::{
    client::{Reader, explained},
    letter::{Letter, Queue},
    record::Place,
    scan::{Budget, Limits},
};

/// The dead letters of all topics.
pub struct Letters {
    /// The letters, and how they were handled.
    pub queue: Queue,
    /// A text for each partition that could not be read.
    pub unread: Vec<String>,
    /// Whether all was read: otherwise the oldest letters are left out.
    pub complete: bool,
}

impl Reader {
    /// Reads all dead-letter topics from the last record that they have now backwards, within the limits.
    pub fn letters(&self, limits: Limits) -> Letters {
        let mut budget = Budget::new(limits);
        let (mut records, mut unread, mut complete) = (Vec::new(), Vec::new(), true);
        for topic in topics::ALL.map(dead_letter::topic) {
            for partition in 0..self.partitions(&topic).unwrap_or_default() {
                match self.scan(&topic, partition, &mut budget, |_| true) {
                    Ok(read) => {
                        complete &= read.is_complete();
                        records.extend(read.records);
                    }
                    Err(error) => unread
                        .push(format!("cannot read {topic}/{partition}: {}", explained(&error))),
                }
            }
        }
        Letters { queue: Queue::new(records), unread, complete }
    }

    /// Reads the letter at a place, whatever became of it.
    ///
    /// # Errors
    /// The partition cannot be read.
    pub fn letter(&self, place: &Place) -> Result<Option<Letter>, Error> {
        if self.partitions(&place.topic).is_none_or(|count| !(0..count).contains(&place.partition))
        {
            return Ok(None);
        }
        let read = self.first(&place.topic, place.partition, place.offset)?;
        let letter = read.filter(|record| record.place == *place).map(|record| Letter { record });
        Ok(letter.filter(|letter| !letter.is_note()))
    }
}
