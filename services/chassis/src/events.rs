//! Events: durable facts, in order per key, applied exactly once.
//!
//! ```text
//!  publish ─▶ outbox ─▶ relay ─▶ Producer ─▶ topic ─▶ poll thread ─▶ Dispatcher ─┬▶ key ─▶ RetryLoop ─▶ handler + inbox,
//!                                                        ▲                       ├▶ key ─▶ …          one transaction
//!                                                        └── low-water mark ◀────┴── done, or <topic>.dlq
//! ```
//!
//! The low-water mark of a partition is the lowest offset whose record is not done with: below it, every record has been handled,
//! or has become a dead letter. The dispatcher stores it in the client, and the client commits it. An event from that offset on
//! may be delivered again; the inbox drops it if it has been handled.

mod batch;
mod committed_offsets;
mod consumer;
pub mod dead_letter;
mod dispatcher;
mod handler;
mod inbox;
mod key_queues;
mod metrics;
mod offsets;
pub mod outbox;
mod partition;
mod publish;
mod retry;
mod single;
mod subscription;

use std::time::SystemTime;

use opentelemetry::Context;

use crate::{contract::Envelope, database::Migrations, kafka::record::Record};

pub use committed_offsets::CommittedOffsets;
pub use consumer::Consumer;
pub use handler::{BatchHandler, Handler, Observer, SideEffectHandler};
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
