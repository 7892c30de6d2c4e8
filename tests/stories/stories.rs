//! The guarantees of the mesh as stories. They run with nothing installed (`tests/mesh`), and again on real brokers and
//! databases (`tests/real`): the caller of a story decides how the mesh is started.

pub(crate) mod alerts;
pub(crate) mod breaker;
pub(crate) mod clients;
pub(crate) mod crashes;
pub(crate) mod endings;
pub(crate) mod events;
pub(crate) mod letters;
pub(crate) mod life;
pub(crate) mod live;
pub(crate) mod memory;
pub(crate) mod profiles;
pub(crate) mod protocol;
pub(crate) mod queries;
pub(crate) mod requests;
pub(crate) mod rules;
pub(crate) mod services;
pub(crate) mod signals;
pub(crate) mod trace;
pub(crate) mod websocket;
