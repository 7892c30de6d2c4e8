//! The Kafka client: connections, the producer, and the thread that polls for a consumer's records. What is done with the records
//! is the business of [`crate::events`].

pub(crate) mod connection;
pub mod headers;
pub(crate) mod health;
pub(crate) mod owned;
pub(crate) mod poll;
mod producer;
pub(crate) mod record;
pub(crate) mod refusal;
mod security;
mod settings;
pub(crate) mod unreadable;
pub(crate) mod watermarks;

pub(crate) use producer::Outgoing;
pub use producer::Producer;
pub use security::{Mechanism, Sasl, Tls};
pub(crate) use settings::MESSAGE_MAX;
pub(crate) use settings::check;
pub use settings::{Profile, Settings};
