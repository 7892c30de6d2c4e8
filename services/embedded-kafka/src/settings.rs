//! What a broker starts with.

use std::{collections::BTreeSet, time::Duration};

/// The topics and groups that a broker serves first, and the limits that can be changed.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The topics that exist from the start; clients cannot delete them, but may create others.
    pub topics: Vec<Topic>,
    /// The groups whose records are kept until they were read, and whose offsets are kept for ever.
    pub groups: BTreeSet<String>,
    /// How long any other group is kept without members.
    pub group_expiry: Duration,
    /// The limit of all logs together, in bytes; at the limit, producers wait until records were consumed.
    pub limit: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            topics: Vec::new(),
            groups: BTreeSet::new(),
            group_expiry: Duration::from_secs(5 * 60),
            limit: 256 << 20,
        }
    }
}

/// A topic that exists from the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// The name that clients use.
    pub name: String,
    /// The number of its partitions.
    pub partitions: usize,
    /// When its records may be dropped.
    pub retention: Retention,
}

/// When the oldest batch of a partition may be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// Once every group that reads the partition has committed an offset beyond it.
    Consumed,
    /// When the partition holds too many bytes, whichever group reads it: for dead letters, which people read.
    Budget,
}
