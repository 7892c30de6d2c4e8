//! Rows that were sent and are not marked yet: to mark many costs hardly more than to mark one, and a transaction that
//! marks keeps the service's own ones waiting. Those that a crash leaves unmarked are sent twice, and dropped by the inboxes.

use std::{collections::HashSet, time::Duration};

use tokio::time::Instant;

/// How long a row that was sent may stay unmarked.
const LONGEST: Duration = Duration::from_millis(100);
/// How many may: well below one round, which would else be full of them.
const MOST: usize = 200;

/// What a relay has sent and not marked.
#[derive(Default)]
pub(super) struct Marks {
    seqs: HashSet<i64>,
    since: Option<Instant>,
    reached: i64,
}

impl Marks {
    /// These were sent; with them, everything up to `reached`.
    pub(super) fn add(&mut self, sent: Vec<i64>, reached: i64) {
        self.reached = reached;
        if !sent.is_empty() {
            self.since.get_or_insert_with(Instant::now);
        }
        self.seqs.extend(sent);
    }

    /// Whether this one was sent.
    pub(super) fn holds(&self, seq: i64) -> bool {
        self.seqs.contains(&seq)
    }

    /// Up to where everything was sent, as far as that is known.
    pub(super) fn reached(&self) -> i64 {
        self.reached
    }

    /// When to mark them at the latest; `None` if there are none.
    pub(super) fn due(&self) -> Option<Instant> {
        let since = self.since?;
        Some(if self.seqs.len() < MOST { since + LONGEST } else { since })
    }

    pub(super) fn len(&self) -> usize {
        self.seqs.len()
    }

    pub(super) fn seqs(&self) -> Vec<i64> {
        self.seqs.iter().copied().collect()
    }

    /// They are marked.
    pub(super) fn clear(&mut self) {
        self.seqs.clear();
        self.since = None;
    }
}
