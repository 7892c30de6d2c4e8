//! Publishing: an event is written to the outbox in the transaction of the change that it reports.

use std::collections::HashMap;

use opentelemetry::{Context, global};
use uuid::Uuid;

use crate::{
    contract::{Envelope, Topic},
    database::{Error, Tx, invalid, now},
    kafka::MESSAGE_MAX,
};

/// Largest event, its key included, in bytes. It is what a broker takes, less the room for the headers: the trace context (at
/// most [`CONTEXT_MAX`] a header) and less than 2 kB of our own.
pub const EVENT_MAX: usize = MESSAGE_MAX - 20_000;
/// Longest `tracestate` or `baggage` that an event carries on: the limit of W3C Baggage. Longer ones, which callers may send,
/// are left out.
const CONTEXT_MAX: usize = 8192;

/// Publishes events in a database transaction: they are sent if, and only if, the transaction is committed.
pub trait Publish {
    /// Writes an event to the outbox. It is sent after the commit, as part of the current trace.
    ///
    /// Publish after the statement that changes the state which the event describes: then two transactions that change the same
    /// state publish their events in the order of their commits.
    ///
    /// # Errors
    /// The message has no event or no key, or is larger than [`EVENT_MAX`]; or the database refused it.
    fn publish<M: Envelope>(
        &mut self,
        message: &M,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Writes an event to the outbox as [`Publish::publish`] does, as part of another trace: in a batch, that of the event it
    /// answers.
    ///
    /// # Errors
    /// As [`Publish::publish`].
    fn publish_in<M: Envelope>(
        &mut self,
        context: &Context,
        message: &M,
    ) -> impl Future<Output = Result<(), Error>> + Send;
}

impl Publish for Tx {
    async fn publish<M: Envelope>(&mut self, message: &M) -> Result<(), Error> {
        self.publish_in(&Context::current(), message).await
    }

    async fn publish_in<M: Envelope>(
        &mut self,
        context: &Context,
        message: &M,
    ) -> Result<(), Error> {
        insert(self, context, message).await?;
        // Wakes the relay.
        self.notify_after_commit();
        Ok(())
    }
}

/// Writes an event's row, with the trace context that the event carries on.
async fn insert<M: Envelope>(tx: &mut Tx, context: &Context, message: &M) -> Result<(), Error> {
    let (topic, key) = (M::Topic::NAME, message.key());
    let kind = message
        .event_type()
        .ok_or_else(|| Error::InvalidArgument(format!("a message for {topic} without an event")))?;
    if key.is_empty() {
        return Err(invalid(format!("an event for {topic} has no key")));
    }
    let size = key.len() + message.encoded_len();
    if size > EVENT_MAX {
        let why = format!("an event for {topic} has {size} bytes, the most are {EVENT_MAX}");
        return Err(invalid(why));
    }
    let mut trace = HashMap::new();
    global::get_text_map_propagator(|propagator| propagator.inject_context(context, &mut trace));
    let mut carried = |name| {
        let text: Option<String> = trace.remove(name);
        text.filter(|text| !text.is_empty() && text.len() <= CONTEXT_MAX)
    };
    tx.query(
        "insert into outbox (event_id, topic, key, type, payload, traceparent, tracestate, baggage, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(Uuid::now_v7().to_string())
    .bind(topic)
    .bind(key)
    .bind(kind)
    .bind(message.encode_to_vec())
    .bind(carried("traceparent"))
    .bind(carried("tracestate"))
    .bind(carried("baggage"))
    .bind(now())
    .execute()
    .await?;
    Ok(())
}
