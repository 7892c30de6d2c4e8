//! Decides which lane is next.

use std::collections::{HashMap, HashSet, VecDeque};

/// Items in lanes: one at a time of each lane, in order, and at most a given number of lanes at once. The lanes take turns, so
/// that a lane with many items does not keep the others waiting.
#[derive(Debug)]
pub(super) struct Turns<T> {
    queues: HashMap<u64, VecDeque<T>>,
    /// Lanes with queued items and none in progress.
    waiting: VecDeque<u64>,
    under_way: HashSet<u64>,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self { queues: HashMap::new(), waiting: VecDeque::new(), under_way: HashSet::new() }
    }
}

impl<T> Turns<T> {
    pub(super) fn push(&mut self, lane: u64, thing: T) {
        let queue = self.queues.entry(lane).or_default();
        if queue.is_empty() && !self.under_way.contains(&lane) {
            self.waiting.push_back(lane);
        }
        queue.push_back(thing);
    }

    /// Returns the next item and its lane, if fewer than `most` are in progress.
    pub(super) fn next(&mut self, most: usize) -> Option<(u64, T)> {
        if self.under_way.len() >= most {
            return None;
        }
        let lane = self.waiting.pop_front()?;
        let queue = self.queues.get_mut(&lane)?;
        let thing = queue.pop_front()?;
        if queue.is_empty() {
            self.queues.remove(&lane);
        }
        self.under_way.insert(lane);
        Some((lane, thing))
    }

    /// Notes that the item in progress in a lane is done.
    pub(super) fn done(&mut self, lane: u64) {
        if self.under_way.remove(&lane) && self.queues.contains_key(&lane) {
            self.waiting.push_back(lane);
        }
    }

    /// Marks a lane as busy with another task: until that is done, its items wait.
    pub(super) fn occupy(&mut self, lane: u64) {
        self.under_way.insert(lane);
    }

    /// Forgets the items that are not in progress.
    pub(super) fn clear(&mut self) {
        self.queues.clear();
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(things: &[(u64, char)]) -> Turns<char> {
        let mut turns = Turns::default();
        for (lane, thing) in things {
            turns.push(*lane, *thing);
        }
        turns
    }

    #[test]
    fn a_lane_has_one_thing_under_way_and_others_go_between() {
        let mut turns = turns(&[(1, 'a'), (1, 'b'), (1, 'c'), (2, 'x')]);
        let mut order = String::new();
        while let Some((lane, thing)) = turns.next(1) {
            assert!(turns.next(1).is_none());
            order.push(thing);
            turns.done(lane);
        }
        assert_eq!(order, "axbc");
    }

    #[test]
    fn no_more_are_under_way_than_may_be() {
        let mut turns = turns(&[(1, 'a'), (2, 'b'), (3, 'c'), (1, 'd')]);
        assert_eq!(turns.next(2), Some((1, 'a')));
        assert_eq!(turns.next(2), Some((2, 'b')));
        assert_eq!(turns.next(2), None);
        assert_eq!(turns.next(4), Some((3, 'c')));
        assert_eq!(turns.next(4), None, "the first of its lane is under way");
        turns.done(1);
        assert_eq!(turns.next(2), None, "there may be fewer now");
        turns.done(2);
        assert_eq!(turns.next(2), Some((1, 'd')));
    }

    #[test]
    fn what_is_forgotten_does_not_come_back() {
        let mut turns = turns(&[(1, 'a'), (1, 'b'), (2, 'x')]);
        let (lane, _) = turns.next(1).unwrap();
        turns.clear();
        turns.done(lane);
        assert_eq!(turns.next(1), None);
        turns.push(1, 'c');
        assert_eq!(turns.next(1), Some((1, 'c')));
    }
}
