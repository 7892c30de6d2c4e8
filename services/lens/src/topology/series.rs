//! The calls of an edge or service over time, in small slots.

use std::collections::VecDeque;

use super::histogram::Histogram;
use crate::cost;

/// Short compared with the usual window of a minute, long compared with the second or two that exporters take.
pub(super) const SLOT_SECONDS: u64 = 5;

/// Five minutes, which is what a user who watches wants to see. Prometheus has older calls.
pub(super) const SLOTS: u64 = 60;

/// Calls of one edge, or of one service, in the last five minutes.
#[derive(Default)]
pub(super) struct Series {
    slots: VecDeque<Box<Slot>>,
}

#[derive(Default)]
struct Slot {
    number: u64,
    calls: u64,
    errors: u64,
    durations: Histogram,
}

/// One call or message, or, in a batch, several messages at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Observation {
    /// In seconds since the Unix epoch.
    pub(super) at: u64,
    pub(super) duration_us: u64,
    pub(super) is_error: bool,
    pub(super) times: u32,
}

/// The traffic in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Calls {
    pub(crate) calls: u64,
    pub(crate) errors: u64,
    pub(crate) p50_us: Option<f64>,
    pub(crate) p99_us: Option<f64>,
}

impl Series {
    /// The maximum size of one series in bytes.
    pub(super) const LARGEST: usize =
        SLOTS as usize * (cost::allocation(size_of::<Slot>()) + 2 * size_of::<Box<Slot>>());

    pub(super) fn bytes(&self) -> usize {
        cost::allocation(self.slots.capacity() * size_of::<Box<Slot>>())
            + self.slots.len() * cost::allocation(size_of::<Slot>())
    }

    pub(super) fn record(&mut self, seen: Observation) {
        let number = seen.at / SLOT_SECONDS;
        // Late calls are seldom: usually it is the last slot, or the one after it.
        let later = self.slots.iter().rev().take_while(|slot| slot.number > number).count();
        let mut place = self.slots.len() - later;
        if place == 0 || self.slots[place - 1].number < number {
            self.slots.insert(place, Box::new(Slot { number, ..Slot::default() }));
            place += 1;
        }
        let slot = &mut self.slots[place - 1];
        slot.calls += u64::from(seen.times);
        slot.errors += if seen.is_error { u64::from(seen.times) } else { 0 };
        slot.durations.record(seen.duration_us, seen.times);
        // A slot older than the window of the newest one has no query.
        while self.slots.len() > SLOTS as usize {
            self.slots.pop_front();
        }
    }

    /// Drops what is older than five minutes.
    pub(super) fn forget(&mut self, now: u64) {
        while self.slots.front().is_some_and(|oldest| oldest.number + SLOTS <= now) {
            self.slots.pop_front();
        }
        if self.slots.is_empty() {
            self.slots.shrink_to_fit();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The traffic from slot `from` on.
    pub(super) fn since(&self, from: u64) -> Calls {
        let mut durations = Histogram::default();
        let mut sum = Calls::default();
        for slot in self.slots.iter().filter(|slot| slot.number >= from) {
            sum.calls += slot.calls;
            sum.errors += slot.errors;
            durations.add(&slot.durations);
        }
        Calls { p50_us: durations.quantile_us(0.5), p99_us: durations.quantile_us(0.99), ..sum }
    }
}
