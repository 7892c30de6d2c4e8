//! The services that the gateway calls: wire types end here.

mod catalog;
mod inventory;
mod orders;
mod updates;

use chassis::{Error, Kind};
use tonic::Status;

pub(crate) use catalog::Catalog;
pub(crate) use inventory::Inventory;
pub(crate) use orders::{Orders, Placing};
pub(crate) use updates::{Change, Heard, Nats, Update, Updates};

/// Names the service that did not answer: a client that reads the problem knows only the gateway.
fn error(peer: &'static str, status: Status) -> Error {
    let error = Error::from(status);
    match error.kind() {
        Kind::Unavailable | Kind::DeadlineExceeded => {
            let message = format!("{peer}: {}", error.message());
            Error::new(error.kind(), message).source(error)
        }
        _ => error,
    }
}

/// An error for a peer that broke its contract.
fn broken(peer: &'static str, what: &'static str) -> Error {
    Error::new(Kind::Internal, format!("{peer} sent {what}"))
}

/// The cursor of the next page; `None` if the token is empty.
fn next_cursor(token: String) -> Option<String> {
    Some(token).filter(|token| !token.is_empty())
}
