//! What can reach the gateway.

pub(crate) mod front_door;
pub(crate) mod rest;
