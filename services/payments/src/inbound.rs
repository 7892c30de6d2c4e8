//! Inbound: gRPC and Kafka.

pub(crate) mod grpc;
pub(crate) mod orders;
