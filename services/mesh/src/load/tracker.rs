//! The tracker of a load: which orders were sent, what was answered, and how each ended. Pure; times are since the load began.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use hdrhistogram::Histogram;

use super::report::{Percentiles, Report};

/// How an order ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Completed,
    Cancelled,
}

/// What is known of every order of this load, and, for a while, of orders of others.
pub(super) struct OrderTracker {
    sent: u64,
    accepted: u64,
    refused: BTreeMap<String, u64>,
    completed: u64,
    cancelled: u64,
    lost: u64,
    duplicates: u64,
    /// Accepted orders that have not ended, with the time when each was meant to be sent.
    open: HashMap<String, Duration>,
    /// Orders that ended before the load received their id, or that another client placed.
    early: Recent<(Duration, Outcome)>,
    ended: Recent<Outcome>,
    accepted_us: Histogram<u64>,
    completed_us: Histogram<u64>,
}

/// The maximum of the histograms: no load waits longer than an hour for an order; longer times count as one hour.
const LONGEST_US: u64 = 3_600_000_000;

impl OrderTracker {
    pub(super) fn new() -> Self {
        let histogram = || {
            Histogram::new_with_bounds(1, LONGEST_US, 3).expect("bounds and precision it can have")
        };
        Self {
            sent: 0,
            accepted: 0,
            refused: BTreeMap::new(),
            completed: 0,
            cancelled: 0,
            lost: 0,
            duplicates: 0,
            open: HashMap::new(),
            early: Recent::default(),
            ended: Recent::default(),
            accepted_us: histogram(),
            completed_us: histogram(),
        }
    }

    pub(super) fn sent(&mut self) {
        self.sent += 1;
    }

    /// Notes that an order was not accepted, with the reason: a status code, or a word.
    pub(super) fn refused(&mut self, why: String) {
        *self.refused.entry(why).or_default() += 1;
    }

    /// Notes that an order was accepted that was meant to be sent at `meant`.
    pub(super) fn accepted(&mut self, id: String, meant: Duration, now: Duration) {
        self.accepted += 1;
        record(&mut self.accepted_us, now.saturating_sub(meant));
        if self.open.contains_key(&id) || self.ended.get(&id).is_some() {
            // Two requests became one order.
            self.duplicates += 1;
        } else if let Some((at, outcome)) = self.early.remove(&id) {
            self.end(id, meant, at, outcome);
        } else {
            self.open.insert(id, meant);
        }
    }

    /// Notes that an order has ended.
    pub(super) fn ended(&mut self, id: &str, outcome: Outcome, at: Duration) {
        if let Some(meant) = self.open.remove(id) {
            self.end(id.to_owned(), meant, at, outcome);
        } else if let Some(before) = self.ended.get(id) {
            // The same end may be reported twice; two different ends are an error.
            if *before != outcome {
                self.duplicates += 1;
            }
        } else if self.early.get(id).is_none() {
            self.early.insert(id.to_owned(), (at, outcome), at);
        }
    }

    fn end(&mut self, id: String, meant: Duration, at: Duration, outcome: Outcome) {
        match outcome {
            Outcome::Completed => {
                self.completed += 1;
                record(&mut self.completed_us, at.saturating_sub(meant));
            }
            Outcome::Cancelled => self.cancelled += 1,
        }
        self.ended.insert(id, outcome, at);
    }

    /// Notes that an order that was accepted is unknown to the mesh.
    pub(super) fn lost(&mut self, id: &str) {
        self.lost += u64::from(self.open.remove(id).is_some());
    }

    /// The number of accepted orders that have not ended.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// The open orders that were meant to be sent more than `age` ago.
    pub(super) fn overdue(&self, now: Duration, age: Duration) -> Vec<String> {
        let old = self.open.iter().filter(|(_, meant)| now.saturating_sub(**meant) > age);
        old.map(|(id, _)| id.clone()).collect()
    }

    /// The totals; open orders count as unfinished.
    pub(super) fn report(&self, rate: f64, duration: Duration) -> Report {
        Report {
            rate,
            duration: duration.as_secs_f64(),
            sent: self.sent,
            accepted: self.accepted,
            refused: self.refused.clone(),
            completed: self.completed,
            cancelled: self.cancelled,
            unfinished: self.open.len() as u64,
            lost: self.lost,
            duplicates: self.duplicates,
            accepted_ms: Percentiles::of(&self.accepted_us),
            completed_ms: Percentiles::of(&self.completed_us),
        }
    }
}

