//! The ways in.

pub(crate) mod clock;
pub(crate) mod grpc;
pub(crate) mod orders;
