//! All topics.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use parking_lot::{Mutex, RwLock};
use proto::topics;

use super::{
    batch::Batch,
    log::{Committed, Log, OVERHEAD, Retention},
};

/// A dead-letter topic is read by people, not shared by replicas.
const DEAD_LETTER_PARTITIONS: usize = 1;
/// Far more than anybody tries out; each costs memory.
const MOST_TOPICS: usize = 200;
const MOST_PARTITIONS: usize = 64;

type Partitions = Arc<[Mutex<Log>]>;

pub(super) struct Store {
    topics: RwLock<BTreeMap<String, Partitions>>,
    /// Bytes that all logs hold together, and may hold at most.
    held: AtomicUsize,
    limit: usize,
    /// Whether somebody was told that it is full.
    told: AtomicBool,
}

impl Store {
    /// With every topic of the mesh, and their dead-letter topics.
    pub(super) fn new(limit: usize) -> Self {
        let all = topics::ALL.iter().flat_map(|name| {
            let dead_letters = format!("{name}{}", topics::DEAD_LETTER_SUFFIX);
            let partitions = usize::try_from(topics::PARTITIONS).unwrap_or(1);
            [((*name).to_owned(), partitions), (dead_letters, DEAD_LETTER_PARTITIONS)]
        });
        let topics = all.map(|(name, count)| (name.clone(), partitions(&name, count))).collect();
        Self { topics: RwLock::new(topics), held: 0.into(), limit, told: false.into() }
    }

    /// Every topic with the number of its partitions.
    pub(super) fn topics(&self) -> Vec<(String, usize)> {
        let topics = self.topics.read();
        topics.iter().map(|(name, partitions)| (name.clone(), partitions.len())).collect()
    }

    pub(super) fn partitions(&self, topic: &str) -> Option<usize> {
        self.topics.read().get(topic).map(|partitions| partitions.len())
    }

    /// Adds a topic.
    pub(super) fn create(&self, name: &str, count: usize) -> Result<(), ResponseError> {
        let is_legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || name.len() > 249 || !name.chars().all(is_legal) || name == ".." {
            return Err(ResponseError::InvalidTopicException);
        }
        if !(1..=MOST_PARTITIONS).contains(&count) {
            return Err(ResponseError::InvalidPartitions);
        }
        let mut topics = self.topics.write();
        if topics.contains_key(name) {
            return Err(ResponseError::TopicAlreadyExists);
        }
        if topics.len() >= MOST_TOPICS {
            return Err(ResponseError::PolicyViolation);
        }
        topics.insert(name.to_owned(), partitions(name, count));
        Ok(())
    }

    /// Works on one partition.
    pub(super) fn with<T>(
        &self,
        topic: &str,
        partition: i32,
        work: impl FnOnce(&mut Log) -> T,
    ) -> Result<T, ResponseError> {
        let unknown = ResponseError::UnknownTopicOrPartition;
        let partitions = self.topics.read().get(topic).cloned().ok_or(unknown)?;
        let index = usize::try_from(partition).map_err(|_| unknown)?;
        Ok(work(&mut partitions.get(index).ok_or(unknown)?.lock()))
    }

    /// Appends what a producer sent; the offset it got, and the first that is kept.
    pub(super) fn append(
        &self,
        topic: &str,
        partition: i32,
        records: Bytes,
    ) -> Result<(i64, i64), ResponseError> {
        // Retriable, and surely not stored: the producer waits until somebody has consumed.
        if self.held.load(Relaxed) + records.len() + OVERHEAD > self.limit {
            self.tell_who_is_behind();
            return Err(ResponseError::NotEnoughReplicas);
        }
        self.told.store(false, Relaxed);
        let batch = Batch::parse(records)?;
        self.with(topic, partition, |log| {
            let offset = self.accounted(log, |log| log.append(batch))?;
            Ok((offset, log.start()))
        })?
    }

    /// Notes how far a group is.
    pub(super) fn commit(
        &self,
        topic: &str,
        partition: i32,
        group: &str,
        committed: Committed,
    ) -> Result<(), ResponseError> {
        self.with(topic, partition, |log| {
            self.accounted(log, |log| log.commit(group, committed));
        })
    }

    /// Forgets how far a group is; whether it was anywhere.
    pub(super) fn release(&self, group: &str) -> bool {
        let topics = self.topics.read();
        let logs = topics.values().flat_map(|partitions| partitions.iter());
        let released = logs.map(|log| self.accounted(&mut log.lock(), |log| log.release(group)));
        released.fold(false, |any, one| any | one)
    }

    /// Once each time: producers try again and again.
    fn tell_who_is_behind(&self) {
        if self.told.swap(true, Relaxed) {
            return;
        }
        let topics = self.topics.read();
        let logs = topics.iter().flat_map(|(name, all)| all.iter().map(move |log| (name, log)));
        let Some((topic, log)) = logs.max_by_key(|(_, log)| log.lock().size()) else { return };
        let group = log.lock().slowest().unwrap_or("nobody").to_owned();
        tracing::warn!(topic, group, "the embedded Kafka broker is full until this group goes on");
    }

    fn accounted<T>(&self, log: &mut Log, work: impl FnOnce(&mut Log) -> T) -> T {
        let before = log.size();
        let done = work(log);
        // Two steps, so that it never seems to be below nothing.
        self.held.fetch_add(log.size(), Relaxed);
        self.held.fetch_sub(before, Relaxed);
        done
    }
}

fn partitions(name: &str, count: usize) -> Partitions {
    let retention = if name.ends_with(topics::DEAD_LETTER_SUFFIX) {
        Retention::Budget
    } else {
        Retention::Consumed
    };
    (0..count).map(|_| Mutex::new(Log::new(retention))).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::batch::tests::sent, *};

    const SIZE: usize = 100_000;

    #[test]
    fn beyond_the_limit_the_new_is_refused_and_not_the_unread_forgotten() {
        let store = Store::new(20 * SIZE);
        let topic = topics::ORDERS.name;
        store.with(topic, 0, |log| log.reserve("slow")).unwrap();
        let stored = (0..100).take_while(|_| store.append(topic, 0, sent(SIZE)).is_ok()).count();
        assert_eq!(stored, 19);
        assert_eq!(store.append(topic, 1, sent(SIZE)), Err(ResponseError::NotEnoughReplicas));
        let committed = Committed { offset: Some(19), epoch: 0, metadata: String::new() };
        store.commit(topic, 0, "slow", committed).unwrap();
        assert_eq!(store.append(topic, 1, sent(SIZE)), Ok((0, 0)));
        let held: usize =
            (0..3).map(|index| store.with(topic, index, |log| log.size()).unwrap()).sum();
        assert_eq!(store.held.load(Relaxed), held);
    }
}
