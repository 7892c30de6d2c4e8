//! What can reach this service.

pub(crate) mod grpc;
pub(crate) mod orders;
