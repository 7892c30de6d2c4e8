//! The ways in.

pub(crate) mod facts;
pub(crate) mod grpc;
