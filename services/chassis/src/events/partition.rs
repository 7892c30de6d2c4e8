//! One assigned partition: its records that are queued, in flight, and done with.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{route::Route, tracker::Tracker, turns::Turns};
use crate::kafka::record::Record;

/// How many records may be fetched beyond the first that is not done with. This bounds the memory for them, and how many records
/// a crash would let be fetched again.
const LONGEST_WINDOW: usize = 100_000;

/// How many records are fetched for each that may be in flight. A partition that is resumed waits for the end of the fetch under
/// way, at most 100 ms, and the records that are left keep the handlers busy meanwhile.
const AHEAD: usize = 8;

/// A partition that this process owns.
pub(super) struct Partition {
    pub(super) route: Arc<dyn Route>,
    /// Fires when the partition moves or the process stops. Events that wait for a retry then stop waiting.
    pub(super) cancel: CancellationToken,
    pub(super) paused: bool,
    tracker: Tracker,
    /// The offset that the client was last given to commit.
    stored: Option<i64>,
    /// The offset that should come next.
    expected: Option<i64>,
    /// When the last record came, or when unreadable records were last skipped.
    heard: Instant,
    /// When a record was last done with, or when the first one came after a time without open records.
    finished: Instant,
    lanes: Lanes,
    running: Running,
    /// How many records may be in flight, and how many may be fetched and not done with.
    concurrency: usize,
    most: usize,
}

/// What is in flight, by its lane. A lane has only one task in flight, even across assignments, so that an event is never in two
/// handlers of this process.
pub(super) type Running = HashMap<u64, InFlight>;

pub(super) struct InFlight {
    abort: CancellationToken,
    /// It belongs to an earlier assignment or an earlier log, so its offsets are not valid here.
    stale: bool,
}

/// Records that wait to be handled.
enum Lanes {
    /// One queue for each key.
    Keys(Turns<Record>),
    /// One queue for all, and since when its first record waits.
    Batch { queue: VecDeque<Record>, since: Option<Instant> },
}

