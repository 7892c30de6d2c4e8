//! Inbound: gRPC, Kafka and the clock.

pub(crate) mod clock;
pub(crate) mod facts;
pub(crate) mod grpc;
