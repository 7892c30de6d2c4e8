//! One partition: its batches in order, the groups' committed offsets, and the fetches that wait for more.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Weak},
};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::sync::Notify;

use super::{
    batch::Batch,
    limits::{KEPT_BUDGET, KEPT_CONSUMED},
    producers::{Producers, Verdict},
    settings::Retention,
};

/// The memory that a batch takes beside its bytes.
pub(super) const OVERHEAD: usize = size_of::<Batch>() + 64;

/// The offset up to which a group has handled a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Committed {
    /// `None` if the group has asked where to begin and has committed nothing since.
    pub(super) offset: Option<i64>,
    pub(super) epoch: i32,
    pub(super) metadata: String,
}

impl Committed {
    /// The bytes that it takes.
    pub(super) fn size(&self) -> usize {
        size_of::<Place>() + self.metadata.len()
    }
}

/// A group's position in the partition.
struct Place {
    committed: Committed,
    /// Whether the records that it has yet to read are kept for it.
    holds: bool,
}

pub(super) struct Log {
    retention: Retention,
    batches: VecDeque<Batch>,
    start: i64,
    end: i64,
    size: usize,
    producers: Producers,
    places: BTreeMap<String, Place>,
    /// The bytes that the groups' positions take.
    offsets_size: usize,
    /// Whether the topic was deleted.
    closed: bool,
    waiting: Vec<Weak<Notify>>,
}

impl Log {
    pub(super) fn new(retention: Retention) -> Self {
        Self {
            retention,
            batches: VecDeque::new(),
            start: 0,
            end: 0,
            size: 0,
            producers: Producers::default(),
            places: BTreeMap::new(),
            offsets_size: 0,
            closed: false,
            waiting: Vec::new(),
        }
    }

    /// The first offset that is kept.
    pub(super) fn start(&self) -> i64 {
        self.start
    }

    /// The offset that the next record gets.
    pub(super) fn end(&self) -> i64 {
        self.end
    }

    /// The bytes that the batches take.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The bytes that the groups' offsets take in addition.
    pub(super) fn offsets_size(&self) -> usize {
        self.offsets_size
    }

    /// Appends a batch, unless it is a duplicate; returns its offset.
    pub(super) fn append(&mut self, batch: Batch) -> Result<i64, ResponseError> {
        if self.closed {
            return Err(ResponseError::UnknownTopicOrPartition);
        }
        if let Some(origin) = &batch.origin {
            if let Verdict::Duplicate(offset) = self.producers.judge(origin)? {
                return Ok(offset);
            }
            self.producers.note(*origin, self.end);
        }
        let batch = batch.placed(self.end);
        let base = batch.base;
        self.end = batch.last + 1;
        self.size += batch.bytes.len() + OVERHEAD;
        self.batches.push_back(batch);
        self.trim();
        for waiting in self.waiting.drain(..) {
            if let Some(waiting) = waiting.upgrade() {
                waiting.notify_one();
            }
        }
        Ok(base)
    }

    /// The batches from the one that contains `offset` on, up to `most` bytes; if `at_least_one`, the first may be larger.
    pub(super) fn read(
        &self,
        offset: i64,
        most: usize,
        at_least_one: bool,
    ) -> Result<Vec<Bytes>, ResponseError> {
        if !(self.start..=self.end).contains(&offset) {
            return Err(ResponseError::OffsetOutOfRange);
        }
        let first = self.batches.partition_point(|batch| batch.last < offset);
        let mut found = Vec::new();
        let mut size = 0;
        for batch in self.batches.range(first..) {
            if size + batch.bytes.len() > most && (size > 0 || !at_least_one) {
                break;
            }
            size += batch.bytes.len();
            found.push(batch.bytes.clone());
        }
        Ok(found)
    }

    /// Notifies `waiting` when a batch is appended.
    pub(super) fn wait(&mut self, waiting: &Arc<Notify>) {
        self.waiting.retain(|other| other.strong_count() > 0);
        if !self.waiting.iter().any(|other| other.as_ptr() == Arc::as_ptr(waiting)) {
            self.waiting.push(Arc::downgrade(waiting));
        }
    }

