//! The states of a shipment and its transitions. Pure: no clock, no I/O.
//!
//! ```text
//!  nothing ──order paid──▶ scheduled ──timer──▶ dispatched ──timer──▶ delivered
//!     │                        │                      │                    │
//!     ▼ order cancelled        ▼ order cancelled      └─ order cancelled ──┤
//!   void: never shipped    cancelled                                       ▼
//!                                                                       returned
//! ```

use std::time::Duration;

/// What happened to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    Paid,
    Cancelled,
}

/// The state of a shipment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It waits in the warehouse.
    Scheduled,
    Dispatched,
    Delivered,
    /// The order was cancelled before the parcel left the warehouse.
    Cancelled,
    /// The order was cancelled after the parcel had left.
    Returned,
    /// The order was cancelled before its payment arrived: an order that is paid for later is not shipped.
    Void,
}

impl State {
    pub(crate) const ALL: [Self; 6] = [
        Self::Scheduled,
        Self::Dispatched,
        Self::Delivered,
        Self::Cancelled,
        Self::Returned,
        Self::Void,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Dispatched => "dispatched",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
            Self::Returned => "returned",
            Self::Void => "void",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// The next state after news of the order; `None` if the state stays the same.
    pub(crate) fn after(current: Option<Self>, news: News) -> Option<Self> {
        match (current, news) {
            (None, News::Paid) => Some(Self::Scheduled),
            (None, News::Cancelled) => Some(Self::Void),
            (Some(Self::Scheduled), News::Cancelled) => Some(Self::Cancelled),
            (Some(Self::Dispatched | Self::Delivered), News::Cancelled) => Some(Self::Returned),
            _ => None,
        }
    }

    /// The next state when the timer fires; `None` if the state has no timer.
    pub(crate) fn after_timer(self) -> Option<Self> {
        match self {
            Self::Scheduled => Some(Self::Dispatched),
            Self::Dispatched => Some(Self::Delivered),
            _ => None,
        }
    }
}

/// The times between states.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) dispatch_after: Duration,
    pub(crate) deliver_after: Duration,
}

impl Pace {
    /// When the timer of a shipment that enters `state` now fires, in microseconds since the Unix epoch; `None` without a
    /// timer.
    pub(crate) fn due(self, state: State, now: i64) -> Option<i64> {
        let wait = match state {
            State::Scheduled => self.dispatch_after,
            State::Dispatched => self.deliver_after,
            _ => return None,
        };
        Some(now.saturating_add(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests;
