//! What can reach the gateway.

pub(crate) mod rest;
