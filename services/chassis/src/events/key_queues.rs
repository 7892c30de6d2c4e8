//! Decides which record is handled next.

use std::collections::{HashMap, HashSet, VecDeque};

/// One queue for each key: one item of a key is in flight at a time, in order, and items of a limited number of keys at once. Keys
/// are served in turn, so that a key with many items does not keep the others waiting. A key is given as its hash.
#[derive(Debug)]
pub(super) struct KeyQueues<T> {
    queues: HashMap<u64, VecDeque<T>>,
    /// Keys with queued items and none in flight.
    waiting: VecDeque<u64>,
    in_flight: HashSet<u64>,
}

impl<T> Default for KeyQueues<T> {
    fn default() -> Self {
        Self { queues: HashMap::new(), waiting: VecDeque::new(), in_flight: HashSet::new() }
    }
}

impl<T> KeyQueues<T> {
    pub(super) fn push(&mut self, key: u64, item: T) {
        let queue = self.queues.entry(key).or_default();
        if queue.is_empty() && !self.in_flight.contains(&key) {
            self.waiting.push_back(key);
        }
        queue.push_back(item);
    }

    /// Returns the next item and its key, if fewer than `max_in_flight` are in flight.
    pub(super) fn next(&mut self, max_in_flight: usize) -> Option<(u64, T)> {
        if self.in_flight.len() >= max_in_flight {
            return None;
        }
        let key = self.waiting.pop_front()?;
        let queue = self.queues.get_mut(&key)?;
        let item = queue.pop_front()?;
        if queue.is_empty() {
            self.queues.remove(&key);
        }
        self.in_flight.insert(key);
        Some((key, item))
    }

    /// Notes that a key's item in flight is done.
    pub(super) fn done(&mut self, key: u64) {
        if self.in_flight.remove(&key) && self.queues.contains_key(&key) {
            self.waiting.push_back(key);
        }
    }

    /// Marks a key as in flight elsewhere: until that is done, its items wait.
    pub(super) fn mark_in_flight(&mut self, key: u64) {
        self.in_flight.insert(key);
    }

    /// Forgets the items that are not in flight.
    pub(super) fn clear(&mut self) {
        self.queues.clear();
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queues(items: &[(u64, char)]) -> KeyQueues<char> {
        let mut queues = KeyQueues::default();
        for (key, item) in items {
            queues.push(*key, *item);
        }
        queues
    }

    #[test]
    fn keys_are_served_in_turn_with_one_item_of_each_in_flight() {
        let mut queues = queues(&[(1, 'a'), (1, 'b'), (1, 'c'), (2, 'x')]);
        let mut order = String::new();
        while let Some((key, item)) = queues.next(1) {
            assert!(queues.next(1).is_none());
            order.push(item);
            queues.done(key);
        }
        assert_eq!(order, "axbc");
    }

    #[test]
    fn the_number_of_items_in_flight_is_limited() {
        let mut queues = queues(&[(1, 'a'), (2, 'b'), (3, 'c'), (1, 'd')]);
        assert_eq!(queues.next(2), Some((1, 'a')));
        assert_eq!(queues.next(2), Some((2, 'b')));
        assert_eq!(queues.next(2), None);
        assert_eq!(queues.next(4), Some((3, 'c')));
        assert_eq!(queues.next(4), None, "the first of its key is in flight");
        queues.done(1);
        assert_eq!(queues.next(2), None, "there may be fewer now");
        queues.done(2);
        assert_eq!(queues.next(2), Some((1, 'd')));
    }

    #[test]
    fn cleared_items_are_not_returned_and_later_ones_are() {
        let mut queues = queues(&[(1, 'a'), (1, 'b'), (2, 'x')]);
        let (key, _) = queues.next(1).unwrap();
        queues.clear();
        queues.done(key);
        assert_eq!(queues.next(1), None);
        queues.push(1, 'c');
        assert_eq!(queues.next(1), Some((1, 'c')));
    }
}
