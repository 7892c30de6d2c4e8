//! Errors of the use cases.

use chassis::{Kind, database};
use uuid::Uuid;

use crate::domain::Shortage;

/// What may go wrong with a reservation.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("not enough in stock")]
    Short(Vec<Shortage>),
    #[error("order {0} has reserved other lines")]
    OtherLines(Uuid),
    #[error("the reservation of order {0} was released")]
    Released(Uuid),
    #[error("order {0} has no reservation")]
    Unknown(Uuid),
    #[error("the reservation of order {0} was changed by somebody else at the same time")]
    Changed(Uuid),
    #[error(transparent)]
    Malformed(chassis::Error),
    #[error("database")]
    Database(#[from] database::Error),
}

/// The labels of all outcomes that are to be expected.
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
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Short(short) if short.iter().any(|one| one.available.is_none()) => {
                "unknown_product"
            }
            Self::Short(_) => "out_of_stock",
            Self::OtherLines(_) => "other_lines",
            Self::Released(_) => "released",
            Self::Unknown(_) => "unknown",
            Self::Changed(_) => "changed",
            Self::Malformed(_) => "malformed",
            Self::Database(_) => "database",
        }
    }
}

impl From<Error> for chassis::Error {
    fn from(error: Error) -> Self {
        let (kind, reason) = match error {
            Error::Short(short) => return Shortage::refusal(&short),
            Error::Malformed(error) => return error,
            Error::Database(error) => return error.into(),
            Error::OtherLines(_) => (Kind::AlreadyExists, "OTHER_LINES_RESERVED"),
            Error::Released(_) => (Kind::Precondition, "RESERVATION_RELEASED"),
            Error::Unknown(_) => (Kind::NotFound, "NO_RESERVATION"),
            Error::Changed(_) => (Kind::Conflict, "CHANGED"),
        };
        Self::new(kind, error.to_string()).reason(reason)
    }
}
