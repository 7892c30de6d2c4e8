//! Events: durable facts, in order per key, applied exactly once.
//!
//! ```text
//!  Tx::publish ─▶ outbox ─▶ relay ─▶ Producer ─▶ topic ─▶ poll thread ─▶ dispatcher ─┬▶ key ─▶ handler + inbox, one transaction
//!                                                            ▲                       ├▶ key ─▶ …
//!                                                            └── low-water mark ◀────┴── done, or <topic>.dlq
//! ```
//!
//! An offset is committed when everything below it has had its effect, or is a dead letter. What happens in between twice, the
//! inbox drops.

mod attempt;
mod batch;
mod committed;
mod consumer;
pub mod dead_letter;
mod dispatch;
mod ends;
mod handler;
pub mod headers;
mod health;
mod inbox;
mod link;
mod metrics;
mod owned;
mod partition;
mod poll;
mod producer;
mod record;
pub(crate) mod refusal;
mod route;
mod security;
mod settings;
mod single;
mod tracker;
mod turns;
mod unreadable;

use std::time::SystemTime;

use opentelemetry::Context;

pub use committed::Committed;
pub use consumer::Consumer;
pub use handler::{BatchHandler, Caller, Handler, Observer};
pub(crate) use producer::Outgoing;
pub use producer::Producer;
pub use security::{Mechanism, Sasl, Tls};
pub(crate) use settings::MESSAGE_MAX;
pub(crate) use settings::check;
pub use settings::{Profile, Settings};

/// An event as its handler sees it.
#[derive(Clone, Debug)]
pub struct Event<M> {
    /// Its id, the same however often it is delivered: an idempotency key for whoever is called because of it.
    pub id: String,
    /// What happened.
    pub body: M,
    /// Whose story it belongs to.
    pub key: String,
    /// When it was published.
    pub published_at: SystemTime,
    /// The trace it belongs to. In a batch each event has its own.
    pub context: Context,
}
