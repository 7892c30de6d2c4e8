//! Outbound: the third party.

mod provider;

pub(crate) use provider::{Entry, Provider};
