//! What lens asks.

pub(crate) mod admin_port;
