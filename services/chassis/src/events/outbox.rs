//! The outbox: the table between a service's database and Kafka. A transaction writes its events together with its changes; the
//! relay sends them after the commit.
//!
//! ```text
//!  Tx::publish ─▶ outbox row ─ commit ─▶ wake ─▶ relay: oldest first ─▶ Kafka, acks=all ─▶ marked as sent ─▶ purged after a while
//! ```
//!
//! An event that no broker ever takes is set aside for the operator (`mesh outbox`), and the later events of its key are sent, as
//! they are after a dead letter. An event whose refusal may pass holds up the later events of its key; if its topic does not
//! exist, it holds up all events of that topic. All other events are sent.
//!
//! Sent rows are kept for a while, each with the id of the log that it was sent to. A broker that lost its records (the embedded
//! one, restarted) has a new log: the relay sends these rows to it again, oldest first, and the consumers' inboxes drop the
//! events that they have handled before.

mod aside;
mod backlog;
mod held;
mod inbox;
mod leader;
mod marks;
mod relay;
mod round;
mod send;
mod table;

use std::{collections::HashMap, fmt, time::Duration};

use opentelemetry::{Context, global};
use proto::topics::Envelope;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    database::{Error, Tx, now},
    kafka::MESSAGE_MAX,
};

pub use aside::{SetAside, list, purge, retry};
pub use relay::Relay;

/// The settings of the outbox, the table between a service's database and Kafka.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// How long sent events are kept, so that they can be sent again to a broker that lost them.
    #[serde(with = "humantime_serde")]
    pub keep: Duration,
    /// How long the ids of handled events are kept, so that an event that is delivered again is dropped.
    #[serde(with = "humantime_serde")]
    pub inbox_keep: Duration,
    /// How often the relay looks for events without being notified: those that a crash left, or that another replica published.
    #[serde(with = "humantime_serde")]
    pub sweep: Duration,
    /// Most events a second that are sent again: the embedded broker keeps few records, and its consumers must not fall behind.
    pub resend_rate: u32,
    /// How long the relay's last round may take when the service stops.
    #[serde(with = "humantime_serde")]
    pub last_round: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            keep: Duration::from_secs(10 * 60),
            inbox_keep: Duration::from_secs(60 * 60),
            sweep: Duration::from_secs(1),
            resend_rate: 2000,
            last_round: Duration::from_secs(3),
        }
    }
}

/// Largest event, its key included, in bytes. It is what a broker takes, less the room for the headers: the trace context (at
/// most [`CONTEXT_MAX`] a header) and less than 2 kB of our own.
pub const EVENT_MAX: usize = MESSAGE_MAX - 20_000;
/// Longest `tracestate` or `baggage` that an event carries on: the limit of W3C Baggage. Longer ones, which callers may send,
/// are left out.
const CONTEXT_MAX: usize = 8192;

/// An event that could never be sent, and why.
#[derive(Debug)]
pub(crate) struct Unpublishable(String);

impl fmt::Display for Unpublishable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unpublishable {}

fn unpublishable(why: String) -> Error {
    Error::Encode(Box::new(Unpublishable(why)))
}

/// Writes an event's row, with the trace context that the event carries on.
pub(crate) async fn insert<M: Envelope>(
    tx: &mut Tx,
    context: &Context,
    message: &M,
) -> Result<(), Error> {
    let (topic, key) = (M::TOPIC.name, message.key());
    let kind = message
        .event_type()
        .ok_or_else(|| Error::InvalidArgument(format!("a message for {topic} without an event")))?;
    if key.is_empty() {
        return Err(unpublishable(format!("an event for {topic} has no key")));
    }
    let size = key.len() + message.encoded_len();
    if size > EVENT_MAX {
        let why = format!("an event for {topic} has {size} bytes, the most are {EVENT_MAX}");
        return Err(unpublishable(why));
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
