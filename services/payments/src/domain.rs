//! The states of a payment and its transitions. Pure: no clock, no I/O.
//!
//! ```text
//!  nothing ──placed──▶ asking ──charged──▶ authorized ──cancelled, refunded──▶ refunded ◀──┐
//!   │                   │└──refused──▶ declined                                            │ it was charged
//!   │                   └──unanswered, or cancelled──▶ unknown ──the charge is voided by its key──┴─ it was not ──▶ failed
//!   └──cancelled──▶ void: a charge asked for later is not made
//! ```
//!
//! Events may arrive repeatedly and, after a dead letter was replayed, out of order. So the next step follows from the wish and
//! the state together, and final states never change: no money is kept for a cancelled order, and money is taken once for any
//! order. `asking` is written before the third party is called: if the event becomes a dead letter after the call, the key to
//! void the charge is known.

use std::time::Duration;

/// An amount in the smallest unit of its currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Money {
    pub(crate) currency: String,
    pub(crate) minor: i64,
}

/// What an order asks of this service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// The order was placed.
    Pay { amount: Money, token: String },
    /// The order was cancelled.
    Cancel,
}

/// The next request to the third party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Errand<'a> {
    /// No request yet: first the intent to charge and its idempotency key have to be written.
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

/// The third party's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Charged {
        charge: String,
    },
    Declined {
        reason: String,
    },
    /// No valid answer to any attempt with this key: the order may have been charged.
    Silence {
        key: String,
    },
    Refunded,
    NotAsked,
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
    pub(crate) fn word(&self) -> &'static str {
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
            Voided::GivenBack { charge } => Self::Refunded { charge },
        }
    }
}

/// The third party's answer to a void; from then on it makes no charge with this key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Voided {
    NotCharged,
    GivenBack { charge: String },
}

/// When a charge with an unknown outcome is voided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// The wait from the lost answer to the first attempt; it doubles with each attempt.
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Pace {
    /// The time of the next attempt after `attempts` of them, in microseconds since the Unix epoch.
    pub(crate) fn next_attempt(self, attempts: i64, now: i64) -> i64 {
        let doublings = u32::try_from(attempts.clamp(0, 20)).unwrap_or(20);
        let wait = self.first.saturating_mul(1 << doublings).min(self.longest);
        now.saturating_add(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX))
    }
}

/// One order's payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payment {
    pub(crate) order: String,
    pub(crate) customer: String,
    pub(crate) amount: Money,
    pub(crate) state: State,
}

/// The state changed meanwhile, so that the answer no longer fits it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Overtaken;

impl Wish {
    /// The request to the third party that is needed before the wish can be settled.
    pub(crate) fn errand<'a>(&'a self, state: Option<&'a State>) -> Errand<'a> {
        match (self, state) {
            (Self::Pay { amount, .. }, None) => Errand::Prepare { amount },
            (Self::Pay { amount, token }, Some(State::Asking { key })) => {
                Errand::Charge { key, amount, token }
            }
            (Self::Cancel, Some(State::Authorized { charge })) => Errand::Refund { charge },
            _ => Errand::Nothing,
        }
    }

    /// The next state; `None` if nothing changes.
    ///
    /// # Errors
    /// The state has changed since the errand was determined.
    pub(crate) fn settle(
        &self,
        state: Option<&State>,
        answer: Answer,
    ) -> Result<Option<State>, Overtaken> {
        match (self.errand(state), answer) {
            (Errand::Charge { .. }, Answer::Charged { charge }) => {
                Ok(Some(State::Authorized { charge }))
            }
            (Errand::Charge { .. }, Answer::Declined { reason }) => {
                Ok(Some(State::Declined { reason }))
            }
            (Errand::Charge { .. }, Answer::Silence { key }) => Ok(Some(State::Unknown { key })),
            (Errand::Refund { charge }, Answer::Refunded) => {
                Ok(Some(State::Refunded { charge: charge.into() }))
            }
            (Errand::Nothing, Answer::NotAsked) => Ok(match (self, state) {
                (Self::Cancel, None) => Some(State::Void),
                // The event that the order was placed is a dead letter: the order may have been charged.
                (Self::Cancel, Some(State::Asking { key })) => {
                    Some(State::Unknown { key: key.clone() })
                }
                _ => None,
            }),
            _ => Err(Overtaken),
        }
    }
}

#[cfg(test)]
mod tests;