    /// The first batch with a record of this time or later: its offset and its latest time.
    pub(super) fn since(&self, timestamp: i64) -> Option<(i64, i64)> {
        let found = self.batches.iter().find(|batch| batch.max_timestamp >= timestamp);
        found.map(|batch| (batch.base.max(self.start), batch.max_timestamp))
    }

    /// The batch with the latest time of all: its last offset and that time.
    pub(super) fn latest(&self) -> Option<(i64, i64)> {
        let found = self.batches.iter().max_by_key(|batch| batch.max_timestamp);
        found.map(|batch| (batch.last, batch.max_timestamp))
    }

    /// A group's committed offset; `None` if it has committed nothing.
    pub(super) fn committed(&self, group: &str) -> Option<&Committed> {
        let place = self.places.get(group).map(|place| &place.committed);
        place.filter(|committed| committed.offset.is_some())
    }

    /// Stores a group's offset, and drops batches that no group needs any more.
    pub(super) fn commit(&mut self, group: &str, committed: Committed) {
        if !self.closed {
            self.put(group, committed);
            self.trim();
        }
    }

    /// Keeps the present records for a group that has committed nothing yet.
    pub(super) fn reserve(&mut self, group: &str) {
        if !self.places.contains_key(group) && !self.closed {
            self.put(group, Committed { offset: None, epoch: -1, metadata: String::new() });
        }
    }

    fn put(&mut self, group: &str, committed: Committed) {
        self.offsets_size += group.len() + committed.size();
        let before = self.places.insert(group.to_owned(), Place { committed, holds: true });
        self.offsets_size -= before.map_or(0, |place| group.len() + place.committed.size());
    }

    /// Removes a group and the records that only it still needed; returns whether it was here.
    pub(super) fn release(&mut self, group: &str) -> bool {
        let removed = self.places.remove(group);
        self.offsets_size -= removed.as_ref().map_or(0, |it| group.len() + it.committed.size());
        self.trim();
        removed.is_some()
    }

    /// Drops records that only this group still needed; its offset stays, and its next commit protects records again.
    pub(super) fn let_go(&mut self, group: &str) {
        if let Some(place) = self.places.get_mut(group) {
            place.holds = false;
            self.trim_all();
        }
    }

    /// Drops all batches before this offset, whichever group needs them.
    pub(super) fn delete_before(&mut self, offset: i64) -> Result<i64, ResponseError> {
        let offset = if offset == -1 { self.end } else { offset };
        if offset > self.end || offset < 0 {
            return Err(ResponseError::OffsetOutOfRange);
        }
        self.drop_while(|_, batch| batch.last < offset);
        self.start = self.start.max(offset);
        Ok(self.start)
    }

    /// Drops everything, for good.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.places.clear();
        self.offsets_size = 0;
        self.drop_while(|_, _| true);
    }

    /// The group with the lowest offset, among those for which records are kept.
    pub(super) fn slowest(&self) -> Option<&str> {
        let holding = self.places.iter().filter(|(_, place)| place.holds);
        let slowest = holding.min_by_key(|(_, place)| place.committed.offset.unwrap_or(self.start));
        slowest.map(|(group, _)| group.as_str())
    }

    /// The offset below which no group needs a record.
    fn needed(&self) -> i64 {
        let holding = self.places.values().filter(|place| place.holds);
        let offsets = holding.map(|place| place.committed.offset.unwrap_or(self.start));
        offsets.min().unwrap_or(i64::MAX)
    }

    fn trim(&mut self) {
        let (kept, needed) = match self.retention {
            Retention::Budget => (KEPT_BUDGET, i64::MAX),
            Retention::Consumed => (KEPT_CONSUMED, self.needed()),
        };
        self.drop_while(|log, batch| log.size > kept && batch.last < needed);
    }

    /// Drops all that no group needs: the broker has no room for more.
    pub(super) fn trim_all(&mut self) {
        if self.retention == Retention::Consumed {
            let needed = self.needed();
            self.drop_while(|_, batch| batch.last < needed);
        }
    }

    fn drop_while(&mut self, is_unneeded: impl Fn(&Self, &Batch) -> bool) {
        while let Some(oldest) = self.batches.front()
            && is_unneeded(self, oldest)
            && let Some(oldest) = self.batches.pop_front()
        {
            self.size -= oldest.bytes.len() + OVERHEAD;
            self.start = self.start.max(oldest.last + 1);
        }
    }
}

#[cfg(test)]
mod tests;
