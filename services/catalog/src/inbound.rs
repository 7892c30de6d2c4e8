//! The ways in.

pub(crate) mod grpc;
