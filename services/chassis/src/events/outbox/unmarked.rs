//! Rows that were sent and are not marked yet. Marking many costs hardly more than marking one, and the transaction that marks
//! keeps the service's own transactions waiting. Rows that a crash leaves unmarked are sent twice, and the inboxes drop them.

use std::{collections::HashSet, time::Duration};

use tokio::time::Instant;

/// How long a sent row may stay unmarked.
const MAX_AGE: Duration = Duration::from_millis(100);
/// How many sent rows may stay unmarked: well below the size of a round, which they would otherwise fill.
const MAX_ROWS: usize = 200;

/// The rows that the relay has sent and not marked.
#[derive(Default)]
pub(super) struct Unmarked {
    seqs: HashSet<i64>,
    since: Option<Instant>,
    reached: i64,
}

impl Unmarked {
    /// Adds rows that were sent. Everything up to `reached` is sent, too.
    pub(super) fn add(&mut self, sent: Vec<i64>, reached: i64) {
        self.reached = reached;
        if !sent.is_empty() {
            self.since.get_or_insert_with(Instant::now);
        }
        self.seqs.extend(sent);
    }

    /// Returns whether this row was sent and is not marked.
    pub(super) fn holds(&self, seq: i64) -> bool {
        self.seqs.contains(&seq)
    }

    /// Returns the row up to which everything was sent, as far as that is known.
    pub(super) fn reached(&self) -> i64 {
        self.reached
    }

    /// Returns when the rows must be marked at the latest; `None` if there are none.
    pub(super) fn due(&self) -> Option<Instant> {
        let since = self.since?;
        Some(if self.seqs.len() < MAX_ROWS { since + MAX_AGE } else { since })
    }

    pub(super) fn len(&self) -> usize {
        self.seqs.len()
    }

    pub(super) fn seqs(&self) -> Vec<i64> {
        self.seqs.iter().copied().collect()
    }

    /// Forgets the rows, which are marked now.
    pub(super) fn clear(&mut self) {
        self.seqs.clear();
        self.since = None;
    }
}
