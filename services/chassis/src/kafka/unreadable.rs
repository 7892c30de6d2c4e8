//! Finds records that the client cannot read from the log: damaged ones, or in a codec or a format that it does not know.
//!
//! The client then fetches the same records again and again, and its error does not name their offset. A second client, which is
//! in no group, reads at the offset where each partition should continue. An error that recurs there while the broker answers is
//! permanent.

use std::{sync::Arc, thread::sleep, time::Duration};

use parking_lot::Mutex;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    types::RDKafkaErrorCode,
};
use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// How often the same error must occur: a record that was damaged in transit is whole the next time.
pub(crate) const READ_ATTEMPTS: u32 = 3;
/// The pause between two attempts to read at the same offset.
const READ_PAUSE: Duration = Duration::from_millis(200);
/// How long one attempt waits for a record, an error or the end of the partition.
const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a broker may take to say where a partition ends.
const WATERMARK_TIMEOUT: Duration = Duration::from_secs(1);

/// A partition that makes no progress, and the offset that should come next, if it is known.
pub(crate) struct Suspect {
    pub(crate) topic: &'static str,
    pub(crate) partition: i32,
    pub(crate) next: Option<i64>,
}

/// The result of examining a partition: the records from one offset to before another.
pub(crate) struct Finding {
    pub(crate) topic: &'static str,
    pub(crate) partition: i32,
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// Why they cannot be read; `None` if they can.
    pub(crate) error: Option<String>,
}

/// Whether an error is about a record, and not about the connection or the group.
pub(crate) fn is_about_a_record(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    let KafkaError::MessageConsumption(code) = error else { return false };
    matches!(
        code,
        Code::BadMessage
            | Code::BadCompression
            | Code::NotImplemented
            | Code::InvalidMessage
            | Code::InvalidMessageSize
            | Code::MessageSizeTooLarge
            | Code::UnsupportedForMessageFormat
            | Code::UnsupportedCompressionType
    )
}

/// Examines suspects, one after the other, in a thread of its own.
pub(crate) struct Examiner {
    config: ClientConfig,
    running: Option<JoinHandle<()>>,
    findings: Arc<Mutex<Vec<Finding>>>,
    stop: CancellationToken,
}

impl Examiner {
    /// Takes the settings of the consumer whose records it examines.
    pub(crate) fn new(mut config: ClientConfig) -> Self {
        config.set("enable.partition.eof", "true").set("statistics.interval.ms", "0");
        Self { config, running: None, findings: Arc::default(), stop: CancellationToken::new() }
    }

    /// Begins an examination. Does nothing while one is running.
    pub(crate) fn examine(&mut self, suspects: Vec<Suspect>) {
        if suspects.is_empty() || self.is_running() {
            return;
        }
        let (config, stop, findings) =
            (self.config.clone(), self.stop.clone(), Arc::clone(&self.findings));
        self.running = Some(spawn_blocking(move || {
            // Without a client nothing can be found. The next examination tries again.
            let Ok(client) = config.create::<BaseConsumer>() else { return };
            let examination = Examination { client, stop };
            for suspect in suspects {
                let found = examination.examine(&suspect);
                findings.lock().extend(found);
            }
        }));
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.as_ref().is_some_and(|running| !running.is_finished())
    }

    /// Returns what was found since the last call.
    pub(crate) fn findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut *self.findings.lock())
    }

    /// Waits until the examination has stopped.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        if let Some(running) = self.running {
            // The task does not panic.
            running.await.ok();
        }
    }
}

struct Examination {
    client: BaseConsumer,
    stop: CancellationToken,
}

/// What the client delivered at an offset.
#[derive(Debug, PartialEq, Eq)]
enum ReadResult {
    Record,
    End,
    Unreadable(RDKafkaErrorCode),
    /// Neither a record nor an error: the log has the beginning of a record that never ends.
    Nothing,
}

impl Examination {
    /// Examines a partition. Returns `None` if it has no record to read, or the broker does not answer.
    fn examine(&self, suspect: &Suspect) -> Option<Finding> {
        let Suspect { topic, partition, next } = *suspect;
        let (low, end) = self.client.fetch_watermarks(topic, partition, WATERMARK_TIMEOUT).ok()?;
        let from = next.unwrap_or(low).max(low);
        if from >= end {
            return None;
        }
        let found = |to, error| Some(Finding { topic, partition, from, to, error });
        let mut result = ReadResult::Nothing;
        for attempt in 0..READ_ATTEMPTS {
            if attempt > 0 {
                sleep(READ_PAUSE);
            }
            result = self.read_at(topic, partition, from)?;
            if result == ReadResult::Record {
                return found(from, None);
            }
        }
        let error = match result {
            ReadResult::Unreadable(code) => code.to_string(),
            // Only if the broker answers at another offset is the silence due to the record.
            ReadResult::Nothing if self.read_at(topic, partition, end)? == ReadResult::End => {
                "the log has no complete record at this offset".into()
            }
            _ => return None,
        };
        found(self.readable(topic, partition, from, end)?, Some(error))
    }

    /// Returns the next offset at which a record can be read, or may be: a batch is read as a whole or not at all, and another
    /// one may follow it.
    fn readable(&self, topic: &str, partition: i32, from: i64, end: i64) -> Option<i64> {
        let mut next = from + 1;
        while next < end {
            match self.read_at(topic, partition, next)? {
                ReadResult::Record | ReadResult::End => break,
                ReadResult::Unreadable(_) | ReadResult::Nothing => next += 1,
            }
        }
        Some(next)
    }

    /// Reads at an offset. Returns `None` if it should stop, or the broker does not answer.
    fn read_at(&self, topic: &str, partition: i32, offset: i64) -> Option<ReadResult> {
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition_offset(topic, partition, Offset::Offset(offset)).ok()?;
        self.client.assign(&list).ok()?;
        let deadline = Instant::now() + READ_TIMEOUT;
        while Instant::now() < deadline {
            if self.stop.is_cancelled() {
                return None;
            }
            match self.client.poll(Duration::from_millis(50)) {
                Some(Ok(_)) => return Some(ReadResult::Record),
                Some(Err(KafkaError::PartitionEOF(_))) => return Some(ReadResult::End),
                Some(Err(KafkaError::MessageConsumption(code)))
                    if is_about_a_record(&KafkaError::MessageConsumption(code)) =>
                {
                    return Some(ReadResult::Unreadable(code));
                }
                Some(Err(_)) | None => {}
            }
        }
        self.client.fetch_watermarks(topic, partition, WATERMARK_TIMEOUT).ok()?;
        Some(ReadResult::Nothing)
    }
}
