//! Errors of the use cases.

use chassis::{Kind, database};
use proto::limits::Violations;

use crate::domain::Status;

/// What may go wrong with an order.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("no order {0:?}")]
    Unknown(String),
    #[error("order {id} is {}: it can be cancelled only before it is dispatched", status.word())]
    NotCancellable { id: String, status: Status },
    #[error("order {0} was changed by somebody else at the same time")]
    Changed(String),
    #[error("the idempotency key was used for another order")]
    KeyReused,
    #[error(
        "this order could not be placed in time, and its stock was released; place it with a new idempotency key"
    )]
    Abandoned,
    #[error("the request is not an order")]
    Malformed(Vec<(String, String)>),
    #[error("the event breaks limits")]
    Limits(#[from] Violations),
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
    /// The label in the metric of refused orders.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "unknown",
            Self::NotCancellable { .. } => "not_cancellable",
            Self::Changed(_) => "changed",
            Self::KeyReused => "idempotency_key_reused",
            Self::Abandoned => "abandoned",
            Self::Malformed(_) | Self::Limits(_) => "malformed",
            Self::Remote(error) if error.reason_word() == Some("OUT_OF_STOCK") => "out_of_stock",
            Self::Remote(error) => error.kind().label(),
            Self::Database(_) => "database",
        }
    }
}

impl From<Error> for chassis::Error {
    fn from(error: Error) -> Self {
        let (kind, reason) = match error {
            Error::Remote(error) => return error,
            Error::Database(error) => return error.into(),
            Error::Limits(violations) => return violations.into(),
            Error::Malformed(fields) => {
                let refused = Self::new(Kind::Invalid, "the request is not an order");
                return fields
                    .into_iter()
                    .fold(refused, |refused, (field, what)| refused.field(field, what));
            }
            Error::Unknown(_) => (Kind::NotFound, "UNKNOWN_ORDER"),
            Error::NotCancellable { .. } => (Kind::Precondition, "NOT_CANCELLABLE"),
            Error::Changed(_) => (Kind::Conflict, "CHANGED"),
            Error::KeyReused => (Kind::Precondition, "IDEMPOTENCY_KEY_REUSED"),
            Error::Abandoned => (Kind::Precondition, "ORDER_ABANDONED"),
        };
        Self::new(kind, error.to_string()).reason(reason)
    }
}
