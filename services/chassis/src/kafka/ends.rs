//! The ends of partitions that are paused.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::poll::Ears;

/// How long to wait for each answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// A topic and a partition of it.
type Id = (String, i32);

/// The last known ends of paused partitions. They are asked for, because the client learns where a log ends only by fetching.
#[derive(Debug, Default)]
pub(super) struct Ends(Mutex<HashMap<Id, i64>>);

impl Ends {
    /// Returns how many records are not committed yet, if the end of the partition is known.
    pub(super) fn lag(&self, topic: &str, partition: i32, committed: i64) -> Option<i64> {
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
pub(super) struct Surveyor {
    asking: Option<JoinHandle<()>>,
    stop: CancellationToken,
}

impl Surveyor {
    /// Asks where these partitions end, and forgets all others. Does nothing while the last request is running.
    pub(super) fn ask(&mut self, consumer: &Arc<BaseConsumer<Ears>>, paused: HashSet<Id>) {
        if self.asking.as_ref().is_some_and(|asking| !asking.is_finished()) {
            return;
        }
        if paused.is_empty() {
            consumer.context().ends.learn(&paused, std::iter::empty());
            return;
        }
        let (consumer, stop) = (Arc::clone(consumer), self.stop.clone());
        self.asking = Some(spawn_blocking(move || {
            let wanted = paused.iter().take_while(|_| !stop.is_cancelled());
            let answers = wanted.filter_map(|(topic, partition)| {
                let (_, end) = consumer.fetch_watermarks(topic, *partition, PATIENCE).ok()?;
                Some(((topic.clone(), *partition), end))
            });
            consumer.context().ends.learn(&paused, answers);
        }));
    }

    /// Waits until the last request has released the consumer.
    pub(super) async fn end(self) {
        self.stop.cancel();
        if let Some(asking) = self.asking {
            // The task does not panic.
            asking.await.ok();
        }
    }
}
