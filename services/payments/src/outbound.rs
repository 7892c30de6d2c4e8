//! Outbound: the third party, and Kafka.

mod events;
mod provider;

pub(crate) use events::event;
pub(crate) use provider::{Entry, Provider};
