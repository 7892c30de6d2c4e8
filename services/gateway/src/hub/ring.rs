//! The latest entries of a sequence, numbered from 1. Pure: no clock, no I/O.

use std::collections::VecDeque;

/// At most so many entries; a new one replaces the oldest.
#[derive(Debug)]
pub(super) struct Ring<T> {
    entries: VecDeque<T>,
    most: usize,
    /// The number of the newest entry, whether it is still kept or not.
    newest: u64,
}

impl<T: Clone> Ring<T> {
    pub(super) fn new(most: usize) -> Self {
        Self { entries: VecDeque::new(), most: most.max(1), newest: 0 }
    }

    /// The number of the newest entry; 0 before the first.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// Adds the entry that `make` returns for its number.
    pub(super) fn push(&mut self, make: impl FnOnce(u64) -> T) {
        self.newest += 1;
        if self.entries.len() == self.most {
            self.entries.pop_front();
        }
        self.entries.push_back(make(self.newest));
    }

    /// Up to `most` entries after this number; `None` if some of them are no longer kept, or the number was not used yet.
    pub(super) fn after(&self, number: u64, most: usize) -> Option<Vec<T>> {
        let missing = usize::try_from(self.newest.checked_sub(number)?).ok()?;
        let first = self.entries.len().checked_sub(missing)?;
        Some(self.entries.iter().skip(first).take(most).cloned().collect())
    }

    /// Forgets all entries. The next number is skipped, so that nothing can be continued from before.
    pub(super) fn clear(&mut self) {
        if self.newest > 0 {
            self.newest += 1;
        }
        self.entries = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(entries: u64) -> Ring<u64> {
        let mut ring = Ring::new(3);
        (0..entries).for_each(|_| ring.push(|number| number));
        ring
    }

    #[test]
    fn the_entries_after_a_number_are_returned_while_they_are_kept() {
        let ring = ring(5);
        assert_eq!(ring.after(5, 9), Some(vec![]));
        assert_eq!(ring.after(3, 9), Some(vec![4, 5]));
        assert_eq!(ring.after(2, 9), Some(vec![3, 4, 5]));
        assert_eq!(ring.after(2, 2), Some(vec![3, 4]));
        assert_eq!(ring.after(1, 9), None, "2 was replaced");
        assert_eq!(ring.after(6, 9), None, "6 was not used yet");
        assert_eq!(ring.after(u64::MAX, 9), None);
    }

    #[test]
    fn an_empty_ring_has_nothing_after_its_beginning() {
        assert_eq!(ring(0).after(0, 9), Some(vec![]));
        assert_eq!(ring(0).after(1, 9), None);
    }

    #[test]
    fn nothing_continues_after_a_clear_except_from_its_end() {
        let mut ring = ring(5);
        ring.clear();
        assert_eq!([4, 5, 6].map(|number| ring.after(number, 9)), [None, None, Some(vec![])]);
        ring.push(|number| number);
        assert_eq!(ring.after(6, 9), Some(vec![7]));
        assert_eq!(ring.after(5, 9), None);
    }
}
