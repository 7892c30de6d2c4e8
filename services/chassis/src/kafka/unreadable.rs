//! Finds records that the client cannot read from the log: damaged ones, or of a codec or a format that it does not know.
//!
//! The client fetches the same again and again then, and its error names no place. Another client, which is in no group, looks
//! where each partition should go on. An error that comes back at one offset, while the broker answers, will not pass.

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

/// How often the same error must come back: what was damaged on its way is whole the next time.
pub(super) const LOOKS: u32 = 3;
/// The pause between two looks at the same offset.
const PAUSE: Duration = Duration::from_millis(200);
/// How long one look waits for a record, or for anything else.
const LOOK: Duration = Duration::from_secs(2);
/// How long a broker may take to say where a partition ends.
const ASK: Duration = Duration::from_secs(1);

/// A partition that does not go on, and the offset that should come next if it is known.
pub(super) struct Suspect {
    pub(super) topic: &'static str,
    pub(super) partition: i32,
    pub(super) next: Option<i64>,
}

/// Records from one offset to before another: what became of looking at them.
pub(super) struct Finding {
    pub(super) topic: &'static str,
    pub(super) partition: i32,
    pub(super) from: i64,
    pub(super) to: i64,
    /// Why they cannot be read; nothing if they can.
    pub(super) error: Option<String>,
}

/// Whether an error is about the record, and not about the way to it.
pub(super) fn is_about_a_record(error: &KafkaError) -> bool {
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

/// Looks at suspects, one examination at a time.
pub(super) struct Examiner {
    config: ClientConfig,
    running: Option<JoinHandle<()>>,
    findings: Arc<Mutex<Vec<Finding>>>,
    stop: CancellationToken,
}

impl Examiner {
    /// With the settings of the consumer whose records it looks at.
    pub(super) fn new(mut config: ClientConfig) -> Self {
        config.set("enable.partition.eof", "true").set("statistics.interval.ms", "0");
        Self { config, running: None, findings: Arc::default(), stop: CancellationToken::new() }
    }

    /// Begins to look; does nothing while it is looking.
    pub(super) fn look(&mut self, suspects: Vec<Suspect>) {
        if suspects.is_empty() || self.is_looking() {
            return;
        }
        let (config, stop, findings) =
            (self.config.clone(), self.stop.clone(), Arc::clone(&self.findings));
        self.running = Some(spawn_blocking(move || {
            // Without a client there is nothing to find; the next examination may have one.
            let Ok(client) = config.create::<BaseConsumer>() else { return };
            let look = Look { client, stop };
            for suspect in suspects {
                let found = look.examine(&suspect);
                findings.lock().extend(found);
            }
        }));
    }

    pub(super) fn is_looking(&self) -> bool {
        self.running.as_ref().is_some_and(|running| !running.is_finished())
    }

    /// What was found since the last time.
    pub(super) fn findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut *self.findings.lock())
    }

    /// Until it looks no more.
    pub(super) async fn end(self) {
        self.stop.cancel();
        if let Some(running) = self.running {
            // It does not panic.
            running.await.ok();
        }
    }
}

struct Look {
    client: BaseConsumer,
    stop: CancellationToken,
}

/// What there is at an offset.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Record,
    End,
    Unreadable(RDKafkaErrorCode),
    /// Neither a record nor an error: what is there looks like the beginning of a record that never ends.
    Nothing,
}

impl Look {
    /// `None` if there is nothing to be read, or the broker does not say.
    fn examine(&self, suspect: &Suspect) -> Option<Finding> {
        let Suspect { topic, partition, next } = *suspect;
        let (low, end) = self.client.fetch_watermarks(topic, partition, ASK).ok()?;
        let from = next.unwrap_or(low).max(low);
        if from >= end {
            return None;
        }
        let found = |to, error| Some(Finding { topic, partition, from, to, error });
        let mut seen = Seen::Nothing;
        for look in 0..LOOKS {
            if look > 0 {
                sleep(PAUSE);
            }
            seen = self.at(topic, partition, from)?;
            if seen == Seen::Record {
                return found(from, None);
            }
        }
        let error = match seen {
            Seen::Unreadable(code) => code.to_string(),
            // The broker must have something to say of another place.
            Seen::Nothing if self.at(topic, partition, end)? == Seen::End => {
                "what is there is no whole record".into()
            }
            _ => return None,
        };
        found(self.readable(topic, partition, from, end)?, Some(error))
    }

    /// The first offset after this at which there is a record, or may be one: a batch is read as a whole or not at all, and
    /// another may follow it.
    fn readable(&self, topic: &str, partition: i32, from: i64, end: i64) -> Option<i64> {
        let mut next = from + 1;
        while next < end {
            match self.at(topic, partition, next)? {
                Seen::Record | Seen::End => break,
                Seen::Unreadable(_) | Seen::Nothing => next += 1,
            }
        }
        Some(next)
    }

    /// `None` if it should stop, or the broker does not answer.
    fn at(&self, topic: &str, partition: i32, offset: i64) -> Option<Seen> {
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition_offset(topic, partition, Offset::Offset(offset)).ok()?;
        self.client.assign(&list).ok()?;
        let deadline = Instant::now() + LOOK;
        while Instant::now() < deadline {
            if self.stop.is_cancelled() {
                return None;
            }
            match self.client.poll(Duration::from_millis(50)) {
                Some(Ok(_)) => return Some(Seen::Record),
                Some(Err(KafkaError::PartitionEOF(_))) => return Some(Seen::End),
                Some(Err(KafkaError::MessageConsumption(code)))
                    if is_about_a_record(&KafkaError::MessageConsumption(code)) =>
                {
                    return Some(Seen::Unreadable(code));
                }
                Some(Err(_)) | None => {}
            }
        }
        self.client.fetch_watermarks(topic, partition, ASK).ok()?;
        Some(Seen::Nothing)
    }
}
