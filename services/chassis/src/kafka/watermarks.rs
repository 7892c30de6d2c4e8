//! The high watermarks (ends of the log) of paused partitions.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::sync::CancellationToken;

/// How long to wait for the answer about one partition.
const WATERMARK_TIMEOUT: Duration = Duration::from_secs(1);

/// A topic and a partition of it.
type Id = (String, i32);

/// The last known ends of paused partitions. They are asked for, because the client learns where a log ends only by fetching.
#[derive(Debug, Default)]
pub(crate) struct HighWatermarks(Mutex<HashMap<Id, i64>>);

impl HighWatermarks {
    /// Returns how many records are not committed yet, if the end of the partition is known.
    pub(crate) fn lag(&self, topic: &str, partition: i32, committed: i64) -> Option<i64> {
        let ends = self.0.lock();
        let end = ends.get(&(topic.to_owned(), partition))?;
        (committed >= 0).then(|| (end - committed).max(0))
    }

    /// Takes the answers. A partition without a new answer keeps its old one; a partition that was not asked about is forgotten.
    fn learn(&self, asked: &HashSet<Id>, answers: impl Iterator<Item = (Id, i64)>) {
        let answers: Vec<_> = answers.collect();
        let mut ends = self.0.lock();
        ends.retain(|id, _| asked.contains(id));
        ends.extend(answers);
    }
}

/// Asks the brokers for the ends of partitions, one request at a time.
#[derive(Default)]
pub(crate) struct WatermarkPoller {
    asking: Option<JoinHandle<()>>,
    stop: CancellationToken,
}

impl WatermarkPoller {
    /// Asks where these partitions end, and forgets all others. Does nothing while the last request is running.
    pub(crate) fn ask(
        &mut self,
        consumer: &Arc<BaseConsumer<impl ConsumerContext + 'static>>,
        marks: &Arc<HighWatermarks>,
        paused: HashSet<Id>,
    ) {
        if self.asking.as_ref().is_some_and(|asking| !asking.is_finished()) {
            return;
        }
        if paused.is_empty() {
            marks.learn(&paused, std::iter::empty());
            return;
        }
        let (consumer, marks, stop) = (Arc::clone(consumer), Arc::clone(marks), self.stop.clone());
        self.asking = Some(spawn_blocking(move || {
            let wanted = paused.iter().take_while(|_| !stop.is_cancelled());
            let answers = wanted.filter_map(|(topic, partition)| {
                let (_, end) =
                    consumer.fetch_watermarks(topic, *partition, WATERMARK_TIMEOUT).ok()?;
                Some(((topic.clone(), *partition), end))
            });
            marks.learn(&paused, answers);
        }));
    }

    /// Waits until the last request has released the consumer.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        if let Some(asking) = self.asking {
            // The task does not panic.
            asking.await.ok();
        }
    }
}
