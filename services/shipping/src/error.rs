//! Errors of the use cases.

use chassis::{Kind, database};
use proto::{
    limits::Violations,
    values::{Invalid, OrderId},
};

/// What can go wrong with a shipment.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("another transaction changed the shipment of order {0} at the same time")]
    Conflict(OrderId),
    #[error("the event is malformed: {0}")]
    Malformed(&'static str),
    #[error("the event breaks limits")]
    Limits(#[from] Violations),
    #[error(transparent)]
    Value(#[from] Invalid),
    #[error("database")]
    Database(#[from] database::Error),
}

impl From<Error> for chassis::Error {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Conflict(_) => Self::new(Kind::Conflict, text),
            Error::Malformed(_) | Error::Value(_) => Self::new(Kind::Invalid, text),
            Error::Limits(violations) => violations.into(),
            Error::Database(cause) => cause.into(),
        }
    }
}
