//! One assigned partition: its records that are queued, in flight, and finished.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{key_queues::KeyQueues, offsets::OffsetTracker, subscription::Subscription};
use crate::kafka::record::Record;

/// How many records may be fetched from the first unfinished one on. This limits the memory for them, and how many records are
/// delivered again after a crash.
const MAX_WINDOW: usize = 100_000;

/// How many records are fetched for each that may be in flight. A partition that is resumed waits for the end of the fetch under
/// way, at most 100 ms, and the records that are left keep the handlers busy meanwhile.
const FETCH_AHEAD: usize = 8;

/// A partition that this process owns.
pub(super) struct Partition {
    pub(super) subscription: Arc<dyn Subscription>,
    /// Fires when the partition moves or the process stops. Events that wait for a retry then stop waiting.
    pub(super) cancel: CancellationToken,
    pub(super) paused: bool,
    offsets: OffsetTracker,
    /// The offset that the client was last given to commit.
    stored: Option<i64>,
    /// The offset that should come next.
    expected: Option<i64>,
    /// When the last record came, or when unreadable records were last skipped.
    last_record: Instant,
    /// When a record was last finished, or when the first one came after a time without unfinished records.
    last_finished: Instant,
    queues: Queues,
    in_flight: InFlight,
    /// How many records may be in flight, and how many may be fetched and unfinished.
    concurrency: usize,
    fetch_limit: usize,
}

/// The tasks in flight, by the hash of their key. A key has only one task in flight, even across assignments, so that an event is
/// never in two handlers of this process.
pub(super) type InFlight = HashMap<u64, Task>;

pub(super) struct Task {
    abort: CancellationToken,
    /// It belongs to an earlier assignment or an earlier log, so its offsets are not valid here.
    stale: bool,
}

/// Records that wait to be handled.
enum Queues {
    /// One queue for each key.
    Keys(KeyQueues<Record>),
    /// One queue for all, and since when its first record waits.
    Batch { queue: VecDeque<Record>, since: Option<Instant> },
}

/// Records to be handled together, and the hash of their key. Those of a batch count as one key.
pub(super) struct Work {
    pub(super) key: u64,
    pub(super) records: Vec<Record>,
}

impl Partition {
    pub(super) fn new(
        subscription: Arc<dyn Subscription>,
        cancel: CancellationToken,
        start: Option<i64>,
    ) -> Self {
        let queues = if subscription.batches() {
            Queues::Batch { queue: VecDeque::new(), since: None }
        } else {
            Queues::Keys(KeyQueues::default())
        };
        Self {
            subscription,
            cancel,
            paused: false,
            offsets: OffsetTracker::default(),
            stored: None,
            expected: start,
            last_record: Instant::now(),
            last_finished: Instant::now(),
            queues,
            in_flight: InFlight::new(),
            concurrency: 1,
            fetch_limit: 1,
        }
    }

    /// Takes over what an earlier assignment left in flight: records of the same keys wait until it has ended.
    pub(super) fn inherit(&mut self, in_flight: InFlight) {
        if let Queues::Keys(queues) = &mut self.queues {
            in_flight.keys().for_each(|key| queues.mark_in_flight(*key));
        }
        self.in_flight.extend(in_flight);
    }

    /// Takes in a record. Returns how many records before it were never delivered.
    pub(super) fn take(&mut self, record: Record) -> i64 {
        let gap = self.expected.map_or(0, |expected| record.offset - expected);
        if gap < 0 {
            if self.offsets.low_water().is_some_and(|low| record.offset >= low) {
                return 0;
            }
            // The log began anew. The offsets of what is in flight belong to the old log and are not committed.
            self.offsets = OffsetTracker::default();
            self.in_flight.values_mut().for_each(|task| task.stale = true);
        }
        self.expected = Some(record.offset + 1);
        self.last_record = Instant::now();
        if self.offsets.open() == 0 {
            self.last_finished = self.last_record;
        }
        self.offsets.add(record.offset, record.at_ms);
        let context = self.subscription.context();
        if !context.accepts(&record) {
            context.skipped();
            self.offsets.finish(record.offset);
            return gap;
        }
        match &mut self.queues {
            Queues::Keys(queues) => queues.push(record.key_hash(), record),
            Queues::Batch { queue, since } => {
                since.get_or_insert_with(Instant::now);
                queue.push_back(record);
            }
        }
        gap
    }

    /// Returns the offset that should come next; `None` if it is unknown.
    pub(super) fn next_offset(&self) -> Option<i64> {
        self.expected
    }

    /// Returns the first missing offset if this offset comes next; `None` if none is missing.
    pub(super) fn missing(&self, offset: i64) -> Option<i64> {
        self.expected.filter(|expected| *expected < offset)
    }

    /// Returns for how long no record has come.
    pub(super) fn quiet_for(&self) -> Duration {
        self.last_record.elapsed()
    }

