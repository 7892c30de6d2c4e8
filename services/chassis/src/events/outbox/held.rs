//! What waits although the broker takes other events: topics that do not exist, and keys whose next event was refused for
//! a reason that may pass. Later rows of the same topic or key wait, too, so that the order is kept.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use super::table::Row;
use crate::retry;

/// The pause after the first refusal. It doubles with each further one.
const PAUSE: Duration = Duration::from_millis(200);
/// The longest pause. Also how often the relay checks whether a missing topic exists.
const PAUSE_CAP: Duration = Duration::from_secs(5);
/// After this many refusals (25 s) the row is set aside: the reason is not expected to pass.
const ATTEMPTS: u32 = 10;

/// Topics and keys that wait.
#[derive(Default)]
pub(super) struct Held {
    topics: HashMap<String, Topic>,
    keys: HashMap<(String, String), Key>,
    /// When an event of each topic was last sent.
    last_sent: HashMap<String, Instant>,
}

struct Topic {
    reason: String,
    until: Instant,
}

struct Key {
    seq: i64,
    attempts: u32,
    tried: Instant,
    until: Instant,
}

impl Held {
    /// Returns whether no topic and no key waits.
    pub(super) fn is_empty(&self) -> bool {
        self.topics.is_empty() && self.keys.is_empty()
    }

    /// Returns whether this row must wait for now.
    pub(super) fn holds(&self, row: &Row) -> bool {
        self.topics.contains_key(&row.topic)
            || self.keys.get(&key(row)).is_some_and(|key| key.until > Instant::now())
    }

    /// Returns the topics that take no events.
    pub(super) fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.keys().map(String::as_str)
    }

    /// Returns the topics that are due to be checked again.
    pub(super) fn due(&self) -> Vec<String> {
        let now = Instant::now();
        let due = self.topics.iter().filter(|(_, topic)| topic.until <= now);
        due.map(|(name, _)| name.clone()).collect()
    }

    /// Holds up all rows of a topic that takes no events.
    pub(super) fn hold_topic(&mut self, name: &str, reason: String) {
        let topic = Topic { reason, until: Instant::now() + PAUSE_CAP };
        self.topics.insert(name.to_owned(), topic);
    }

    /// Holds up a topic for another pause: it still takes no events.
    pub(super) fn postpone_topic(&mut self, name: &str) {
        if let Some(topic) = self.topics.get_mut(name) {
            topic.until = Instant::now() + PAUSE_CAP;
        }
    }

    /// Lets the rows of a topic be sent again.
    pub(super) fn release_topic(&mut self, name: &str) {
        self.topics.remove(name);
    }

    /// Notes that the broker took a row.
    pub(super) fn record_sent(&mut self, row: &Row) {
        self.keys.remove(&key(row));
        match self.last_sent.get_mut(&row.topic) {
            Some(at) => *at = Instant::now(),
            None => drop(self.last_sent.insert(row.topic.clone(), Instant::now())),
        }
    }

    /// Notes that a row was set aside: later rows of its key may be sent.
    pub(super) fn record_set_aside(&mut self, row: &Row) {
        self.keys.remove(&key(row));
    }

    /// Notes that a row was refused for an unknown reason. Returns the number of attempts once the row has had enough of them,
    /// `None` while it waits. An attempt counts only if the topic took another event since the last one: a broker that takes no
    /// event says nothing about this row.
    pub(super) fn record_refusal(&mut self, row: &Row) -> Option<u32> {
        let now = Instant::now();
        let last_sent = self.last_sent.get(&row.topic).copied();
        let first = Key { seq: row.seq, attempts: 0, tried: now, until: now };
        let key = self.keys.entry(key(row)).or_insert(first);
        if key.seq != row.seq {
            (key.seq, key.attempts) = (row.seq, 0);
        }
        if key.attempts == 0 || last_sent.is_some_and(|last_sent| last_sent > key.tried) {
            key.attempts += 1;
        }
        key.tried = now;
        key.until = now + retry::pause(PAUSE, PAUSE_CAP, key.attempts - 1);
        (key.attempts >= ATTEMPTS).then_some(key.attempts)
    }

    /// Describes in one line what waits and why; `None` if nothing does.
    pub(super) fn describe(&self) -> Option<String> {
        let topics = self.topics.iter().map(|(name, topic)| format!("{name}: {}", topic.reason));
        let keys = (!self.keys.is_empty())
            .then(|| format!("the events of {} keys are refused", self.keys.len()));
        let all: Vec<_> = topics.chain(keys).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

fn key(row: &Row) -> (String, String) {
    (row.topic.clone(), row.key.clone())
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn row(seq: i64, key: &str) -> Row {
        Row { seq, topic: "orders.events".into(), key: key.into(), ..Row::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_key_waits_and_is_given_up_only_while_others_are_taken() {
        let mut held = Held::default();
        for _ in 0..100 {
            assert_eq!(held.record_refusal(&row(1, "a")), None, "nothing was taken meanwhile");
            assert!(held.holds(&row(2, "a")) && !held.holds(&row(3, "b")));
            advance(PAUSE_CAP).await;
            assert!(!held.holds(&row(1, "a")), "it is tried again");
        }
        let mut attempts = 1;
        let given_up = loop {
            advance(PAUSE_CAP).await;
            held.record_sent(&row(4, "b"));
            advance(PAUSE).await;
            attempts += 1;
            if let Some(attempts) = held.record_refusal(&row(1, "a")) {
                break attempts;
            }
        };
        assert_eq!((given_up, attempts), (ATTEMPTS, ATTEMPTS));
        held.record_set_aside(&row(1, "a"));
        assert!(!held.holds(&row(2, "a")), "what comes after it follows");
        assert!(held.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_topic_that_takes_nothing_holds_its_rows_until_it_is_released() {
        let mut held = Held::default();
        held.hold_topic("orders.events", "it does not exist".into());
        assert!(held.holds(&row(1, "a")) && held.due().is_empty());
        assert_eq!(held.describe().unwrap(), "orders.events: it does not exist");
        advance(PAUSE_CAP).await;
        assert_eq!(held.due(), ["orders.events"]);
        assert!(held.holds(&row(1, "a")), "due is not released");
        held.release_topic("orders.events");
        assert!(!held.holds(&row(1, "a")));
        assert_eq!(held.describe(), None);
    }
}
