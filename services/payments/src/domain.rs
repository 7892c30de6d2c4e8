//! What a payment is, and what becomes of it. Pure: no clock, no I/O.
//!
//! ```text
//!  nothing ──placed──▶ asking ──charged──▶ authorized ──cancelled, refunded──▶ refunded ◀──┐
//!   │                   │└──refused──▶ declined                                            │ it was charged
//!   │                   └──unanswered, or cancelled──▶ unknown ──the charge is voided by its key──┴─ it was not ──▶ failed
//!   └──cancelled──▶ void: a charge asked for later is not made
//! ```
//!
//! Events may come again, and after a replayed dead letter out of order. So what to do follows from the wish and the state
//! together, and every end is an end: for a cancelled order no money is kept, for any order it is taken once. `asking` is written
//! before the third party is called: if the event becomes a dead letter after the call, the key is known by which to void it.

use std::time::Duration;

/// An amount in the smallest unit of its currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Money {
    pub(crate) currency: String,
    pub(crate) minor: i64,
}

/// What an order wants of us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// It was placed.
    Pay { amount: Money, token: String },
    /// It was cancelled.
    Cancel,
}

/// What the third party is to be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Errand<'a> {
    /// Nothing yet: first it has to be written down that a charge will be asked for, and by which key.
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

/// What the third party said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Charged {
        charge: String,
    },
    Declined {
        reason: String,
    },
    /// Nothing that can be understood, however often it was asked by this key: it may have charged.
    Silence {
        key: String,
    },
    Refunded,
    NotAsked,
}

/// Where a payment is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The third party is being asked for a charge by this key, or was when the event was set aside.
    Asking {
        key: String,
    },
    Authorized {
        charge: String,
    },
    Declined {
        reason: String,
    },
    /// It may have been charged: nobody knows until the charge is voided by this key. The order is cancelled meanwhile.
    Unknown {
        key: String,
    },
    /// It was not charged, and will not be.
    Failed,
    Refunded {
        charge: String,
    },
    /// Cancelled before there was anything to charge.
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

    /// What becomes of a charge that was unknown.
    pub(crate) fn resolved(voided: Voided) -> Self {
        match voided {
            Voided::NotCharged => Self::Failed,
            Voided::GivenBack { charge } => Self::Refunded { charge },
        }
    }
}

/// What the third party says of a charge that it was asked to void; from then on it charges nothing by its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Voided {
    NotCharged,
    GivenBack { charge: String },
}

/// When a charge whose outcome is unknown is resolved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// From the lost answer to the first attempt; doubled from attempt to attempt.
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Pace {
    /// When to try next after so many attempts, in microseconds.
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

/// The answer is to a question that the state does not ask any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Overtaken;

impl Wish {
    /// What has to be asked of the third party before the wish can be settled.
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

    /// The state that follows; `None` if nothing changes.
    ///
    /// # Errors
    /// The state has changed since the errand was decided.
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
                // Its placing was set aside: it may have been charged.
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
