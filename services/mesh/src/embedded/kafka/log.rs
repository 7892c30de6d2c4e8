//! One partition: its batches in order, who has read how far, and who waits for more.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Weak},
};

use bytes::{Bytes, BytesMut};
use kafka_protocol::ResponseError;
use tokio::sync::Notify;

use super::{
    batch::Batch,
    producers::{Producers, Verdict},
};

/// What a partition keeps although all its groups are beyond it, for whoever comes later.
const KEPT: usize = 1 << 20;
/// What a dead-letter topic keeps: no group reads it, people do.
const KEPT_DEAD_LETTERS: usize = 16 << 20;
/// What is kept beside the bytes of a batch.
pub(super) const OVERHEAD: usize = size_of::<Batch>() + 64;

/// When the oldest batch may be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retention {
    /// Once every group that reads the partition has committed beyond it.
    Consumed,
    /// Whoever reads it.
    Budget,
}

/// Up to where a group has handled a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Committed {
    /// `None` if the group asked where to begin, and has handled nothing since.
    pub(super) offset: Option<i64>,
    pub(super) epoch: i32,
    pub(super) metadata: String,
}

pub(super) struct Log {
    retention: Retention,
    batches: VecDeque<Batch>,
    start: i64,
    end: i64,
    size: usize,
    producers: Producers,
    committed: BTreeMap<String, Committed>,
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
            committed: BTreeMap::new(),
            waiting: Vec::new(),
        }
    }

    /// The first offset that is kept.
    pub(super) fn start(&self) -> i64 {
        self.start
    }

    /// The next offset to be given.
    pub(super) fn end(&self) -> i64 {
        self.end
    }

    /// Bytes that are held.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Puts a batch at the end, unless it is there already; its offset.
    pub(super) fn append(&mut self, batch: Batch) -> Result<i64, ResponseError> {
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

    /// The batches from the one that holds `offset` on, as many as fit into `most` bytes; one more than fits if `at_least_one`.
    pub(super) fn read(
        &self,
        offset: i64,
        most: usize,
        at_least_one: bool,
    ) -> Result<Bytes, ResponseError> {
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
            found.push(&batch.bytes);
        }
        if let [one] = found[..] {
            return Ok(one.clone());
        }
        let mut all = BytesMut::with_capacity(size);
        found.into_iter().for_each(|bytes| all.extend_from_slice(bytes));
        Ok(all.freeze())
    }

    /// Wakes this one when there is more.
    pub(super) fn wait(&mut self, waiting: &Arc<Notify>) {
        self.waiting.retain(|other| other.strong_count() > 0);
        if !self.waiting.iter().any(|other| other.as_ptr() == Arc::as_ptr(waiting)) {
            self.waiting.push(Arc::downgrade(waiting));
        }
    }

    /// The first batch that reaches this time: its offset and its latest time.
    pub(super) fn since(&self, timestamp: i64) -> Option<(i64, i64)> {
        let found = self.batches.iter().find(|batch| batch.max_timestamp >= timestamp);
        found.map(|batch| (batch.base.max(self.start), batch.max_timestamp))
    }

    /// The batch with the latest time of all.
    pub(super) fn latest(&self) -> Option<(i64, i64)> {
        let found = self.batches.iter().max_by_key(|batch| batch.max_timestamp);
        found.map(|batch| (batch.last, batch.max_timestamp))
    }

    /// Up to where a group is.
    pub(super) fn committed(&self, group: &str) -> Option<&Committed> {
        self.committed.get(group).filter(|committed| committed.offset.is_some())
    }

    /// Notes up to where a group is, and forgets what no group needs any more.
    pub(super) fn commit(&mut self, group: &str, committed: Committed) {
        self.committed.insert(group.to_owned(), committed);
        self.trim();
    }

    /// Keeps for a group what is here, before it has committed anything.
    pub(super) fn reserve(&mut self, group: &str) {
        if !self.committed.contains_key(group) {
            let nothing = Committed { offset: None, epoch: -1, metadata: String::new() };
            self.committed.insert(group.to_owned(), nothing);
        }
    }

    /// Forgets a group, and what only it still needed; whether it was here.
    pub(super) fn release(&mut self, group: &str) -> bool {
        let was_here = self.committed.remove(group).is_some();
        self.trim();
        was_here
    }

    /// The group that is furthest behind.
    pub(super) fn slowest(&self) -> Option<&str> {
        let slowest = self.committed.iter().min_by_key(|(_, one)| one.offset.unwrap_or(self.start));
        slowest.map(|(group, _)| group.as_str())
    }

    fn trim(&mut self) {
        let (kept, needed) = match self.retention {
            Retention::Budget => (KEPT_DEAD_LETTERS, i64::MAX),
            Retention::Consumed => {
                let offsets = self.committed.values().map(|one| one.offset.unwrap_or(self.start));
                (KEPT, offsets.min().unwrap_or(i64::MAX))
            }
        };
        while self.size > kept
            && let Some(oldest) = self.batches.pop_front_if(|batch| batch.last < needed)
        {
            self.size -= oldest.bytes.len() + OVERHEAD;
            self.start = oldest.last + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::batch::tests::sent, *};

    /// Each about a tenth of what is kept.
    const SIZE: usize = KEPT / 10;

    fn filled(retention: Retention, count: i64) -> Log {
        let mut log = Log::new(retention);
        fill(&mut log, count);
        log
    }

    fn fill(log: &mut Log, count: i64) {
        for _ in 0..count {
            log.append(Batch::parse(sent(SIZE)).unwrap()).unwrap();
        }
    }

    fn commit(log: &mut Log, group: &str, offset: i64) {
        let committed = Committed { offset: Some(offset), epoch: 0, metadata: String::new() };
        log.commit(group, committed);
    }

    #[test]
    fn what_a_group_has_yet_to_read_is_kept() {
        let mut log = Log::new(Retention::Consumed);
        commit(&mut log, "slow", 0);
        commit(&mut log, "quick", 0);
        fill(&mut log, 50);
        commit(&mut log, "quick", 50);
        assert_eq!((log.start(), log.end()), (0, 50));
        commit(&mut log, "slow", 20);
        assert_eq!(log.start(), 20);
        assert_eq!(log.read(19, SIZE, true), Err(ResponseError::OffsetOutOfRange));
        commit(&mut log, "slow", 50);
        assert!((40..=42).contains(&log.start()), "{}", log.start());
        assert!(log.size() <= KEPT);
    }

    #[test]
    fn what_a_group_was_shown_is_kept_before_its_first_commit() {
        let mut log = filled(Retention::Consumed, 3);
        log.reserve("slow");
        fill(&mut log, 50);
        assert_eq!((log.start(), log.committed("slow")), (0, None));
        commit(&mut log, "slow", 53);
        assert!(log.start() > 40);
    }

    #[test]
    fn what_nobody_reads_is_kept_for_a_while() {
        let log = filled(Retention::Consumed, 50);
        assert!(log.start() > 30 && log.size() <= KEPT);
        let mut letters = filled(Retention::Budget, 50);
        commit(&mut letters, "curious", 0);
        assert_eq!(letters.start(), 0);
        fill(&mut letters, 150);
        assert!(letters.start() > 0 && letters.size() <= KEPT_DEAD_LETTERS);
    }

    #[test]
    fn the_last_batch_stays_where_all_are_beyond_it() {
        let mut log = filled(Retention::Consumed, 1);
        commit(&mut log, "one", 1);
        assert_eq!((log.start(), log.read(1, SIZE, true)), (0, Ok(Bytes::new())));
        assert_eq!(log.read(2, SIZE, true), Err(ResponseError::OffsetOutOfRange));
    }

    #[test]
    fn as_much_is_read_as_fits_and_one_batch_at_least() {
        let log = filled(Retention::Consumed, 5);
        let one = sent(SIZE).len();
        let read = |most, at_least_one| log.read(1, most, at_least_one).unwrap().len();
        assert_eq!((read(1, true), read(1, false)), (one, 0));
        assert_eq!((read(2 * one, true), read(2 * one + 1, false)), (2 * one, 2 * one));
        assert_eq!(read(usize::MAX, true), 4 * one);
    }

    #[test]
    fn only_those_who_live_wait() {
        let mut log = filled(Retention::Consumed, 1);
        let waiting = Arc::new(Notify::new());
        for _ in 0..100 {
            log.wait(&waiting);
            log.wait(&Arc::new(Notify::new()));
        }
        assert!(log.waiting.len() <= 2);
    }
}
