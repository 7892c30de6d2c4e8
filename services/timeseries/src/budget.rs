//! What all targets share: the limits and what is used of them, texts and exemplars.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

use parking_lot::Mutex;
use promql::Labels;

use crate::{
    cost,
    exemplars::Exemplars,
    options::{Options, Refused, Usage},
    symbols::Symbols,
};

/// A series has at most so many labels, with its target's.
pub(crate) const LABELS: usize = 64;

/// The maximum of bytes of a label's name or value.
pub(crate) const LABEL_BYTES: usize = 1024;

/// What all targets share.
#[derive(Default)]
pub(crate) struct Budget {
    pub(crate) options: Options,
    symbols: Mutex<Symbols>,
    /// The bytes of labels and of all indexes.
    index: AtomicUsize,
    /// The bytes of rows and blocks.
    rows: AtomicUsize,
    series: AtomicUsize,
    evicted: AtomicU64,
    pub(crate) refused: Counters,
    pub(crate) exemplars: Mutex<Exemplars>,
}

/// Counts what was refused.
#[derive(Default)]
pub(crate) struct Counters([AtomicU64; 6]);

impl Counters {
    /// There is no room for the series.
    pub(crate) fn limit(&self, samples: u64) {
        self.0[0].fetch_add(samples, Relaxed);
    }

    /// The series has a sample at this time already.
    pub(crate) fn duplicate(&self, samples: u64) {
        self.0[1].fetch_add(samples, Relaxed);
    }

    /// The sample has a timestamp of its own.
    pub(crate) fn timestamp(&self, samples: u64) {
        self.0[2].fetch_add(samples, Relaxed);
    }

    /// The time is not after that of the last row.
    pub(crate) fn order(&self, samples: u64) {
        self.0[3].fetch_add(samples, Relaxed);
    }

    /// An exemplar is too long or out of order.
    pub(crate) fn exemplar(&self) {
        self.0[4].fetch_add(1, Relaxed);
    }

    /// An answer is malformed.
    pub(crate) fn malformed(&self) {
        self.0[5].fetch_add(1, Relaxed);
    }

    fn read(&self) -> Refused {
        let [limit, duplicate, timestamp, order, exemplars, malformed] =
            self.0.each_ref().map(|count| count.load(Relaxed));
        Refused { limit, duplicate, timestamp, malformed, order, exemplars }
    }
}

impl Budget {
    pub(crate) fn new(options: Options) -> Self {
        let exemplars = Mutex::new(Exemplars::new(options.bytes / 8));
        Self { options, exemplars, ..Self::default() }
    }

    /// Counts samples that were removed to make room.
    pub(crate) fn evict(&self, samples: u64) {
        self.evicted.fetch_add(samples, Relaxed);
    }

    /// What is used, except for the number of samples.
    pub(crate) fn usage(&self) -> Usage {
        Usage {
            bytes: self.bytes(),
            limit: self.options.bytes,
            series: self.series.load(Relaxed),
            samples: 0,
            exemplars: self.exemplars.lock().len(),
            evicted: self.evicted.load(Relaxed),
            refused: self.refused.read(),
        }
    }

    /// The labels of a new series, if there is room for it: indexes may take half of the memory, so that samples have the other half.
    /// Reports on scrapes have some room of their own.
    pub(crate) fn reserve_series(
        &self,
        labels: &[(&str, &str)],
        is_report: bool,
    ) -> Option<Labels> {
        let too_long = |(name, value): &(&str, &str)| name.len().max(value.len()) > LABEL_BYTES;
        if labels.len() > LABELS || labels.iter().any(too_long) {
            return None;
        }
        let texts: usize = labels.iter().map(|(name, value)| name.len() + value.len()).sum();
        let room = self.options.bytes / 16 * if is_report { 10 } else { 8 };
        let is_full = !is_report && self.series.load(Relaxed) >= self.options.series;
        if is_full || self.index.load(Relaxed) + self.symbols_bytes() + texts > room {
            return None;
        }
        let mut symbols = self.symbols.lock();
        let labels = Labels::new(
            labels.iter().map(|(name, value)| (symbols.intern(name), symbols.intern(value))),
        );
        self.series.fetch_add(1, Relaxed);
        self.index.fetch_add(cost::labels(&labels), Relaxed);
        Some(labels)
    }

    /// Gives back the room of a series.
    pub(crate) fn release_series(&self, labels: &Labels) {
        self.series.fetch_sub(1, Relaxed);
        self.index.fetch_sub(cost::labels(labels), Relaxed);
    }

    /// A shared text.
    pub(crate) fn intern(&self, text: &str) -> Arc<str> {
        self.symbols.lock().intern(text)
    }

    /// Removes the texts that nothing uses any more.
    pub(crate) fn purge(&self) {
        self.symbols.lock().purge();
    }

    /// Notes that a target uses `now` bytes for indexes and rows, and `before` no more.
    pub(crate) fn settle(&self, before: (usize, usize), now: (usize, usize)) {
        self.index.fetch_add(now.0.wrapping_sub(before.0), Relaxed);
        self.rows.fetch_add(now.1.wrapping_sub(before.1), Relaxed);
    }

    /// The bytes that are used.
    pub(crate) fn bytes(&self) -> usize {
        self.index.load(Relaxed)
            + self.rows.load(Relaxed)
            + self.symbols_bytes()
            + self.exemplars.lock().bytes()
    }

    fn symbols_bytes(&self) -> usize {
        self.symbols.lock().bytes()
    }
}
