//! Errors of the use cases.

use chassis::{Kind, database};
use proto::{
    limits::Violations,
    values::{Invalid, OrderId},
};

use crate::domain::Status;

/// What can go wrong with an order.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("no order {:?}", .0.as_str())]
    Unknown(OrderId),
    #[error("order {id} is {}: it can be cancelled only before it is dispatched", status.as_str())]
    NotCancellable { id: OrderId, status: Status },
    #[error("another transaction changed order {0} at the same time")]
    Conflict(OrderId),
    #[error("the idempotency key was used for another order")]
    KeyReused,
    #[error(
        "this order could not be placed in time, and its stock was released; place it with a new idempotency key"
    )]
    Abandoned,
    /// Fields of a request, and what is wrong with each.
    #[error("the request is invalid")]
    Malformed(Vec<(String, String)>),
    #[error("the event reports nothing about an order")]
    NoFact,
    #[error("the event breaks limits")]
    Limits(#[from] Violations),
    #[error(transparent)]
    Value(#[from] Invalid),
    #[error(transparent)]
    Remote(#[from] chassis::Error),
    #[error("database")]
    Database(#[from] database::Error),
}

/// The labels of refusals that are to be expected; any other would be a mistake of ours.
pub(crate) const REFUSALS: [&str; 8] = [
    "abandoned",
    "changed",
    "database",
    "deadline_exceeded",
    "idempotency_key_reused",
    "malformed",
    "out_of_stock",
    "unavailable",
];

impl Error {
    /// One field of a request is wrong.
    pub(crate) fn field(name: &str, what: String) -> Self {
        Self::Malformed(vec![(name.to_owned(), what)])
    }

    /// The label in the metric of refused orders.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "unknown",
            Self::NotCancellable { .. } => "not_cancellable",
            Self::Conflict(_) => "changed",
            Self::KeyReused => "idempotency_key_reused",
            Self::Abandoned => "abandoned",
            Self::Malformed(_) | Self::NoFact | Self::Limits(_) | Self::Value(_) => "malformed",
            Self::Remote(error) if error.reason_word() == Some("OUT_OF_STOCK") => "out_of_stock",
            Self::Remote(error) => error.kind().label(),
            Self::Database(_) => "database",
        }
    }
}

impl From<Error> for chassis::Error {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let (kind, reason) = match error {
            Error::Remote(error) => return error,
            Error::Database(error) => return error.into(),
            Error::Limits(violations) => return violations.into(),
            Error::NoFact | Error::Value(_) => return Self::new(Kind::Invalid, text),
            Error::Malformed(fields) => {
                let invalid = Self::new(Kind::Invalid, text);
                return fields
                    .into_iter()
                    .fold(invalid, |invalid, (field, what)| invalid.field(field, what));
            }
            Error::Unknown(_) => (Kind::NotFound, "UNKNOWN_ORDER"),
            Error::NotCancellable { .. } => (Kind::Precondition, "NOT_CANCELLABLE"),
            Error::Conflict(_) => (Kind::Conflict, "CHANGED"),
            Error::KeyReused => (Kind::Precondition, "IDEMPOTENCY_KEY_REUSED"),
            Error::Abandoned => (Kind::Precondition, "ORDER_ABANDONED"),
        };
        Self::new(kind, text).reason(reason)
    }
}