/// Records to be handled together, and their lane.
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
            Lanes::Keys(Turns::default())
        };
        let (tracker, running) = (Tracker::default(), Running::new());
        Self {
            route,
            cancel,
            paused: false,
            tracker,
            stored: None,
            expected: start,
            heard: Instant::now(),
            finished: Instant::now(),
            lanes,
            running,
            concurrency: 1,
            most: 1,
        }
    }

    /// Takes over what an earlier assignment left in flight: those lanes wait until it has ended.
    pub(super) fn inherit(&mut self, running: Running) {
        if let Lanes::Keys(turns) = &mut self.lanes {
            running.keys().for_each(|lane| turns.occupy(*lane));
        }
        self.running.extend(running);
    }

    /// Takes in a record. Returns how many records before it were never delivered.
    pub(super) fn take(&mut self, record: Record) -> i64 {
        let gap = self.expected.map_or(0, |expected| record.offset - expected);
        if gap < 0 {
            if self.tracker.low_water().is_some_and(|low| record.offset >= low) {
                return 0;
            }
            // The log began anew. The offsets of what is in flight belong to the old log and are not committed.
            self.tracker = Tracker::default();
            self.running.values_mut().for_each(|in_flight| in_flight.stale = true);
        }
        self.expected = Some(record.offset + 1);
        self.heard = Instant::now();
        if self.tracker.open() == 0 {
            self.finished = self.heard;
        }
        self.tracker.begin(record.offset, record.at_ms);
        let scope = self.route.scope();
        if !scope.wants(&record) {
            scope.skipped();
            self.tracker.finish(record.offset);
            return gap;
        }
        match &mut self.lanes {
            Lanes::Keys(turns) => turns.push(record.lane(), record),
            Lanes::Batch { queue, since } => {
                since.get_or_insert_with(Instant::now);
                queue.push_back(record);
            }
        }
        gap
    }

    /// The offset that should come next, if it is known.
    pub(super) fn next_offset(&self) -> Option<i64> {
        self.expected
    }

    /// The first of the offsets that are missing if this offset comes next.
    pub(super) fn missing(&self, offset: i64) -> Option<i64> {
        self.expected.filter(|expected| *expected < offset)
    }

    /// How long no record has come.
    pub(super) fn quiet_for(&self) -> Duration {
        self.heard.elapsed()
    }

    /// How long no record has been done with although some are waiting; `None` if none are.
    pub(super) fn idle_for(&self, waits: impl FnOnce() -> bool) -> Option<Duration> {
        match self.open() {
            0 => waits().then(|| self.quiet_for().min(self.finished.elapsed())),
            _ => Some(self.finished.elapsed()),
        }
    }

    /// How many records are not done with.
    pub(super) fn open(&self) -> usize {
        self.tracker.open()
    }

    /// Continues at another offset. The skipped records count as one entry, under their first offset.
    pub(super) fn skip(&mut self, from: i64, to: i64) {
        self.expected = Some(to);
        self.heard = Instant::now();
        self.tracker.begin_range(from, to);
    }

    /// Notes that the work of a lane ended, and which offsets are done with.
    pub(super) fn finish(&mut self, lane: u64, done: &[i64]) {
        let stale = self.running.remove(&lane).is_some_and(|in_flight| in_flight.stale);
        let done = if stale { &[] } else { done };
        if !done.is_empty() {
            self.finished = Instant::now();
        }
        for offset in done {
            self.tracker.finish(*offset);
        }
        if let Lanes::Keys(turns) = &mut self.lanes {
            turns.done(lane);
        }
    }

    /// Returns the next record to handle, unless the limit of those in flight is reached.
    pub(super) fn next(&mut self) -> Option<Work> {
        let Lanes::Keys(turns) = &mut self.lanes else { return None };
        let (lane, record) = turns.next(self.concurrency)?;
        Some(Work { lane, records: vec![record] })
    }

    /// Sets how many records may be in flight, and from that, how many may be fetched.
    pub(super) fn limit(&mut self, concurrency: usize) {
        let least = if self.route.batches() { 2 * self.route.scope().settings.batch } else { 1 };
        self.concurrency = concurrency.max(1);
        self.most = (AHEAD * concurrency).max(least);
    }

    /// When the next batch is due; `None` if no record waits, or while a batch is in flight.
    pub(super) fn batch_due(&self, most: usize, wait: Duration) -> Option<Instant> {
        let Lanes::Batch { queue, since: Some(since) } = &self.lanes else { return None };
        if !self.running.is_empty() {
            return None;
        }
        Some(if queue.len() >= most { *since } else { *since + wait })
    }

    /// Takes the next batch out of the queue.
    pub(super) fn batch(&mut self, most: usize) -> Option<Work> {
        let Lanes::Batch { queue, since } = &mut self.lanes else { return None };
        let records: Vec<_> = queue.drain(..queue.len().min(most)).collect();
        // The records that stay have already waited: `since` keeps its value.
        if queue.is_empty() {
            *since = None;
        }
        (!records.is_empty()).then_some(Work { lane: 0, records })
    }

    /// Notes that a lane has something in flight. Returns the token that aborts it.
    pub(super) fn started(&mut self, lane: u64) -> CancellationToken {
        let abort = CancellationToken::new();
        self.running.insert(lane, InFlight { abort: abort.clone(), stale: false });
        abort
    }

    /// Forgets the records that wait, and ends waits for retries, so that what is in flight ends soon.
    pub(super) fn wind_up(&mut self) {
        self.cancel.cancel();
        match &mut self.lanes {
            Lanes::Keys(turns) => turns.clear(),
            Lanes::Batch { queue, since } => {
                queue.clear();
                *since = None;
            }
        }
    }

    /// Aborts what is in flight, at its next await; its transactions are rolled back.
    pub(super) fn abort(&mut self) {
        self.running.values().for_each(|in_flight| in_flight.abort.cancel());
    }

    /// Aborts what is in flight. Returns what has not ended yet.
    pub(super) fn abandon(mut self) -> Running {
        self.abort();
        self.running.values_mut().for_each(|in_flight| in_flight.stale = true);
        self.running
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    /// Whether fetching should pause. Once paused, it resumes when fewer records than half of the limit are not done with.
    pub(super) fn is_full(&self) -> bool {
        let limit = if self.paused { self.most / 2 } else { self.most };
        self.tracker.open() >= limit.max(1) || self.tracker.span() >= LONGEST_WINDOW
    }

    /// The lowest offset that is not done with, which may be committed. `None` if nothing was fetched.
    pub(super) fn low_water(&self) -> Option<i64> {
        self.tracker.low_water()
    }

    /// Returns the low-water mark if it has changed since the last call.
    pub(super) fn to_store(&mut self) -> Option<i64> {
        let low = self.tracker.low_water().filter(|low| Some(*low) != self.stored)?;
        self.stored = Some(low);
        Some(low)
    }

    pub(super) fn oldest_ms(&self) -> Option<i64> {
        self.tracker.oldest_ms()
    }
}
