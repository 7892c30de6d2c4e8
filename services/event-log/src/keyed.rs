//! The records of one key: those of an order.

use proto::topics;

use crate::{
    client::{Reader, explained},
    record::Record,
    scan::{Budget, Limits},
};

/// The records of one key.
pub struct Found {
    /// The records of all topics, in the order in which they were sent.
    pub records: Vec<Record>,
    /// How far each topic was read.
    pub parts: Vec<Part>,
}

/// How far a topic was read.
pub struct Part {
    /// The topic.
    pub topic: &'static str,
    /// The one partition with the records of the key; `None` if there is no such topic.
    pub partition: Option<i32>,
    /// Whether all that the broker still has was read.
    pub complete: bool,
    /// Whether the broker has dropped older records.
    pub forgotten: bool,
    /// Why it was not read.
    pub error: Option<String>,
}

impl Reader {
    /// Reads the records of a key from all topics of events, from their ends backwards, within the limits.
    pub fn keyed(&self, key: &str, limits: Limits) -> Found {
        let mut budget = Budget::new(limits);
        let mut found = Found { records: Vec::new(), parts: Vec::new() };
        for topic in topics::ALL {
            let mut part =
                Part { topic, partition: None, complete: true, forgotten: false, error: None };
            if let Some(count) = self.partitions(topic) {
                let partition = partition(key.as_bytes(), count);
                part.partition = Some(partition);
                let keeps = |key_of: Option<&[u8]>| key_of == Some(key.as_bytes());
                match self
                    .scan(topic, partition, &mut budget, |one| keeps(rdkafka::Message::key(one)))
                {
                    Ok(read) => {
                        (part.complete, part.forgotten) =
                            (read.is_complete(), read.retained.start > 0);
                        found.records.extend(read.records);
                    }
                    Err(error) => (part.complete, part.error) = (false, Some(explained(&error))),
                }
            }
            found.parts.push(part);
        }
        found.records.sort_by_key(|record| (record.sent_ms, record.place.clone()));
        found
    }
}

/// The partition that the client's partitioner `consistent_random` chooses for a key: the services leave it at that.
fn partition(key: &[u8], count: i32) -> i32 {
    (crc32(key) % count.unsigned_abs().max(1)) as i32
}

/// CRC-32 as in ISO 3309, bit by bit: keys are short.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        let step = |crc: u32, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
        (0..8).fold(crc ^ u32::from(*byte), step)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }
}
