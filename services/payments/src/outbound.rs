//! What this service talks to.

mod events;
mod provider;

pub(crate) use events::event;
pub(crate) use provider::{Entry, Provider};
