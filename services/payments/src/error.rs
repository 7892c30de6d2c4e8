//! Errors of the use cases.

use chassis::{Kind, database};
use proto::{
    limits::Violations,
    values::{Invalid, OrderId},
};

/// What can go wrong with a payment.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the event is malformed: {0}")]
    Malformed(&'static str),
    #[error("the event breaks limits")]
    Limits(#[from] Violations),
    #[error(transparent)]
    Value(#[from] Invalid),
    #[error("charge order {order}")]
    Charge {
        order: OrderId,
        #[source]
        cause: chassis::Error,
    },
    #[error("refund order {order}")]
    Refund {
        order: OrderId,
        #[source]
        cause: chassis::Error,
    },
    #[error("another transaction changed the payment of order {0} at the same time")]
    Conflict(OrderId),
    #[error(transparent)]
    Provider(#[from] chassis::Error),
    #[error("database")]
    Database(#[from] database::Error),
}

impl From<Error> for chassis::Error {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Malformed(_) | Error::Value(_) => Self::new(Kind::Invalid, text),
            Error::Limits(violations) => violations.into(),
            Error::Charge { cause, .. } | Error::Refund { cause, .. } => {
                Self::new(cause.kind(), text).source(cause)
            }
            Error::Conflict(_) => Self::new(Kind::Conflict, text),
            Error::Provider(cause) => cause,
            Error::Database(cause) => cause.into(),
        }
    }
}
