//! Determines which offset of a partition may be committed.

use std::collections::VecDeque;

/// The records of one partition, from the first unfinished one to the last that was fetched.
#[derive(Debug, Default)]
pub(super) struct OffsetTracker {
    window: VecDeque<Entry>,
    open: usize,
    /// The offset to commit when the window is empty.
    next: Option<i64>,
}

#[derive(Debug)]
struct Entry {
    offset: i64,
    at_ms: i64,
    done: bool,
}

impl OffsetTracker {
    /// Adds a record that was fetched. Offsets come in rising order.
    pub(super) fn add(&mut self, offset: i64, at_ms: i64) {
        self.window.push_back(Entry { offset, at_ms, done: false });
        self.open += 1;
        self.next = Some(offset + 1);
    }

    /// Adds skipped records, from one offset to before another. They are one entry, without an age.
    pub(super) fn add_range(&mut self, from: i64, to: i64) {
        self.add(from, i64::MAX);
        self.next = Some(to);
    }

    /// Notes that a record is finished.
    pub(super) fn finish(&mut self, offset: i64) {
        let Ok(index) = self.window.binary_search_by_key(&offset, |entry| entry.offset) else {
            return;
        };
        if !std::mem::replace(&mut self.window[index].done, true) {
            self.open -= 1;
        }
        while self.window.front().is_some_and(|entry| entry.done) {
            self.window.pop_front();
        }
    }

    /// Returns the offset to commit: the lowest unfinished one, where a new owner of the partition begins. `None` if no record was
    /// fetched.
    pub(super) fn low_water(&self) -> Option<i64> {
        self.window.front().map(|entry| entry.offset).or(self.next)
    }

    /// Returns when the oldest unfinished record was published, in milliseconds since the Unix epoch.
    pub(super) fn oldest_ms(&self) -> Option<i64> {
        self.window.front().map(|entry| entry.at_ms)
    }

    /// Returns how many records are unfinished.
    pub(super) fn open(&self) -> usize {
        self.open
    }

    /// Returns how many records would be fetched again if the process ended now.
    pub(super) fn window(&self) -> usize {
        self.window.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetched(offsets: impl IntoIterator<Item = i64>) -> OffsetTracker {
        let mut tracker = OffsetTracker::default();
        for offset in offsets {
            tracker.add(offset, offset * 10);
        }
        tracker
    }

    #[test]
    fn the_low_water_mark_is_the_first_offset_that_is_not_done_with() {
        let mut tracker = fetched(5..9);
        tracker.finish(6);
        tracker.finish(8);
        assert_eq!((tracker.low_water(), tracker.open(), tracker.window()), (Some(5), 2, 4));
        tracker.finish(5);
        assert_eq!((tracker.low_water(), tracker.oldest_ms()), (Some(7), Some(70)));
        tracker.finish(7);
        assert_eq!((tracker.low_water(), tracker.open(), tracker.window()), (Some(9), 0, 0));
    }

    #[test]
    fn gaps_in_the_offsets_and_repeated_ends_do_not_move_the_low_water_mark() {
        let mut tracker = fetched([3, 7, 20]);
        tracker.finish(7);
        tracker.finish(7);
        tracker.finish(4);
        assert_eq!((tracker.low_water(), tracker.open()), (Some(3), 2));
        tracker.finish(3);
        tracker.finish(20);
        assert_eq!(tracker.low_water(), Some(21));
    }

    #[test]
    fn a_range_of_skipped_records_is_one_entry() {
        let mut tracker = fetched([3]);
        tracker.add_range(4, 9);
        tracker.finish(3);
        assert_eq!((tracker.low_water(), tracker.open()), (Some(4), 1));
        tracker.finish(4);
        assert_eq!((tracker.low_water(), tracker.open()), (Some(9), 0));
    }

    #[test]
    fn without_a_record_there_is_no_low_water_mark() {
        assert_eq!(OffsetTracker::default().low_water(), None);
    }
}
