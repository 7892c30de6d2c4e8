//! Reads one partition from its end backwards, within limits.
//!
//! Kafka only reads forwards. So a window before the end is read, then a larger one before that, until the partition begins or a
//! limit is reached: what is left out is always the oldest. A window that is not read in time is left out as a whole.

use std::{collections::VecDeque, ops::Range, time::Duration};

use chassis::{Error, Kind};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::BorrowedMessage,
};
use tokio::time::Instant;

use crate::{
    client::{Reader, unavailable},
    connection::ConnectionErrors,
    record::Record,
};

/// How much of the topics is read, and kept.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The records that are read.
    pub records: usize,
    /// The bytes of these, of their keys and payloads.
    pub bytes: usize,
    /// The records that are kept.
    pub kept_records: usize,
    /// The memory for these, in bytes.
    pub kept_bytes: usize,
    /// How long it may take; `None`: as long as records come.
    pub time: Option<Duration>,
}

impl Limits {
    /// Reads everything.
    pub const NONE: Self = Self {
        records: usize::MAX,
        bytes: usize::MAX,
        kept_records: usize::MAX,
        kept_bytes: usize::MAX,
        time: None,
    };
}

/// What is left of the limits.
pub(crate) struct Budget {
    left: Limits,
    end: Option<Instant>,
}

impl Budget {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { left: limits, end: limits.time.map(|time| Instant::now() + time) }
    }

    fn is_late(&self) -> bool {
        self.end.is_some_and(|end| Instant::now() >= end)
    }

    fn is_spent(&self) -> bool {
        let Limits { records, bytes, kept_records, kept_bytes, .. } = self.left;
        records == 0 || bytes == 0 || kept_records == 0 || kept_bytes == 0 || self.is_late()
    }

    fn read(&mut self, message: &BorrowedMessage<'_>) {
        self.left.records = self.left.records.saturating_sub(1);
        let bytes = message.payload_len() + message.key_len();
        self.left.bytes = self.left.bytes.saturating_sub(bytes);
    }

    /// Takes the newest records of a window that fit; returns whether all do.
    fn keep(&mut self, window: &mut VecDeque<Record>, is_over: bool) -> bool {
        let mut size: usize = window.iter().map(Record::size).sum();
        let mut all = true;
        while size > self.left.kept_bytes || window.len() > self.left.kept_records {
            let Some(oldest) = window.pop_front() else { break };
            size -= oldest.size();
            all = false;
        }
        if is_over {
            self.left.kept_records -= window.len();
            self.left.kept_bytes = if all { self.left.kept_bytes - size } else { 0 };
        }
        all
    }
}

/// What was read of one partition.
pub(crate) struct Scanned {
    /// What was kept, oldest first.
    pub(crate) records: Vec<Record>,
    /// The offset from which on everything was read.
    pub(crate) from: i64,
    /// The first and the next offset of the partition.
    pub(crate) retained: Range<i64>,
}

impl Scanned {
    /// Whether the partition was read from its beginning.
    pub(crate) fn is_complete(&self) -> bool {
        self.from <= self.retained.start
    }
}

/// The records of the first window, and of the largest one.
const WINDOWS: Range<i64> = 256..8_192;

