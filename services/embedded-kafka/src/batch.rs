//! A batch of records, kept as the bytes in which it arrived: <https://kafka.apache.org/documentation/#recordbatch>

use bytes::{Bytes, BytesMut};
use kafka_protocol::{ResponseError, records::NO_PRODUCER_ID};

use super::limits::MAX_BATCH;

/// There is one broker, so the leader never changes.
pub(super) const LEADER_EPOCH: i32 = 0;

/// The positions of the fields.
mod at {
    use std::ops::Range;

    pub(super) const BASE_OFFSET: Range<usize> = 0..8;
    pub(super) const LENGTH: usize = 8;
    pub(super) const LEADER_EPOCH: Range<usize> = 12..16;
    pub(super) const MAGIC: usize = 16;
    pub(super) const CRC: usize = 17;
    pub(super) const ATTRIBUTES: usize = 21;
    pub(super) const LAST_OFFSET_DELTA: usize = 23;
    pub(super) const MAX_TIMESTAMP: usize = 35;
    pub(super) const PRODUCER_ID: usize = 43;
    pub(super) const PRODUCER_EPOCH: usize = 51;
    pub(super) const BASE_SEQUENCE: usize = 53;
    pub(super) const COUNT: usize = 57;
    pub(super) const RECORDS: usize = 61;
}

const MAGIC: u8 = 2;
/// The attribute bits of transactions, which this broker does not support.
const TRANSACTIONAL_OR_CONTROL: i16 = 0b11_0000;

/// One batch: the fields that the log needs, and its bytes.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) base: i64,
    pub(super) last: i64,
    pub(super) max_timestamp: i64,
    /// The producer's sequence numbers, if the producer is idempotent.
    pub(super) origin: Option<Origin>,
    pub(super) bytes: Bytes,
}

/// The producer of a batch, and the sequence numbers of its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) producer: i64,
    pub(super) epoch: i16,
    pub(super) first: i32,
    pub(super) last: i32,
}

impl Batch {
    /// Parses what a producer sent: exactly one valid batch. [`Batch::placed`] sets its offset in the log.
    pub(super) fn parse(bytes: Bytes) -> Result<Self, ResponseError> {
        if bytes.len() < at::RECORDS {
            return Err(ResponseError::CorruptMessage);
        }
        if bytes.len() > MAX_BATCH {
            return Err(ResponseError::MessageTooLarge);
        }
        if bytes[at::MAGIC] != MAGIC {
            return Err(ResponseError::UnsupportedForMessageFormat);
        }
        let field = Fields(&bytes);
        let length = usize::try_from(field.i32(at::LENGTH)).unwrap_or(usize::MAX);
        if bytes.len() - at::LEADER_EPOCH.start != length
            || field.i32(at::CRC).cast_unsigned() != crc32c::crc32c(&bytes[at::ATTRIBUTES..])
        {
            return Err(ResponseError::CorruptMessage);
        }
        let delta = field.i32(at::LAST_OFFSET_DELTA);
        if delta < 0
            || field.i32(at::COUNT) != delta.saturating_add(1)
            || field.i16(at::ATTRIBUTES) & TRANSACTIONAL_OR_CONTROL != 0
        {
            return Err(ResponseError::InvalidRecord);
        }
        let (producer, first) = (field.i64(at::PRODUCER_ID), field.i32(at::BASE_SEQUENCE));
        let origin = Origin {
            producer,
            epoch: field.i16(at::PRODUCER_EPOCH),
            first,
            last: first.wrapping_add(delta) & i32::MAX,
        };
        if producer != NO_PRODUCER_ID && (first < 0 || origin.epoch < 0) {
            return Err(ResponseError::InvalidRecord);
        }
        Ok(Self {
            base: 0,
            last: i64::from(delta),
            max_timestamp: field.i64(at::MAX_TIMESTAMP),
            origin: (producer != NO_PRODUCER_ID).then_some(origin),
            bytes,
        })
    }

    /// The batch at its offset in the log, copied into memory of its own: the buffer it arrived in may be much larger. The
    /// checksum does not cover the bytes that change.
    pub(super) fn placed(self, base: i64) -> Self {
        let mut bytes = BytesMut::from(&*self.bytes);
        bytes[at::BASE_OFFSET].copy_from_slice(&base.to_be_bytes());
        bytes[at::LEADER_EPOCH].copy_from_slice(&LEADER_EPOCH.to_be_bytes());
        Self { base, last: base + self.last, bytes: bytes.freeze(), ..self }
    }
}

/// Reads integers at positions that are known to exist.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const SIZE: usize>(&self, at: usize) -> [u8; SIZE] {
        let mut field = [0; SIZE];
        field.copy_from_slice(&self.0[at..at + SIZE]);
        field
    }

    fn i16(&self, at: usize) -> i16 {
        i16::from_be_bytes(self.take(at))
    }

    fn i32(&self, at: usize) -> i32 {
        i32::from_be_bytes(self.take(at))
    }

    fn i64(&self, at: usize) -> i64 {
        i64::from_be_bytes(self.take(at))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use kafka_protocol::records::{
        Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_SEQUENCE, Record,
        RecordBatchEncoder, RecordEncodeOptions, TimestampType,
    };
    use proptest::prelude::*;

    use super::*;

    /// A batch with one record of this many bytes, as a client sends it.
    pub(crate) fn sent(size: usize) -> Bytes {
        let record = Record {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
            timestamp_type: TimestampType::Creation,
            offset: 0,
            sequence: NO_SEQUENCE,
            timestamp: 1_000,
            key: None,
            value: Some(vec![0; size].into()),
            headers: Default::default(),
        };
        let mut bytes = BytesMut::new();
        let options = RecordEncodeOptions { version: 2, compression: Compression::None };
        RecordBatchEncoder::encode(&mut bytes, [&record], &options).unwrap();
        bytes.freeze()
    }

    #[test]
    fn a_place_changes_no_checksum() {
        let placed = Batch::parse(sent(10)).unwrap().placed(41);
        assert_eq!((placed.base, placed.last, placed.max_timestamp), (41, 41, 1_000));
        let again = Batch::parse(placed.bytes).unwrap();
        assert_eq!((again.max_timestamp, again.origin), (1_000, None));
    }

    #[test]
    fn every_damage_is_found() {
        let whole = sent(10);
        // The broker sets the offset and the leader epoch.
        for at in at::LENGTH..whole.len() {
            if at::LEADER_EPOCH.contains(&at) {
                continue;
            }
            let mut damaged = BytesMut::from(&*whole);
            damaged[at] ^= 0x10;
            assert!(Batch::parse(damaged.freeze()).is_err(), "byte {at}");
            assert!(Batch::parse(whole.slice(..at)).is_err(), "{at} bytes");
        }
    }

    proptest! {
        #[test]
        fn noise_is_refused(bytes: Vec<u8>) {
            prop_assert!(Batch::parse(bytes.into()).is_err());
        }
    }
}
