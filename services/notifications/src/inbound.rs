//! Inbound: Kafka.

pub(crate) mod events;
