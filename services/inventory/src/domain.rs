//! The states of a reservation, and how an order's outcome changes it. Pure: no clock, no I/O.
//!
//! ```text
//!  nothing ──reserve──▶ held ──paid──▶ committed ──cancelled──▶ released: the goods return to the stock
//!     │                  └──cancelled──▶ released
//!     └──cancelled──▶ released, without items: nothing is reserved later
//! ```

mod items;

use proto::values::{CustomerId, OrderId, Timestamp};

pub(crate) use items::{Item, Shortage, by_sku};

/// A request to reserve stock for an order: each product once.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) order: OrderId,
    pub(crate) customer: CustomerId,
    /// In the order of the request, since errors refer to items by their index.
    pub(crate) items: Vec<Item>,
}

/// An order whose outcome is known.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) id: OrderId,
    pub(crate) customer: CustomerId,
    pub(crate) outcome: OrderOutcome,
}

/// An order's hold on the stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reservation {
    pub(crate) order: OrderId,
    pub(crate) customer: CustomerId,
    pub(crate) state: State,
    pub(crate) expires_at: Timestamp,
    /// In the order of their SKUs.
    pub(crate) items: Vec<Item>,
}

/// The state of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The goods are held: no other order can have them.
    Held,
    /// The goods left the stock.
    Committed,
    /// The goods can be sold again. This state is final.
    Released,
}

impl State {
    pub(crate) const ALL: [Self; 3] = [Self::Held, Self::Committed, Self::Released];

    /// The state as the database has it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Committed => "committed",
            Self::Released => "released",
        }
    }
}

/// The outcome of an order, decided by `orders`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderOutcome {
    Paid,
    Cancelled,
}

/// How an order's outcome changes its reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The held goods leave the stock.
    Commit,
    /// The held goods can be sold again.
    Release,
    /// The order was cancelled after it was paid for, but before it was dispatched: the goods return to the stock.
    Return,
}

impl Change {
    pub(crate) const ALL: [Self; 3] = [Self::Commit, Self::Release, Self::Return];

    /// The change that the outcome causes; `None` if it was applied already, or a later outcome was.
    pub(crate) fn decide(state: State, outcome: OrderOutcome) -> Option<Self> {
        match (state, outcome) {
            (State::Held, OrderOutcome::Paid) => Some(Self::Commit),
            (State::Held, OrderOutcome::Cancelled) => Some(Self::Release),
            (State::Committed, OrderOutcome::Cancelled) => Some(Self::Return),
            (State::Committed, OrderOutcome::Paid) | (State::Released, _) => None,
        }
    }

    /// The reservation's state afterwards.
    pub(crate) fn state(self) -> State {
        match self {
            Self::Commit => State::Committed,
            Self::Release | Self::Return => State::Released,
        }
    }

    /// The change of the product's stock.
    pub(crate) fn delta(self, quantity: i64) -> Delta {
        match self {
            Self::Commit => Delta { on_hand: -quantity, reserved: -quantity },
            Self::Release => Delta { on_hand: 0, reserved: -quantity },
            Self::Return => Delta { on_hand: quantity, reserved: 0 },
        }
    }

    /// The label in metrics and log lines.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Commit => "committed",
            Self::Release => "released",
            Self::Return => "returned",
        }
    }
}

/// The numbers to add to a product's stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delta {
    pub(crate) on_hand: i64,
    pub(crate) reserved: i64,
}

#[cfg(test)]
#[path = "domain/tests.rs"]
mod tests;
