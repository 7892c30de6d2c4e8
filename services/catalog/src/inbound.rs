//! Inbound: gRPC.

pub(crate) mod grpc;