fn record(histogram: &mut Histogram<u64>, took: Duration) {
    let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    histogram.saturating_record(microseconds.max(1));
}

/// A map that forgets entries after one to two minutes: a load may run for days.
struct Recent<V> {
    young: HashMap<String, V>,
    old: HashMap<String, V>,
    turned: Duration,
}

const TURN: Duration = Duration::from_secs(60);

impl<V> Default for Recent<V> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), turned: Duration::ZERO }
    }
}

impl<V> Recent<V> {
    fn get(&self, id: &str) -> Option<&V> {
        self.young.get(id).or_else(|| self.old.get(id))
    }

    fn remove(&mut self, id: &str) -> Option<V> {
        self.young.remove(id).or_else(|| self.old.remove(id))
    }

    fn insert(&mut self, id: String, value: V, now: Duration) {
        if now.saturating_sub(self.turned) > TURN {
            self.old = std::mem::take(&mut self.young);
            self.turned = now;
        }
        self.young.insert(id, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn report(tracker: &OrderTracker) -> Report {
        tracker.report(1.0, ms(1000))
    }

    #[test]
    fn latencies_begin_when_an_order_was_meant_to_be_sent() {
        let mut tracker = OrderTracker::new();
        tracker.sent();
        tracker.accepted("a".into(), ms(10), ms(14));
        assert_eq!(tracker.open(), 1);
        tracker.ended("a", Outcome::Completed, ms(30));
        let report = report(&tracker);
        let counts = (report.sent, report.accepted, report.completed, report.unfinished);
        assert_eq!(counts, (1, 1, 1, 0));
        let (accepted, completed) = (report.accepted_ms.unwrap(), report.completed_ms.unwrap());
        assert!((accepted.max - 4.0).abs() < 0.01 && (completed.p50 - 20.0).abs() < 0.02);
    }

    #[test]
    fn an_end_may_be_seen_before_the_answer() {
        let mut tracker = OrderTracker::new();
        tracker.ended("a", Outcome::Completed, ms(12));
        tracker.ended("of somebody else", Outcome::Completed, ms(12));
        tracker.accepted("a".into(), ms(10), ms(14));
        let report = report(&tracker);
        assert_eq!((report.completed, report.unfinished, report.duplicates), (1, 0, 0));
    }

    #[test]
    fn what_does_not_end_is_unfinished_and_what_is_unknown_is_lost() {
        let mut tracker = OrderTracker::new();
        tracker.accepted("a".into(), ms(0), ms(1));
        tracker.accepted("b".into(), ms(900), ms(901));
        assert_eq!(tracker.overdue(ms(1000), ms(500)), ["a"]);
        assert_eq!((report(&tracker).unfinished, report(&tracker).lost), (2, 0));
        tracker.lost("a");
        tracker.lost("of somebody else");
        assert_eq!((report(&tracker).unfinished, report(&tracker).lost), (1, 1));
        assert!(!report(&tracker).is_good());
    }

    #[test]
    fn a_repeated_update_is_no_duplicate_and_a_second_end_is_one() {
        let mut tracker = OrderTracker::new();
        tracker.accepted("a".into(), ms(0), ms(1));
        tracker.ended("a", Outcome::Completed, ms(2));
        tracker.ended("a", Outcome::Completed, ms(3));
        assert_eq!(report(&tracker).duplicates, 0);
        tracker.ended("a", Outcome::Cancelled, ms(4));
        assert_eq!(report(&tracker).duplicates, 1);
        tracker.accepted("a".into(), ms(5), ms(6));
        assert_eq!(report(&tracker).duplicates, 2);
    }

    #[test]
    fn refusals_are_counted_by_their_reason() {
        let mut tracker = OrderTracker::new();
        for why in ["429", "503", "429"] {
            tracker.refused(why.into());
        }
        assert_eq!(
            report(&tracker).refused,
            BTreeMap::from([("429".into(), 2), ("503".into(), 1)])
        );
    }

    #[test]
    fn a_long_load_forgets() {
        let mut recent = Recent::default();
        recent.insert("a".into(), (), ms(0));
        recent.insert("b".into(), (), ms(61_000));
        assert!(recent.get("a").is_some());
        recent.insert("c".into(), (), ms(122_000));
        assert!(recent.get("a").is_none() && recent.get("b").is_some());
    }
}
