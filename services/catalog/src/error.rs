//! Errors of the use cases.

use std::sync::Arc;

use chassis::Kind;
use proto::limits::Violations;

/// What can go wrong when products are read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("no product {0:?}")]
    Unknown(String),
    #[error("the request breaks limits")]
    Limits(#[from] Violations),
    /// Shared by all callers that waited for the same value.
    #[error("read products")]
    Read(#[from] Arc<chassis::Error>),
}

impl From<Error> for chassis::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Unknown(_) => {
                Self::new(Kind::NotFound, error.to_string()).reason("UNKNOWN_PRODUCT")
            }
            Error::Limits(violations) => violations.into(),
            Error::Read(cause) => Self::new(cause.kind(), cause.message().to_owned()).source(cause),
        }
    }
}
