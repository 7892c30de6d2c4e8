//! The services that the gateway calls, and NATS.

mod catalog;
mod inventory;
mod orders;
mod updates;

use chassis::{Error, Kind};
use tonic::Status;

pub(crate) use catalog::Catalog;
pub(crate) use inventory::Inventory;
pub(crate) use orders::Orders;
pub(crate) use updates::{LiveMessage, Nats, StatusUpdate, Update, Updates};

/// The error of a call. It names a service that did not answer: the client of the gateway knows only the gateway.
fn named(service: &'static str, status: Status) -> Error {
    let error = Error::from(status);
    match error.kind() {
        Kind::Unavailable | Kind::DeadlineExceeded => {
            let message = format!("{service}: {}", error.message());
            Error::new(error.kind(), message).source(error)
        }
        _ => error,
    }
}
