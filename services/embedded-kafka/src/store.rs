//! All topics, and the memory that their logs take together.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::SystemTime,
};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use parking_lot::{Mutex, RwLock};

use super::{
    batch::Batch,
    limits::{MAX_OFFSETS, MAX_PARTITIONS, MAX_TOPIC_NAME, MAX_TOPIC_PARTITIONS, MAX_TOPICS},
    log::{Committed, Log, OVERHEAD},
    settings::{Retention, Topic},
};
use embedded_limits::printable;

type Partitions = Vec<Arc<Mutex<Log>>>;

pub(super) struct Store {
    topics: RwLock<BTreeMap<String, Partitions>>,
    /// The topics that the broker starts with; they cannot be deleted.
    own: BTreeSet<String>,
    /// The bytes that all logs take together, with their limit below.
    held: AtomicUsize,
    limit: usize,
    /// The bytes that the offsets of all groups take.
    offsets: AtomicUsize,
    /// Why the store is full, with the size of the batch that did not fit.
    full: Mutex<Option<(usize, Full)>>,
}

/// Why the broker refuses new records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Full {
    /// Since when producers are refused.
    pub since: SystemTime,
    /// The topic that takes the most memory.
    pub topic: String,
    /// The group that is furthest behind in it, if any.
    pub group: Option<String>,
}

impl Store {
    /// A store that starts with these topics.
    pub(super) fn new(topics: Vec<Topic>, limit: usize) -> Self {
        let named = topics.into_iter();
        let all: BTreeMap<_, _> =
            named.map(|topic| (topic.name, logs(topic.partitions, topic.retention))).collect();
        Self {
            own: all.keys().cloned().collect(),
            topics: RwLock::new(all),
            held: 0.into(),
            limit,
            offsets: 0.into(),
            full: Mutex::default(),
        }
    }

    /// Every topic with its number of partitions.
    pub(super) fn topics(&self) -> Vec<(String, usize)> {
        let topics = self.topics.read();
        topics.iter().map(|(name, partitions)| (name.clone(), partitions.len())).collect()
    }

    pub(super) fn partitions(&self, topic: &str) -> Option<usize> {
        self.topics.read().get(topic).map(|partitions| partitions.len())
    }

    /// Creates a topic, unless the request is only to be validated.
    pub(super) fn create(
        &self,
        name: &str,
        count: usize,
        only_checked: bool,
    ) -> Result<(), ResponseError> {
        let is_legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let is_dots = name == "." || name == "..";
        if name.is_empty() || name.len() > MAX_TOPIC_NAME || is_dots || !name.chars().all(is_legal)
        {
            return Err(ResponseError::InvalidTopicException);
        }
        if !(1..=MAX_TOPIC_PARTITIONS).contains(&count) {
            return Err(ResponseError::InvalidPartitions);
        }
        let mut topics = self.topics.write();
        if topics.contains_key(name) {
            return Err(ResponseError::TopicAlreadyExists);
        }
        if topics.len() >= MAX_TOPICS || !has_room(&topics, count) {
            return Err(ResponseError::PolicyViolation);
        }
        if !only_checked {
            topics.insert(name.to_owned(), logs(count, Retention::Consumed));
        }
        Ok(())
    }

    /// Adds partitions to a topic, unless the request is only to be validated.
    pub(super) fn grow(
        &self,
        name: &str,
        count: usize,
        only_checked: bool,
    ) -> Result<(), ResponseError> {
        let mut topics = self.topics.write();
        let before = topics.get(name).ok_or(ResponseError::UnknownTopicOrPartition)?.len();
        if count <= before || count > MAX_TOPIC_PARTITIONS {
            return Err(ResponseError::InvalidPartitions);
        }
        if !has_room(&topics, count - before) {
            return Err(ResponseError::PolicyViolation);
        }
        if !only_checked && let Some(partitions) = topics.get_mut(name) {
            partitions.extend(logs(count - before, Retention::Consumed));
        }
        Ok(())
    }

    /// Deletes a topic with all its records.
    pub(super) fn delete(&self, name: &str) -> Result<(), ResponseError> {
        if self.own.contains(name) {
            return Err(ResponseError::TopicDeletionDisabled);
        }
        let deleted = self.topics.write().remove(name);
        for log in deleted.ok_or(ResponseError::UnknownTopicOrPartition)? {
            self.accounted(&mut log.lock(), Log::close);
        }
        Ok(())
    }

    /// Runs `work` on one partition.
    pub(super) fn with<T>(
        &self,
        topic: &str,
        partition: i32,
        work: impl FnOnce(&mut Log) -> T,
    ) -> Result<T, ResponseError> {
        let unknown = ResponseError::UnknownTopicOrPartition;
        let index = usize::try_from(partition).map_err(|_| unknown)?;
        let topics = self.topics.read();
        let log = topics.get(topic).and_then(|partitions| partitions.get(index)).cloned();
        drop(topics);
        Ok(work(&mut log.ok_or(unknown)?.lock()))
    }

