//! Errors of the use cases.

use chassis::{Kind, database};
use proto::{
    limits::Violations,
    values::{Invalid, OrderId},
};

use crate::domain::Shortage;

/// What can go wrong with a reservation.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("not enough in stock")]
    Short(Vec<Shortage>),
    #[error("order {0} has reserved other items")]
    OtherItems(OrderId),
    #[error("the reservation of order {0} was released")]
    Released(OrderId),
    #[error("order {0} has no reservation")]
    Unknown(OrderId),
    #[error("another transaction changed the reservation of order {0} at the same time")]
    Conflict(OrderId),
    #[error("the event is malformed: {0}")]
    Malformed(&'static str),
    #[error("the message breaks limits")]
    Limits(#[from] Violations),
    #[error(transparent)]
    Value(#[from] Invalid),
    #[error("database")]
    Database(#[from] database::Error),
}

/// The labels of all expected outcomes of a request to reserve stock.
pub(crate) const OUTCOMES: [&str; 9] = [
    "held",
    "repeated",
    "out_of_stock",
    "unknown_product",
    "other_lines",
    "released",
    "changed",
    "malformed",
    "database",
];

impl Error {
    /// The label in the metric of requests.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Short(short) if short.iter().any(|one| one.available.is_none()) => {
                "unknown_product"
            }
            Self::Short(_) => "out_of_stock",
            Self::OtherItems(_) => "other_lines",
            Self::Released(_) => "released",
            Self::Unknown(_) => "unknown",
            Self::Conflict(_) => "changed",
            Self::Malformed(_) | Self::Limits(_) | Self::Value(_) => "malformed",
            Self::Database(_) => "database",
        }
    }
}

impl From<Error> for chassis::Error {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Short(short) => Shortage::error(&short),
            Error::OtherItems(_) => {
                Self::new(Kind::AlreadyExists, text).reason("OTHER_LINES_RESERVED")
            }
            Error::Released(_) => {
                Self::new(Kind::Precondition, text).reason("RESERVATION_RELEASED")
            }
            Error::Unknown(_) => Self::new(Kind::NotFound, text).reason("NO_RESERVATION"),
            Error::Conflict(_) => Self::new(Kind::Conflict, text).reason("CHANGED"),
            Error::Malformed(_) | Error::Value(_) => Self::new(Kind::Invalid, text),
            Error::Limits(violations) => violations.into(),
            Error::Database(cause) => cause.into(),
        }
    }
}
