//! Inbound: gRPC, Kafka and the clock.

pub(crate) mod clock;
pub(crate) mod grpc;
pub(crate) mod inventory;
pub(crate) mod payments;
pub(crate) mod shipments;
