//! The limits of a store.

use std::time::Duration;

/// The limits of a store.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The maximum of bytes for samples, labels, exemplars and indexes. When they are full, the oldest samples of all series go;
    /// a series that still does not fit is refused.
    pub bytes: usize,
    /// How long samples are kept.
    pub retention: Duration,
    /// The maximum of series that have a sample within the retention, besides the reports on scrapes.
    pub series: usize,
}

impl Default for Options {
    /// 4,500 series for 30 minutes, scraped every 2 s.
    fn default() -> Self {
        Self { bytes: 12 << 20, retention: Duration::from_secs(1_800), series: 20_000 }
    }
}

/// What a store uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The bytes in use, with the allocator's overhead.
    pub bytes: usize,
    /// The maximum of these bytes.
    pub limit: usize,
    /// The series that have a sample.
    pub series: usize,
    /// The samples.
    pub samples: u64,
    /// The exemplars.
    pub exemplars: usize,
    /// The samples that were removed, since the start, to make room for newer ones.
    pub evicted: u64,
    /// What was refused since the start.
    pub refused: Refused,
}

/// Samples that were not stored, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// Their series are new, and there is no room for them: the bytes, the number of series or of labels, or the length of a label
    /// would be too great.
    pub limit: u64,
    /// The series has another sample of the same time.
    pub duplicate: u64,
    /// They have a timestamp of their own; a store has one time for all samples of an answer.
    pub timestamp: u64,
    /// Whole answers that are malformed.
    pub malformed: u64,
    /// Their time is not after the time of the target's last samples. A whole answer counts as one.
    pub order: u64,
    /// Exemplars that are longer than OpenMetrics allows, or older than the last one of the series.
    pub exemplars: u64,
}
