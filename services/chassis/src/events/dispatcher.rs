//! Decides when each record is handled: those of one key one after the other, different keys concurrently. Stores in the client
//! each partition's low-water mark; the client commits it.

mod hand_over;
mod poison;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Arc, mpsc as sync},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    error::KafkaResult,
};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use self::poison::Refused;
use super::{
    CommittedOffsets,
    partition::{InFlight, Partition, Work},
    subscription::Subscription,
};
use crate::kafka::{
    Settings,
    health::Health,
    poll::{ConsumerCallbacks, Input},
    record::Record,
    unreadable::Examiner,
    watermarks::WatermarkPoller,
};

/// How often the gauges are updated, partitions without progress are examined, and the high watermarks of paused partitions are
/// polled.
const UPDATE_INTERVAL: Duration = Duration::from_secs(1);

type Id = (&'static str, i32);

/// The subscriptions of a consumer, by topic.
pub(super) type Subscriptions = HashMap<&'static str, Arc<dyn Subscription>>;

pub(super) struct Dispatcher {
    consumer: Arc<BaseConsumer<ConsumerCallbacks>>,
    subscriptions: Subscriptions,
    settings: Settings,
    health: Health,
    draining: CancellationToken,
    partitions: HashMap<Id, Partition>,
    tasks: JoinSet<Finished>,
    leaving: Vec<HandOver>,
    /// Handlers of partitions that left: they were aborted and have not ended yet. A handler ends at its next await.
    ending: HashMap<Id, InFlight>,
    update_at: Instant,
    watermark_poller: WatermarkPoller,
    examiner: Examiner,
    refused: Option<Refused>,
    committed: CommittedOffsets,
}

struct Finished {
    id: Id,
    key: u64,
    offsets: Vec<i64>,
}

/// Partitions that are being handed over; the poll thread waits for the answer.
struct HandOver {
    ids: Vec<Id>,
    until: Instant,
    answer: sync::Sender<()>,
}

impl Dispatcher {
    pub(super) fn new(
        consumer: Arc<BaseConsumer<ConsumerCallbacks>>,
        subscriptions: Subscriptions,
        settings: Settings,
        health: Health,
        draining: CancellationToken,
        committed: CommittedOffsets,
    ) -> Self {
        let examiner = Examiner::new(settings.consumer(consumer.context().group));
        Self {
            consumer,
            subscriptions,
            settings,
            health,
            draining,
            partitions: HashMap::new(),
            tasks: JoinSet::new(),
            leaving: Vec::new(),
            ending: HashMap::new(),
            update_at: Instant::now(),
            watermark_poller: WatermarkPoller::default(),
            examiner,
            refused: None,
            committed,
        }
    }

    /// Dispatches until the drain, then until nothing is in flight, for at most `grace`.
    pub(super) async fn run(mut self, inputs: &mut mpsc::Receiver<Input>, grace: Duration) {
        let draining = self.draining.clone();
        let mut deadline = None;
        loop {
            if deadline.is_some() && self.partitions.values().all(Partition::is_idle) {
                break;
            }
            let next = self.next_due(deadline);
            tokio::select! {
                Some(done) = self.tasks.join_next() => match done {
                    Ok(finished) => self.finished(finished),
                    Err(error) if error.is_panic() => tracing::error!(error = %error, "a partition is stuck"),
                    Err(_) => {}
                },
                input = inputs.recv() => match input {
                    Some(input) => self.input(input),
                    None => break,
                },
                () = sleep_until(next) => {
                    if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                        tracing::warn!("what is in flight took too long and will be delivered again");
                        break;
                    }
                    self.due();
                }
                () = draining.cancelled(), if deadline.is_none() => {
                    deadline = Some(Instant::now() + grace);
                    self.stop_all();
                }
            }
        }
        self.partitions.values_mut().for_each(Partition::abort);
        self.watermark_poller.end().await;
        self.examiner.end().await;
    }

    fn next_due(&self, deadline: Option<Instant>) -> Instant {
        let batches = self.partitions.values().filter_map(|partition| self.batch_due(partition));
        let leaving = self.leaving.iter().map(|hand_over| hand_over.until);
        batches.chain(leaving).chain(deadline).fold(self.update_at, Instant::min)
    }

    fn batch_due(&self, partition: &Partition) -> Option<Instant> {
        partition.batch_due(self.settings.batch, self.settings.batch_wait)
    }

    fn input(&mut self, input: Input) {
        match input {
            Input::Record(record) => self.record(record),
            Input::Assigned(partitions) => self.assign(&partitions),
            Input::Revoked { partitions, lost, answer } => self.revoke(&partitions, lost, answer),
            Input::Refused(error) => self.refused(error),
            Input::Committed(positions) => {
                for (topic, partition, offset) in positions {
                    self.committed(&topic, partition, offset);
                }
            }
        }
    }

    fn assign(&mut self, partitions: &[(String, i32, Option<i64>)]) {
        let ids = partitions.iter().filter_map(|(topic, partition, _)| self.id(topic, *partition));
        let ids: Vec<_> = ids.collect();
        self.end_hand_over_of(&ids);
        for (topic, number, start) in partitions {
            let Some(subscription) = self.subscriptions.get(topic.as_str()).map(Arc::clone) else {
                continue;
            };
            let id = (subscription.context().topic, *number);
            self.committed.set(topic, *number, start.unwrap_or(-1));
            let mut partition = Partition::new(subscription, self.draining.child_token(), *start);
            partition.inherit(self.ending.remove(&id).unwrap_or_default());
            self.partitions.insert(id, partition);
        }
        self.share();
    }

    fn record(&mut self, record: Record) {
        let Some(id) = self.id(&record.topic, record.partition) else { return };
        self.skipped_by_client(id, record.offset);
        let Some(partition) = self.partitions.get_mut(&id) else { return };
        // The partition moves, or the process stops.
        if partition.cancel.is_cancelled() {
            return;
        }
        let offset = record.offset;
        let gap = partition.take(record);
        if gap > 0 {
            partition.subscription.context().metrics.gaps.inc_by(gap.unsigned_abs());
            tracing::error!(
                topic = id.0,
                partition = id.1,
                offset,
                records = gap,
                "records were dropped before they were read"
            );
        }
        self.fill(id);
        self.store(id);
        self.throttle(id);
    }

    /// Shares the records that may be in flight evenly among the partitions.
    fn share(&mut self) {
        let each = self.settings.concurrency / self.partitions.len().max(1);
        self.partitions.values_mut().for_each(|partition| partition.limit(each));
        let ids: Vec<_> = self.partitions.keys().copied().collect();
        for id in ids {
            self.fill(id);
            self.throttle(id);
        }
    }

    fn fill(&mut self, id: Id) {
        while let Some(work) = self.partitions.get_mut(&id).and_then(Partition::next) {
            self.start(id, work);
        }
    }

    /// Takes the offset that the group has committed for a partition. The client commits a stored offset only if it is higher.
    /// When the log began anew, its offsets are lower, and the first of them is committed here.
    fn committed(&mut self, topic: &str, partition: i32, offset: i64) {
        let Some(id) = self.id(topic, partition) else { return };
        let Some(owned) = self.partitions.get(&id) else { return };
        self.committed.set(topic, partition, offset);
        let Some(low) = owned.low_water().filter(|low| *low < offset) else { return };
        let committed =
            position(id, low).and_then(|one| self.consumer.commit(&one, CommitMode::Async));
        if let Err(error) = committed {
            tracing::warn!(topic, partition, offset = low, error = %error, "the offset was not committed, trying again");
        }
    }

    /// Stores a partition's low-water mark in the client, if it has changed. The client commits it within its interval, before the
    /// partition moves, and before it leaves the group.
    fn store(&mut self, id: Id) {
        let Some(partition) = self.partitions.get_mut(&id) else { return };
        let Some(low) = partition.take_unstored() else { return };
        let stored = position(id, low).and_then(|one| self.consumer.store_offsets(&one));
        if let Err(error) = stored {
            // The partition has moved, and this process does not know it yet.
            tracing::debug!(topic = id.0, partition = id.1, offset = low, error = %error, "the offset was not stored");
        }
    }

    fn id(&self, topic: &str, partition: i32) -> Option<Id> {
        self.subscriptions.get(topic).map(|subscription| (subscription.context().topic, partition))
    }

    fn start(&mut self, id: Id, work: Work) {
        let Some(partition) = self.partitions.get_mut(&id) else { return };
        let key = work.key;
        let process =
            Arc::clone(&partition.subscription).process(work.records, partition.cancel.clone());
        self.spawn(id, key, process);
    }

    /// Runs a handler until it ends or is aborted. In both cases a `Finished` says that it ended.
    fn spawn(
        &mut self,
        id: Id,
        key: u64,
        process: impl Future<Output = Vec<i64>> + Send + 'static,
    ) {
        let Some(partition) = self.partitions.get_mut(&id) else { return };
        let abort = partition.started(key);
        self.tasks.spawn(async move {
            let offsets = tokio::select! {
                biased;
                () = abort.cancelled() => Vec::new(),
                offsets = process => offsets,
            };
            Finished { id, key, offsets }
        });
    }

    fn finished(&mut self, Finished { id, key, offsets }: Finished) {
        if let Some(in_flight) = self.ending.get_mut(&id) {
            in_flight.remove(&key);
            if in_flight.is_empty() {
                self.ending.remove(&id);
            }
            return;
        }
        let Some(partition) = self.partitions.get_mut(&id) else { return };
        partition.finish(key, &offsets);
        self.fill(id);
        self.store(id);
        self.throttle(id);
        self.hand_over();
    }

    /// Pauses or resumes fetching a partition. Both calls only notify the client's own thread, so they do not block.
    fn throttle(&mut self, id: Id) {
        let Some(partition) = self.partitions.get_mut(&id) else { return };
        let full = partition.is_full();
        if full == partition.paused || partition.cancel.is_cancelled() {
            return;
        }
        let mut one = TopicPartitionList::with_capacity(1);
        one.add_partition(id.0, id.1);
        let result = if full { self.consumer.pause(&one) } else { self.consumer.resume(&one) };
        match result {
            Ok(()) => partition.paused = full,
            Err(error) => {
                tracing::warn!(topic = id.0, partition = id.1, error = %error, "pause or resume failed")
            }
        }
    }

    fn due(&mut self) {
        let now = Instant::now();
        if self.update_at <= now {
            self.update_oldest_age();
            self.examine();
            self.check_progress();
            let paused = self.partitions.iter().filter(|(_, partition)| partition.paused);
            let paused = paused.map(|((topic, partition), _)| ((*topic).to_owned(), *partition));
            let watermarks = &self.consumer.context().watermarks;
            self.watermark_poller.ask(&self.consumer, watermarks, paused.collect());
            self.update_at = now + UPDATE_INTERVAL;
        }
        let ready = |partition: &Partition| self.batch_due(partition).is_some_and(|due| due <= now);
        let ids = self.partitions.iter().filter(|(_, partition)| ready(partition));
        let ids: Vec<_> = ids.map(|(id, _)| *id).collect();
        for id in ids {
            let partition = self.partitions.get_mut(&id);
            if let Some(work) = partition.and_then(|one| one.batch(self.settings.batch)) {
                self.start(id, work);
            }
        }
        self.hand_over();
    }

    fn update_oldest_age(&self) {
        let now =
            SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
        for (topic, subscription) in &self.subscriptions {
            let own = self.partitions.iter().filter(|((of, _), _)| of == topic);
            let oldest = own.filter_map(|(_, partition)| partition.oldest_ms()).min();
            let age = oldest.map_or(0, |oldest| (now - oldest).max(0));
            subscription.context().metrics.oldest_age.set(age as f64 / 1000.0);
        }
    }
}

/// A list with one partition and its offset, as the client takes it.
fn position((topic, partition): Id, offset: i64) -> KafkaResult<TopicPartitionList> {
    let mut one = TopicPartitionList::with_capacity(1);
    one.add_partition_offset(topic, partition, Offset::Offset(offset))?;
    Ok(one)
}
