//! What idempotent producers have sent to one partition: <https://cwiki.apache.org/confluence/x/hTInBg>

use std::collections::{HashMap, VecDeque};

use kafka_protocol::ResponseError;

use super::{batch::Origin, limits::MAX_PRODUCERS};

/// The maximum of batches that an idempotent producer may have in flight.
const IN_FLIGHT: usize = 5;

/// The producers of one partition.
#[derive(Default)]
pub(super) struct Producers {
    known: HashMap<i64, Producer>,
}

struct Producer {
    epoch: i16,
    /// Its latest batches with their offsets, oldest first.
    batches: VecDeque<(Origin, i64)>,
}

/// Whether a batch is to be appended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    New,
    /// The batch was appended before, at this offset.
    Duplicate(i64),
}

impl Producers {
    /// A producer that is unknown may begin at any sequence number: it may only have been forgotten.
    pub(super) fn judge(&self, origin: &Origin) -> Result<Verdict, ResponseError> {
        let Some(producer) = self.known.get(&origin.producer) else { return Ok(Verdict::New) };
        if origin.epoch < producer.epoch {
            return Err(ResponseError::InvalidProducerEpoch);
        }
        if let Some((_, offset)) = producer.batches.iter().find(|(batch, _)| batch == origin) {
            return Ok(Verdict::Duplicate(*offset));
        }
        let expected = match producer.batches.back() {
            Some((latest, _)) if origin.epoch == producer.epoch => {
                latest.last.wrapping_add(1) & i32::MAX
            }
            _ => 0,
        };
        if origin.first == expected {
            Ok(Verdict::New)
        } else {
            Err(ResponseError::OutOfOrderSequenceNumber)
        }
    }

    pub(super) fn note(&mut self, origin: Origin, offset: i64) {
        if self.known.len() >= MAX_PRODUCERS && !self.known.contains_key(&origin.producer) {
            let latest = |producer: &Producer| producer.batches.back().map(|(_, offset)| *offset);
            let silent = self.known.iter().min_by_key(|(_, producer)| latest(producer));
            if let Some(id) = silent.map(|(id, _)| *id) {
                self.known.remove(&id);
            }
        }
        let fresh = || Producer { epoch: origin.epoch, batches: VecDeque::new() };
        let producer = self.known.entry(origin.producer).or_insert_with(fresh);
        if producer.epoch != origin.epoch {
            *producer = fresh();
        }
        if producer.batches.len() == IN_FLIGHT {
            producer.batches.pop_front();
        }
        producer.batches.push_back((origin, offset));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(producer: i64, epoch: i16, first: i32, last: i32) -> Origin {
        Origin { producer, epoch, first, last }
    }

    #[test]
    fn a_duplicate_is_known_and_a_gap_is_refused() {
        let mut producers = Producers::default();
        for (number, offset) in [(0, 100), (1, 107)] {
            let batch = origin(1, 0, number * 2, number * 2 + 1);
            assert_eq!(producers.judge(&batch), Ok(Verdict::New));
            producers.note(batch, offset);
        }
        assert_eq!(producers.judge(&origin(1, 0, 0, 1)), Ok(Verdict::Duplicate(100)));
        assert_eq!(producers.judge(&origin(1, 0, 2, 3)), Ok(Verdict::Duplicate(107)));
        let gap = producers.judge(&origin(1, 0, 5, 5));
        assert_eq!(gap, Err(ResponseError::OutOfOrderSequenceNumber));
        assert_eq!(producers.judge(&origin(1, 0, 4, 4)), Ok(Verdict::New));
    }

    #[test]
    fn a_new_epoch_begins_at_zero_and_fences_the_old_one() {
        let mut producers = Producers::default();
        producers.note(origin(1, 0, 0, 9), 0);
        let gap = producers.judge(&origin(1, 1, 10, 10));
        assert_eq!(gap, Err(ResponseError::OutOfOrderSequenceNumber));
        producers.note(origin(1, 1, 0, 0), 10);
        let old = producers.judge(&origin(1, 0, 10, 10));
        assert_eq!(old, Err(ResponseError::InvalidProducerEpoch));
    }

    #[test]
    fn sequences_wrap() {
        let mut producers = Producers::default();
        producers.note(origin(1, 0, i32::MAX - 1, i32::MAX), 0);
        assert_eq!(producers.judge(&origin(1, 0, 0, 3)), Ok(Verdict::New));
    }

    #[test]
    fn only_so_many_are_remembered_and_the_busy_ones_stay() {
        let mut producers = Producers::default();
        for id in 0..3 * MAX_PRODUCERS as i64 {
            producers.note(origin(id, 0, 0, 0), 2 * id);
            producers.note(origin(-7, 0, id as i32, id as i32), 2 * id + 1);
            assert!(producers.known.len() <= MAX_PRODUCERS);
            assert!(producers.known.values().all(|producer| producer.batches.len() <= IN_FLIGHT));
        }
        assert!(producers.known.contains_key(&-7) && !producers.known.contains_key(&0));
    }
}
