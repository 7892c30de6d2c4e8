//! Events: durable facts, in order per key, applied exactly once.
//!
//! ```text
//!  Tx::publish ─▶ outbox ─▶ relay ─▶ Producer ─▶ topic ─▶ poll thread ─▶ dispatcher ─┬▶ key ─▶ handler + inbox, one transaction
//!                                                            ▲                       ├▶ key ─▶ …
//!                                                            └── low-water mark ◀────┴── done, or <topic>.dlq
//! ```
//!
//! An offset is committed when every record below it has been handled or become a dead letter. Until then an event may be
//! delivered again; the inbox drops it if it has been handled.

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

/// An event as its handler gets it.
#[derive(Clone, Debug)]
pub struct Event<M> {
    /// Its id, the same at each delivery: an idempotency key for calls that its handler makes.
    pub id: String,
    /// The message.
    pub body: M,
    /// The key, e.g. an order's id: events of one key are handled in order.
    pub key: String,
    /// When it was published.
    pub published_at: SystemTime,
    /// The trace context of the event. In a batch each event has its own.
    pub context: Context,
}
