//! Pairs the spans of the two sides of a call or message. They come from two processes, in any order.

use std::collections::{HashMap, VecDeque};

use super::role::Protocol;
use crate::{
    cost,
    domain::{SpanId, TraceId},
};

/// How long a span waits for the other side: exporters send within seconds; after this time the other side is not traced.
const HELD_SECONDS: u64 = 30;

/// The maximum of receivers that wait for one sender: a record has some consumer groups, and more are a mistake.
const MOST_WAITING: usize = 16;

/// A span that may have children in other services: the sender, with what it has seen of the call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Caller {
    pub(super) service: u16,
    pub(super) protocol: Protocol,
    pub(super) duration_us: u64,
    pub(super) is_error: bool,
    /// A message may have several receivers; a call has one.
    pub(super) is_message: bool,
    /// The node of the server that a call names: it is the other side if no service sends a span of it.
    pub(super) server: Option<u16>,
}

/// The receiver: a span whose parent or link is a [`Caller`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Callee {
    pub(super) service: u16,
    pub(super) is_error: bool,
}

/// Half of the trace id and the span id: both are random, so keys do not collide by chance.
type Key = (u64, u64);

enum Half {
    Caller(Caller),
    Callees(Vec<Callee>),
}

/// The spans that wait for the other side: a bounded number, for a bounded time.
pub(super) struct Pairing {
    halves: HashMap<Key, Half>,
    oldest_first: VecDeque<(Key, u64)>,
    waiting: usize,
    most: usize,
}

fn key(trace: TraceId, span: SpanId) -> Key {
    (trace.get() as u64, span.get())
}

impl Pairing {
    pub(super) fn new(budget: usize) -> Self {
        // A table has up to twice the buckets that it uses, and so does the queue.
        let each = 2 * (size_of::<(Key, Half)>() + 1 + size_of::<(Key, u64)>());
        Self {
            halves: HashMap::new(),
            oldest_first: VecDeque::new(),
            waiting: 0,
            most: budget / each,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        cost::table::<(Key, Half)>(self.halves.capacity())
            + cost::allocation(self.oldest_first.capacity() * size_of::<(Key, u64)>())
            + self.waiting * cost::allocation(4 * size_of::<Callee>())
    }

    /// Adds a sender; returns the receivers that have arrived before it.
    pub(super) fn caller(
        &mut self,
        trace: TraceId,
        span: SpanId,
        caller: Caller,
        now: u64,
    ) -> Vec<Callee> {
        let key = key(trace, span);
        let Some(Half::Callees(callees)) = self.halves.remove(&key) else {
            self.hold(key, Half::Caller(caller), now);
            return Vec::new();
        };
        self.waiting -= callees.len();
        if caller.is_message {
            self.halves.insert(key, Half::Caller(caller));
        }
        callees
    }

    /// Adds a receiver; returns the sender if it has arrived before.
    pub(super) fn callee(
        &mut self,
        trace: TraceId,
        parent: SpanId,
        callee: Callee,
        now: u64,
    ) -> Option<Caller> {
        let key = key(trace, parent);
        match self.halves.get_mut(&key) {
            Some(Half::Caller(caller)) => {
                let caller = *caller;
                if !caller.is_message {
                    self.halves.remove(&key);
                }
                return Some(caller);
            }
            Some(Half::Callees(callees)) if callees.len() < MOST_WAITING => {
                callees.push(callee);
                self.waiting += 1;
            }
            Some(Half::Callees(_)) => {}
            None => {
                self.waiting += 1;
                self.hold(key, Half::Callees(vec![callee]), now);
            }
        }
        None
    }

    fn hold(&mut self, key: Key, half: Half, now: u64) {
        self.halves.insert(key, half);
        self.oldest_first.push_back((key, now));
        while self.oldest_first.len() > self.most {
            self.drop_oldest();
        }
    }

    /// Drops spans that have waited long enough; returns the senders whose other side is not traced.
    pub(super) fn forget(&mut self, now: u64) -> Vec<Caller> {
        let mut alone = Vec::new();
        while self.oldest_first.front().is_some_and(|(_, since)| since + HELD_SECONDS < now) {
            alone.extend(self.drop_oldest());
        }
        let used = self.halves.len();
        if self.halves.capacity() > 64 + used * 4 {
            self.halves.shrink_to(used * 2);
            self.oldest_first.shrink_to(self.oldest_first.len() * 2);
        }
        alone
    }

    fn drop_oldest(&mut self) -> Option<Caller> {
        let (key, _) = self.oldest_first.pop_front()?;
        match self.halves.remove(&key)? {
            Half::Caller(caller) => Some(caller).filter(|caller| !caller.is_message),
            Half::Callees(callees) => {
                self.waiting -= callees.len();
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDERS: Caller = Caller {
        service: 1,
        protocol: Protocol::Grpc,
        duration_us: 900,
        is_error: false,
        is_message: false,
        server: None,
    };
    const STOCK: Callee = Callee { service: 2, is_error: false };

    fn id(span: u64) -> (TraceId, SpanId) {
        (TraceId::new(1).unwrap(), SpanId::new(span).unwrap())
    }

    #[test]
    fn halves_meet_in_either_order() {
        let mut pairing = Pairing::new(1 << 16);
        let (trace, span) = id(1);
        assert_eq!(pairing.caller(trace, span, ORDERS, 0), []);
        assert_eq!(pairing.callee(trace, span, STOCK, 0), Some(ORDERS));
        let (trace, span) = id(2);
        assert_eq!(pairing.callee(trace, span, STOCK, 0), None);
        assert_eq!(pairing.caller(trace, span, ORDERS, 0), [STOCK]);
    }

    #[test]
    fn a_message_meets_every_receiver() {
        let mut pairing = Pairing::new(1 << 16);
        let (trace, span) = id(1);
        let sent = Caller { is_message: true, ..ORDERS };
        assert_eq!(pairing.callee(trace, span, STOCK, 0), None);
        assert_eq!(pairing.callee(trace, span, STOCK, 0), None);
        assert_eq!(pairing.caller(trace, span, sent, 0), [STOCK, STOCK]);
        assert_eq!(pairing.callee(trace, span, STOCK, 0), Some(sent));
    }

    #[test]
    fn halves_without_another_are_forgotten_by_number_and_by_time() {
        let mut pairing = Pairing::new(1 << 16);
        for span in 1..100_000 {
            let (trace, span) = id(span);
            if span.get() % 2 == 0 {
                pairing.callee(trace, span, STOCK, 0);
            } else {
                pairing.caller(trace, span, ORDERS, 0);
            }
        }
        assert!(pairing.bytes() < 1 << 17, "{}", pairing.bytes());
        let alone = pairing.forget(HELD_SECONDS + 1);
        assert!(!alone.is_empty() && alone.iter().all(|caller| *caller == ORDERS));
        assert_eq!((pairing.halves.len(), pairing.waiting), (0, 0));
        assert!(pairing.bytes() < 8_192, "{}", pairing.bytes());
    }
}
