//! The ways in.

pub(crate) mod clock;
pub(crate) mod facts;
pub(crate) mod grpc;