    /// Returns for how long no record has been finished although some wait; `None` if none wait.
    pub(super) fn idle_for(&self, waits: impl FnOnce() -> bool) -> Option<Duration> {
        match self.open() {
            0 => waits().then(|| self.quiet_for().min(self.last_finished.elapsed())),
            _ => Some(self.last_finished.elapsed()),
        }
    }

    /// Returns how many records are unfinished.
    pub(super) fn open(&self) -> usize {
        self.offsets.open()
    }

    /// Continues at another offset. The skipped records count as one entry, under their first offset.
    pub(super) fn skip_to(&mut self, from: i64, to: i64) {
        self.expected = Some(to);
        self.last_record = Instant::now();
        self.offsets.add_range(from, to);
    }

    /// Notes that the task of a key has ended, and which offsets it has finished.
    pub(super) fn finish(&mut self, key: u64, done: &[i64]) {
        let stale = self.in_flight.remove(&key).is_some_and(|task| task.stale);
        let done = if stale { &[] } else { done };
        if !done.is_empty() {
            self.last_finished = Instant::now();
        }
        for offset in done {
            self.offsets.finish(*offset);
        }
        if let Queues::Keys(queues) = &mut self.queues {
            queues.done(key);
        }
    }

    /// Returns the next record to handle, unless the limit of those in flight is reached.
    pub(super) fn next(&mut self) -> Option<Work> {
        let Queues::Keys(queues) = &mut self.queues else { return None };
        let (key, record) = queues.next(self.concurrency)?;
        Some(Work { key, records: vec![record] })
    }

    /// Sets how many records may be in flight, and from that, how many may be fetched.
    pub(super) fn limit(&mut self, concurrency: usize) {
        let minimum = if self.subscription.batches() {
            2 * self.subscription.context().settings.batch
        } else {
            1
        };
        self.concurrency = concurrency.max(1);
        self.fetch_limit = (FETCH_AHEAD * concurrency).max(minimum);
    }

    /// Returns when the next batch is due; `None` if no record waits, or while a batch is in flight.
    pub(super) fn batch_due(&self, most: usize, wait: Duration) -> Option<Instant> {
        let Queues::Batch { queue, since: Some(since) } = &self.queues else { return None };
        if !self.in_flight.is_empty() {
            return None;
        }
        Some(if queue.len() >= most { *since } else { *since + wait })
    }

    /// Takes the next batch out of the queue.
    pub(super) fn batch(&mut self, most: usize) -> Option<Work> {
        let Queues::Batch { queue, since } = &mut self.queues else { return None };
        let records: Vec<_> = queue.drain(..queue.len().min(most)).collect();
        // The records that stay have already waited: `since` keeps its value.
        if queue.is_empty() {
            *since = None;
        }
        (!records.is_empty()).then_some(Work { key: 0, records })
    }

    /// Notes that a key has a task in flight. Returns the token that aborts it.
    pub(super) fn started(&mut self, key: u64) -> CancellationToken {
        let abort = CancellationToken::new();
        self.in_flight.insert(key, Task { abort: abort.clone(), stale: false });
        abort
    }

    /// Forgets the records that wait, and ends waits for retries, so that what is in flight ends soon.
    pub(super) fn stop(&mut self) {
        self.cancel.cancel();
        match &mut self.queues {
            Queues::Keys(queues) => queues.clear(),
            Queues::Batch { queue, since } => {
                queue.clear();
                *since = None;
            }
        }
    }

    /// Aborts what is in flight, at its next await; its transactions are rolled back.
    pub(super) fn abort(&mut self) {
        self.in_flight.values().for_each(|task| task.abort.cancel());
    }

    /// Aborts what is in flight. Returns what has not ended yet.
    pub(super) fn abandon(mut self) -> InFlight {
        self.abort();
        self.in_flight.values_mut().for_each(|task| task.stale = true);
        self.in_flight
    }

    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// Returns whether fetching should pause. Once paused, it resumes when fewer than half of the limit are unfinished.
    pub(super) fn is_full(&self) -> bool {
        let limit = if self.paused { self.fetch_limit / 2 } else { self.fetch_limit };
        self.offsets.open() >= limit.max(1) || self.offsets.window() >= MAX_WINDOW
    }

    /// Returns the lowest unfinished offset, which may be committed. `None` if no record was fetched.
    pub(super) fn low_water(&self) -> Option<i64> {
        self.offsets.low_water()
    }

    /// Returns the low-water mark if it has changed since the last call.
    pub(super) fn take_unstored(&mut self) -> Option<i64> {
        let low = self.offsets.low_water().filter(|low| Some(*low) != self.stored)?;
        self.stored = Some(low);
        Some(low)
    }

    pub(super) fn oldest_ms(&self) -> Option<i64> {
        self.offsets.oldest_ms()
    }
}
