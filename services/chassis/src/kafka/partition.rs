//! One assigned partition: what of it is queued, in flight, and done with.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use tokio::{task::AbortHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{record::Record, route::Route, tracker::Tracker};

/// How many records may be fetched beyond the first that is not done with: it bounds what is remembered of them, and what a
/// crash would let be fetched again.
const LONGEST_WINDOW: usize = 100_000;

/// A partition that this process owns.
pub(super) struct Partition {
    pub(super) route: Arc<dyn Route>,
    /// Fires when the partition moves or the process stops: what waits to try again stops waiting.
    pub(super) cancel: CancellationToken,
    pub(super) paused: bool,
    tracker: Tracker,
    /// What the broker was asked to commit, and what it has.
    asked: Option<i64>,
    confirmed: Option<i64>,
    /// The offset that must come next.
    expected: Option<i64>,
    lanes: Lanes,
    running: HashMap<u64, AbortHandle>,
}

/// Records that wait.
enum Lanes {
    /// By key: a lane is there while one of its records is in flight.
    Keys(HashMap<u64, VecDeque<Record>>),
    /// All in one row, and since when the first of them waits.
    Batch { queue: VecDeque<Record>, since: Option<Instant> },
}

/// Records to be handled together, and the lane they are of.
pub(super) struct Work {
    pub(super) lane: u64,
    pub(super) records: Vec<Record>,
}

impl Partition {
    pub(super) fn new(
        route: Arc<dyn Route>,
        cancel: CancellationToken,
        start: Option<i64>,
    ) -> Self {
        let lanes = if route.batches() {
            Lanes::Batch { queue: VecDeque::new(), since: None }
        } else {
            Lanes::Keys(HashMap::new())
        };
        let (tracker, running) = (Tracker::default(), HashMap::new());
        Self {
            route,
            cancel,
            paused: false,
            tracker,
            asked: start,
            confirmed: start,
            expected: start,
            lanes,
            running,
        }
    }

    /// Takes a record in; what can be handled at once, and how many records before it were never seen.
    pub(super) fn take(&mut self, record: Record) -> (Option<Work>, i64) {
        let gap = self.expected.map_or(0, |expected| record.offset - expected);
        if gap < 0 {
            if self.tracker.low_water().is_some_and(|low| record.offset >= low) {
                return (None, 0);
            }
            // The log began anew. What is in flight of the old one has nothing to commit any more.
            self.tracker = Tracker::default();
        }
        self.expected = Some(record.offset + 1);
        self.tracker.begin(record.offset, record.at_ms);
        let scope = self.route.scope();
        if !scope.wants(&record) {
            scope.skipped();
            self.tracker.finish(record.offset);
            return (None, gap);
        }
        let work = match &mut self.lanes {
            Lanes::Keys(queues) => {
                let lane = record.lane();
                match queues.entry(lane) {
                    Entry::Occupied(mut queue) => {
                        queue.get_mut().push_back(record);
                        None
                    }
                    Entry::Vacant(place) => {
                        place.insert(VecDeque::new());
                        Some(Work { lane, records: vec![record] })
                    }
                }
            }
            Lanes::Batch { queue, since } => {
                since.get_or_insert_with(Instant::now);
                queue.push_back(record);
                None
            }
        };
        (work, gap)
    }

    /// A lane's work ended; what comes next in it.
    pub(super) fn finish(&mut self, lane: u64, done: &[i64]) -> Option<Work> {
        self.running.remove(&lane);
        for offset in done {
            self.tracker.finish(*offset);
        }
        let Lanes::Keys(queues) = &mut self.lanes else { return None };
        let Entry::Occupied(mut queue) = queues.entry(lane) else { return None };
        match queue.get_mut().pop_front() {
            Some(record) => Some(Work { lane, records: vec![record] }),
            None => {
                queue.remove();
                None
            }
        }
    }

    /// When the next batch is due; `None` while one is in flight.
    pub(super) fn batch_due(&self, most: usize, wait: Duration) -> Option<Instant> {
        let Lanes::Batch { queue, since: Some(since) } = &self.lanes else { return None };
        if !self.running.is_empty() {
            return None;
        }
        Some(if queue.len() >= most { *since } else { *since + wait })
    }

    /// The next batch.
    pub(super) fn batch(&mut self, most: usize) -> Option<Work> {
        let Lanes::Batch { queue, since } = &mut self.lanes else { return None };
        let records: Vec<_> = queue.drain(..queue.len().min(most)).collect();
        // Those that stay have waited already.
        if queue.is_empty() {
            *since = None;
        }
        (!records.is_empty()).then_some(Work { lane: 0, records })
    }

    pub(super) fn started(&mut self, lane: u64, handle: AbortHandle) {
        self.running.insert(lane, handle);
    }

    /// Forgets what waits, and stops waiting: what is in flight ends soon.
    pub(super) fn wind_up(&mut self) {
        self.cancel.cancel();
        match &mut self.lanes {
            Lanes::Keys(queues) => queues.values_mut().for_each(VecDeque::clear),
            Lanes::Batch { queue, since } => {
                queue.clear();
                *since = None;
            }
        }
    }

    /// Ends what is in flight, wherever it is; its transactions are rolled back.
    pub(super) fn abort(&mut self) {
        self.running.drain().for_each(|(_, handle)| handle.abort());
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    /// Whether no more records should come for now; once so, not before half is done with.
    pub(super) fn is_full(&self, concurrency: usize) -> bool {
        let limit = if self.paused { concurrency / 2 } else { concurrency };
        self.tracker.open() >= limit.max(1) || self.tracker.span() >= LONGEST_WINDOW
    }

    /// What to commit, if nobody was asked to yet.
    pub(super) fn uncommitted(&self) -> Option<i64> {
        self.tracker.low_water().filter(|offset| Some(*offset) != self.asked)
    }

    pub(super) fn asked(&mut self, offset: i64) {
        self.asked = Some(offset);
    }

    /// What the broker has; whether it is what it was asked for. A negative offset is none.
    pub(super) fn confirm(&mut self, offset: i64) -> bool {
        if offset >= 0 {
            self.confirmed = Some(offset);
        }
        let same = self.asked == self.confirmed;
        self.asked = self.confirmed;
        same
    }

    pub(super) fn oldest_ms(&self) -> Option<i64> {
        self.tracker.oldest_ms()
    }
}