    /// Runs `work`, which may change the partition's size, and accounts for the change.
    pub(super) fn change<T>(
        &self,
        topic: &str,
        partition: i32,
        work: impl FnOnce(&mut Log) -> T,
    ) -> Result<T, ResponseError> {
        self.with(topic, partition, |log| self.accounted(log, work))
    }

    /// Appends a producer's batch; returns its offset, and the first offset that is kept.
    pub(super) fn append(
        &self,
        topic: &str,
        partition: i32,
        records: Bytes,
    ) -> Result<(i64, i64), ResponseError> {
        // Retriable, and certainly not stored: the producer waits until a group has consumed records.
        if !self.has_room_for(records.len()) {
            return Err(ResponseError::NotEnoughReplicas);
        }
        let batch = Batch::parse(records)?;
        self.change(topic, partition, |log| Ok((log.append(batch)?, log.start())))?
    }

    fn has_room_for(&self, bytes: usize) -> bool {
        self.held.load(Relaxed) + bytes + OVERHEAD <= self.limit
    }

    /// Makes room for this many bytes: drops records that no group needs, then those that only the groups `giving_way` need,
    /// group by group. Notes the reason if there is still no room.
    pub(super) fn make_room(&self, bytes: usize, giving_way: &[String]) {
        // More than is needed now, so that not every batch has to make room.
        let is_enough = || self.has_room_for(bytes + self.limit / 16);
        let topics = self.topics.read();
        let logs = || topics.values().flatten();
        for log in logs() {
            self.accounted(&mut log.lock(), Log::trim_all);
        }
        for group in giving_way {
            if is_enough() {
                break;
            }
            for log in logs() {
                self.accounted(&mut log.lock(), |log| log.let_go(group));
            }
        }
        drop(topics);
        if !self.has_room_for(bytes) {
            self.note_full(bytes);
        }
    }

    /// Why producers are refused; `None` if they are not.
    pub(super) fn full(&self) -> Option<Full> {
        let mut full = self.full.lock();
        if full.as_ref().is_some_and(|(bytes, _)| self.has_room_for(*bytes)) {
            *full = None;
        }
        full.as_ref().map(|(_, full)| full.clone())
    }

    fn note_full(&self, bytes: usize) {
        if self.full().is_some() {
            return;
        }
        let topics = self.topics.read();
        let logs = topics.iter().flat_map(|(name, all)| all.iter().map(move |log| (name, log)));
        let Some((topic, log)) = logs.max_by_key(|(_, log)| log.lock().size()) else { return };
        let group = log.lock().slowest().map(printable);
        let full = Full { since: SystemTime::now(), topic: topic.clone(), group };
        drop(topics);
        let Full { topic, group, .. } = &full;
        tracing::warn!(topic, group, "the embedded Kafka broker is full until this group goes on");
        *self.full.lock() = Some((bytes, full));
    }

    /// Stores a group's offset. Foreign groups share a limit.
    pub(super) fn commit(
        &self,
        topic: &str,
        partition: i32,
        group: &str,
        committed: Committed,
        is_own: bool,
    ) -> Result<(), ResponseError> {
        let size = group.len() + committed.size();
        if !is_own && self.offsets.load(Relaxed) + size > MAX_OFFSETS {
            return Err(ResponseError::InvalidCommitOffsetSize);
        }
        self.change(topic, partition, |log| log.commit(group, committed))
    }

    /// Keeps a partition's present records for a group that has committed nothing there yet; returns its committed offset.
    pub(super) fn reserve(&self, topic: &str, partition: i32, group: &str) -> Option<Committed> {
        let work = |log: &mut Log| {
            log.reserve(group);
            log.committed(group).cloned()
        };
        self.change(topic, partition, work).ok().flatten()
    }

    /// Removes a group's offset in one partition.
    pub(super) fn forget(
        &self,
        topic: &str,
        partition: i32,
        group: &str,
    ) -> Result<(), ResponseError> {
        self.change(topic, partition, |log| log.release(group)).map(|_| ())
    }

    /// Removes all offsets of a group; returns whether there were any.
    pub(super) fn release(&self, group: &str) -> bool {
        let topics = self.topics.read();
        let released = topics.values().flatten();
        let released =
            released.map(|log| self.accounted(&mut log.lock(), |log| log.release(group)));
        released.fold(false, |any, one| any | one)
    }

    fn accounted<T>(&self, log: &mut Log, work: impl FnOnce(&mut Log) -> T) -> T {
        let (size, offsets) = (log.size(), log.offsets_size());
        let done = work(log);
        // Add before subtracting, so that the sum never seems to be negative.
        self.held.fetch_add(log.size(), Relaxed);
        self.held.fetch_sub(size, Relaxed);
        self.offsets.fetch_add(log.offsets_size(), Relaxed);
        self.offsets.fetch_sub(offsets, Relaxed);
        done
    }
}

fn has_room(topics: &BTreeMap<String, Partitions>, more: usize) -> bool {
    topics.values().map(Vec::len).sum::<usize>() + more <= MAX_PARTITIONS
}

fn logs(count: usize, retention: Retention) -> Partitions {
    (0..count).map(|_| Arc::new(Mutex::new(Log::new(retention)))).collect()
}

#[cfg(test)]
mod tests;
