//! The states of a payment and its transitions. Pure: no clock, no I/O.
//!
//! ```text
//!  nothing ──placed──▶ asking ──charged──▶ authorized ──cancelled, refunded──▶ refunded ◀──┐
//!   │                   │└──refused──▶ declined                                            │ it was charged
//!   │                   └──unanswered, or cancelled──▶ unknown ──the charge is voided by its key──┴─ it was not ──▶ failed
//!   └──cancelled──▶ void: a charge requested later is not made
//! ```
//!
//! Events may arrive repeatedly and, after a dead letter was replayed, out of order. So the next step follows from the command
//! and the state together, and final states never change: no money is kept for a cancelled order, and an order is charged once.
//! `asking` is written before the third party is called: if the event becomes a dead letter after the call, the key to void the
//! charge is known.

use std::time::Duration;

use chassis::retry::pause;
use proto::values::{CustomerId, Money, OrderId, Timestamp};

/// An order, and what it requires of this service.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) id: OrderId,
    pub(crate) customer: CustomerId,
    pub(crate) command: Command,
}

/// What an order requires of this service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// The order was placed.
    Pay { amount: Money, token: String },
    /// The order was cancelled.
    Cancel,
}

/// The next call of the third party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProviderCall<'a> {
    /// No call yet: first the intent to charge and its idempotency key have to be written.
    Prepare {
        amount: &'a Money,
    },
    Charge {
        key: &'a str,
        amount: &'a Money,
        token: &'a str,
    },
    Refund {
        charge: &'a str,
    },
    Nothing,
}

/// How the call of the third party ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Charged {
        charge: String,
    },
    Declined {
        reason: String,
    },
    /// No valid response to any attempt with this key: the order may have been charged.
    NoResponse {
        key: String,
    },
    Refunded,
    NotCalled,
}

/// The state of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// A charge with this key is being requested, or was when the event became a dead letter.
    Asking {
        key: String,
    },
    Authorized {
        charge: String,
    },
    Declined {
        reason: String,
    },
    /// The order may have been charged: it is unknown until the charge is voided by this key. The order is cancelled meanwhile.
    Unknown {
        key: String,
    },
    /// The order was not charged, and will not be.
    Failed,
    Refunded {
        charge: String,
    },
    /// The order was cancelled before it was charged.
    Void,
}

impl State {
    /// The state as metrics and the database have it.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Asking { .. } => "asking",
            Self::Authorized { .. } => "authorized",
            Self::Declined { .. } => "declined",
            Self::Unknown { .. } => "unknown",
            Self::Failed => "failed",
            Self::Refunded { .. } => "refunded",
            Self::Void => "void",
        }
    }

    /// The state that follows from an unknown one.
    pub(crate) fn resolved(voided: Voided) -> Self {
        match voided {
            Voided::NotCharged => Self::Failed,
            Voided::Refunded { charge } => Self::Refunded { charge },
        }
    }
}

/// The third party's response to a void; from then on it makes no charge with this key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Voided {
    NotCharged,
    Refunded { charge: String },
}

/// When a charge with an unknown outcome is voided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delays {
    /// The wait from the lost response to the first attempt; it doubles with each attempt.
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Delays {
    /// The time of the next attempt after `attempts` of them.
    pub(crate) fn next_attempt(self, attempts: i64, now: Timestamp) -> Timestamp {
        let earlier = u32::try_from(attempts.max(0)).unwrap_or(u32::MAX);
        now + pause(self.first, self.longest, earlier)
    }
}

/// One order's payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payment {
    pub(crate) order: OrderId,
    pub(crate) customer: CustomerId,
    /// `None` if the order was cancelled before its amount was known.
    pub(crate) amount: Option<Money>,
    pub(crate) state: State,
}

/// The state changed meanwhile, so that the outcome no longer fits it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Conflict;

impl Command {
    /// The call of the third party that is needed before the command can be settled.
    pub(crate) fn provider_call<'a>(&'a self, state: Option<&'a State>) -> ProviderCall<'a> {
        match (self, state) {
            (Self::Pay { amount, .. }, None) => ProviderCall::Prepare { amount },
            (Self::Pay { amount, token }, Some(State::Asking { key })) => {
                ProviderCall::Charge { key, amount, token }
            }
            (Self::Cancel, Some(State::Authorized { charge })) => ProviderCall::Refund { charge },
            _ => ProviderCall::Nothing,
        }
    }

    /// The next state; `None` if nothing changes.
    ///
    /// # Errors
    /// The state has changed since the call was determined.
    pub(crate) fn settle(
        &self,
        state: Option<&State>,
        outcome: Outcome,
    ) -> Result<Option<State>, Conflict> {
        match (self.provider_call(state), outcome) {
            (ProviderCall::Charge { .. }, Outcome::Charged { charge }) => {
                Ok(Some(State::Authorized { charge }))
            }
            (ProviderCall::Charge { .. }, Outcome::Declined { reason }) => {
                Ok(Some(State::Declined { reason }))
            }
            (ProviderCall::Charge { .. }, Outcome::NoResponse { key }) => {
                Ok(Some(State::Unknown { key }))
            }
            (ProviderCall::Refund { charge }, Outcome::Refunded) => {
                Ok(Some(State::Refunded { charge: charge.into() }))
            }
            (ProviderCall::Nothing, Outcome::NotCalled) => Ok(match (self, state) {
                (Self::Cancel, None) => Some(State::Void),
                // The event that the order was placed is a dead letter: the order may have been charged.
                (Self::Cancel, Some(State::Asking { key })) => {
                    Some(State::Unknown { key: key.clone() })
                }
                _ => None,
            }),
            _ => Err(Conflict),
        }
    }
}

#[cfg(test)]
mod tests;
