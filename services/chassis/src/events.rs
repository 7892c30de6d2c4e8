//! Events: durable facts, in order per key, applied exactly once.
//!
//! ```text
//!  publish ─▶ outbox ─▶ relay ─▶ Producer ─▶ topic ─▶ poll thread ─▶ dispatcher ─┬▶ key ─▶ handler + inbox, one transaction
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
mod handler;
mod inbox;
mod metrics;
pub mod outbox;
mod partition;
mod publish;
mod route;
mod single;
mod tracker;
mod turns;

use std::time::SystemTime;

use opentelemetry::Context;

use crate::{contract::Envelope, database::Migrations, kafka::record::Record};

pub use committed::Committed;
pub use consumer::Consumer;
pub use handler::{BatchHandler, Caller, Handler, Observer};
pub use publish::{EVENT_MAX, Publish};

/// The tables of the outbox and the inbox, and one that is written to find out whether the database takes writes. They come
/// before the service's own tables.
pub const MIGRATIONS: Migrations = Migrations {
    table: "chassis_migrations",
    ..crate::migrations!["0001_events", "0002_set_aside", "0003_inbox_places"]
};

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

impl<M: Envelope> Event<M> {
    /// The event of a record that was decoded.
    fn new(record: &Record, body: M, context: Context) -> Self {
        Self {
            id: record.id(),
            key: body.key().to_owned(),
            published_at: record.published_at(),
            body,
            context,
        }
    }
}
