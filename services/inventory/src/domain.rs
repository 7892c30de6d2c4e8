//! What is reserved, and what an order's fate makes of it.

mod lines;

use uuid::Uuid;

pub(crate) use lines::{Line, Lines, Shortage};

/// One order's hold on the stock.
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

/// What became of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nobody else can have the goods.
    Held,
    /// The goods left the stock.
    Committed,
    /// The goods can be sold again. Final.
    Released,
}

impl State {
    const ALL: [Self; 3] = [Self::Held, Self::Committed, Self::Released];

    /// As the database has it.
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

/// What `orders` decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Paid,
    Cancelled,
}

/// What an order's fate does to its reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The held goods leave the stock.
    Commit,
    /// The held goods can be sold again.
    Release,
    /// The order was paid for, but cancelled before it was dispatched: the goods come back.
    Return,
}

impl Change {
    /// `None` if there is nothing to do: the fate is known already, or was overtaken by a later one.
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

    /// The stock's part of it.
    pub(crate) fn delta(self, quantity: i64) -> Delta {
        match self {
            Self::Commit => Delta { on_hand: -quantity, reserved: -quantity },
            Self::Release => Delta { on_hand: 0, reserved: -quantity },
            Self::Return => Delta { on_hand: quantity, reserved: 0 },
        }
    }

    pub(crate) const ALL: [Self; 3] = [Self::Commit, Self::Release, Self::Return];

    /// For metrics and log lines.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Commit => "committed",
            Self::Release => "released",
            Self::Return => "returned",
        }
    }
}

/// What is to be added to a product's stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delta {
    pub(crate) on_hand: i64,
    pub(crate) reserved: i64,
}

#[cfg(test)]
#[path = "domain/tests.rs"]
mod tests;
