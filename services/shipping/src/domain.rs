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

use proto::values::Timestamp;

/// The outcome of an order's payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderOutcome {
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
    /// The order was cancelled before its payment arrived: if it is paid later, it is not shipped.
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

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Dispatched => "dispatched",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
            Self::Returned => "returned",
            Self::Void => "void",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// The next state after the outcome of the order; `None` if the state stays the same.
    pub(crate) fn after(current: Option<Self>, outcome: OrderOutcome) -> Option<Self> {
        match (current, outcome) {
            (None, OrderOutcome::Paid) => Some(Self::Scheduled),
            (None, OrderOutcome::Cancelled) => Some(Self::Void),
            (Some(Self::Scheduled), OrderOutcome::Cancelled) => Some(Self::Cancelled),
            (Some(Self::Dispatched | Self::Delivered), OrderOutcome::Cancelled) => {
                Some(Self::Returned)
            }
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
pub(crate) struct Delays {
    pub(crate) dispatch_after: Duration,
    pub(crate) deliver_after: Duration,
}

impl Delays {
    /// When the timer of a shipment that enters `state` now fires; `None` without a timer.
    pub(crate) fn due(self, state: State, now: Timestamp) -> Option<Timestamp> {
        match state {
            State::Scheduled => Some(now + self.dispatch_after),
            State::Dispatched => Some(now + self.deliver_after),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