impl Reader {
    /// Reads a partition from its present end backwards, and keeps the records that `keeps` returns.
    pub(crate) fn scan(
        &self,
        topic: &str,
        partition: i32,
        budget: &mut Budget,
        keeps: impl Fn(&BorrowedMessage<'_>) -> bool,
    ) -> Result<Scanned, Error> {
        let (low, high) = self
            .consumer
            .fetch_watermarks(topic, partition, self.client.timeout())
            .map_err(unavailable("no watermarks"))?;
        let mut scanned = Scanned { records: Vec::new(), from: high, retained: low..high };
        let mut size = WINDOWS.start;
        while scanned.from > low && !budget.is_spent() {
            let most = i64::try_from(budget.left.records).unwrap_or(i64::MAX);
            let start = (scanned.from - size.min(most)).max(low);
            let window = start..scanned.from;
            let (kept, all) = self.window(topic, partition, window, budget, &keeps)?;
            if !all {
                scanned.from = kept.front().map_or(scanned.from, |first| first.place.offset);
            }
            scanned.records.splice(0..0, kept);
            if !all {
                break;
            }
            (scanned.from, size) = (start, (size * 2).min(WINDOWS.end));
        }
        Ok(scanned)
    }

    /// Reads one window; also returns whether all of it was read and kept.
    fn window(
        &self,
        topic: &str,
        partition: i32,
        window: Range<i64>,
        budget: &mut Budget,
        keeps: &impl Fn(&BorrowedMessage<'_>) -> bool,
    ) -> Result<(VecDeque<Record>, bool), Error> {
        self.assign(topic, partition, window.start)?;
        let (mut kept, mut all) = (VecDeque::new(), true);
        let mut silence = Silence::new(self.client.timeout());
        loop {
            match silence.next(&self.consumer, budget.end)? {
                Next::End => break,
                Next::Late => return Ok((VecDeque::new(), false)),
                Next::Record(message) if message.offset() >= window.end => break,
                Next::Record(message) => {
                    budget.read(&message);
                    if budget.is_late() {
                        return Ok((VecDeque::new(), false));
                    }
                    if keeps(&message) {
                        kept.push_back(Record::new(&message));
                        all &= budget.keep(&mut kept, false);
                    }
                    if message.offset() + 1 >= window.end {
                        break;
                    }
                }
            }
        }
        all &= budget.keep(&mut kept, true);
        Ok((kept, all))
    }

    /// Reads the first record from an offset on; `None` if there is none.
    pub(crate) fn first(
        &self,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<Option<Record>, Error> {
        self.assign(topic, partition, offset)?;
        let end = Instant::now() + self.client.timeout();
        let next = Silence::new(self.client.timeout()).next(&self.consumer, Some(end))?;
        Ok(match next {
            Next::Record(message) => Some(Record::new(&message)),
            Next::End | Next::Late => None,
        })
    }

    fn assign(&self, topic: &str, partition: i32, offset: i64) -> Result<(), Error> {
        let mut assignment = TopicPartitionList::new();
        assignment
            .add_partition_offset(topic, partition, Offset::Offset(offset))
            .and_then(|()| self.consumer.assign(&assignment))
            .map_err(unavailable("the partition cannot be read"))
    }
}

enum Next<'a> {
    Record(BorrowedMessage<'a>),
    /// The partition has no more records.
    End,
    /// The time is over.
    Late,
}

/// Waits for records, and gives up when none has come for long.
struct Silence {
    patience: Duration,
    end: Instant,
}

impl Silence {
    fn new(patience: Duration) -> Self {
        Self { patience, end: Instant::now() + patience }
    }

    fn next<'a>(
        &mut self,
        consumer: &'a BaseConsumer<ConnectionErrors>,
        end: Option<Instant>,
    ) -> Result<Next<'a>, Error> {
        loop {
            match consumer.poll(Duration::from_millis(20)) {
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(Next::End),
                Some(Ok(message)) => {
                    self.end = Instant::now() + self.patience;
                    return Ok(Next::Record(message));
                }
                // Connections may fail for a moment: an error is returned only when no record has come for long.
                Some(Err(error)) if Instant::now() >= self.end => {
                    return Err(unavailable("no record can be read")(error));
                }
                None if Instant::now() >= self.end => {
                    let text = format!("nothing came for {} s", self.patience.as_secs());
                    return Err(Error::new(Kind::Unavailable, text).reason("KAFKA_UNAVAILABLE"));
                }
                Some(Err(_)) | None if end.is_some_and(|end| Instant::now() >= end) => {
                    return Ok(Next::Late);
                }
                Some(Err(_)) | None => {}
            }
        }
    }
}
