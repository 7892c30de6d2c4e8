//! The store, as its users see it.

use std::{collections::BTreeMap, time::Duration};

use promql::{Error, Labels, Sample, Select, Storage};

/// The limits of a store.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The maximum of bytes for samples, labels, exemplars and indexes. When they are full, the oldest samples of all series go;
    /// a series that still does not fit is refused.
    pub bytes: usize,
    /// How long samples are kept.
    pub retention: Duration,
    /// The maximum of series that have a sample within the retention.
    pub series: usize,
}

/// The result of storing one answer of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scraped {
    /// The samples in the answer.
    pub samples: u64,
    /// Series that were not known before.
    pub added: u64,
    /// Samples that were refused because their series do not fit into the limits.
    pub refused: u64,
    /// Lines that cannot be parsed.
    pub invalid: u64,
}

/// What a store uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The bytes in use, with the allocator's overhead.
    pub bytes: usize,
    /// The series that have a sample.
    pub series: usize,
    /// The samples.
    pub samples: u64,
}

/// The description of a metric, as its target gave it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metadata {
    /// `counter`, `gauge`, `histogram`, `summary` or `unknown`.
    pub kind: String,
    /// What it counts.
    pub help: String,
    /// Its unit; often empty.
    pub unit: String,
}

/// The exemplars of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct ExemplarSeries {
    /// The labels of the series.
    pub labels: Labels,
    /// Its exemplars, oldest first.
    pub exemplars: Vec<ExemplarSample>,
}

/// One exemplar: an observation with the trace it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct ExemplarSample {
    /// Such as `trace_id`.
    pub labels: Labels,
    /// The observed value, and when.
    pub sample: Sample,
}

/// Why a snapshot cannot be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotError(pub String);

/// A bounded store of series; all its methods may be called from several threads.
pub struct Store {
    _options: Options,
}

impl Store {
    /// An empty store.
    pub fn new(options: Options) -> Self {
        Self { _options: options }
    }

    /// Stores what a target answered: Prometheus text or OpenMetrics. `target` has the labels that every series of it gets (`job`,
    /// `instance`, …); a series that is in the target's last answer, but not in this one, ends. Adds `up`, `scrape_duration_seconds`
    /// and `scrape_samples_scraped`, as Prometheus does.
    pub fn scrape(&self, target: &Labels, at_ms: i64, took: Duration, text: &str) -> Scraped {
        let _ = (target, at_ms, took, text);
        Scraped::default()
    }

    /// Notes that a target did not answer: `up` is 0, and all its other series end.
    pub fn scrape_failed(&self, target: &Labels, at_ms: i64, took: Duration) {
        let _ = (target, at_ms, took);
    }

    /// Ends all series of a target that is no target any more.
    pub fn end(&self, target: &Labels, at_ms: i64) {
        let _ = (target, at_ms);
    }

    /// The labels of all series that match one of the selections (all series if there is none) and have samples in the time.
    pub fn series(&self, selects: &[Select<'_>]) -> Vec<Labels> {
        let _ = selects;
        Vec::new()
    }

    /// The descriptions by metric; different targets may give different ones.
    pub fn metadata(&self) -> BTreeMap<String, Vec<Metadata>> {
        BTreeMap::new()
    }

    /// The exemplars of all series that match, within the time, ordered by labels.
    pub fn exemplars(&self, select: &Select<'_>) -> Vec<ExemplarSeries> {
        let _ = select;
        Vec::new()
    }

    /// What the store uses now.
    pub fn usage(&self) -> Usage {
        Usage::default()
    }

    /// Everything in the store as bytes, for [`Store::restore`].
    pub fn snapshot(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Adds what a snapshot has to an empty store; samples older than the retention before `now_ms` are left out.
    ///
    /// # Errors
    /// The bytes are no snapshot of this version; nothing is added.
    pub fn restore(&self, snapshot: &[u8], now_ms: i64) -> Result<(), SnapshotError> {
        let _ = (snapshot, now_ms);
        Err(SnapshotError("not implemented".to_owned()))
    }
}

impl Storage for Store {
    fn select(&self, select: &Select<'_>, visit: &mut promql::Visit<'_>) -> Result<(), Error> {
        let _ = (select, visit);
        Ok(())
    }
}
