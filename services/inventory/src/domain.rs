//! The states of a reservation, and how an order's fate changes it.

mod lines;

use uuid::Uuid;

pub(crate) use lines::{Line, Lines, Shortage};

/// An order's hold on the stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reservation {
    pub(crate) order: Uuid,
    pub(crate) customer: String,
    pub(crate) state: State,
    /// Microseconds since the Unix epoch.
    pub(crate) expires_at: i64,
    /// In the order of their SKUs.
    pub(crate) lines: Vec<Line>,
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
    const ALL: [Self; 3] = [Self::Held, Self::Committed, Self::Released];

    /// The state as the database stores it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Committed => "committed",
            Self::Released => "released",
        }
    }

    pub(crate) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// The fate of an order, decided by `orders`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Paid,
    Cancelled,
}

/// How an order's fate changes its reservation.
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
    /// The change that the fate causes; `None` if it was applied already, or a later fate was.
    pub(crate) fn decide(state: State, fate: Fate) -> Option<Self> {
        match (state, fate) {
            (State::Held, Fate::Paid) => Some(Self::Commit),
            (State::Held, Fate::Cancelled) => Some(Self::Release),
            (State::Committed, Fate::Cancelled) => Some(Self::Return),
            (State::Committed, Fate::Paid) | (State::Released, _) => None,
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

    pub(crate) const ALL: [Self; 3] = [Self::Commit, Self::Release, Self::Return];

    /// The label in metrics and log lines.
    pub(crate) fn word(self) -> &'static str {
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
