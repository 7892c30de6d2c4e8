//! The table between a service's database and Kafka: what happened is written with it, and told afterwards.
//!
//! ```text
//!  Tx::publish ─▶ outbox row ─ commit ─▶ wake ─▶ relay: oldest first ─▶ Kafka, acks=all ─▶ marked as sent ─▶ purged after a while
//! ```
//!
//! Sent rows are kept for a while and know which log they were sent to. A broker that forgets (the embedded one, started again)
//! is another log: it is told again, oldest first, and the inboxes of the consumers drop what they know.

mod backlog;
mod leader;
mod marks;
mod relay;
mod table;

use std::{collections::HashMap, time::Duration};

use opentelemetry::{Context, global};
use proto::topics::Envelope;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::database::{Error, Tx, now};

pub use relay::Relay;

/// The table between a service's database and Kafka.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// How long sent events are kept, to be sent again to a broker that forgot them.
    #[serde(with = "humantime_serde")]
    pub keep: Duration,
    /// How long the ids of handled events are kept, to be dropped when they come again.
    #[serde(with = "humantime_serde")]
    pub inbox_keep: Duration,
    /// How often to look for events that nobody told of: another replica's, or those that a crash left.
    #[serde(with = "humantime_serde")]
    pub sweep: Duration,
    /// Most events a second that are sent again: the embedded broker keeps little, and its consumers must not fall behind.
    pub resend_rate: u32,
    /// How long the last round may take when the service stops.
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

/// Writes an event's row, with the trace it belongs to.
pub(crate) async fn insert<M: Envelope>(
    tx: &mut Tx,
    context: &Context,
    message: &M,
) -> Result<(), Error> {
    let topic = M::TOPIC.name;
    let kind = message
        .event_type()
        .ok_or_else(|| Error::InvalidArgument(format!("a message for {topic} without an event")))?;
    let mut trace = HashMap::new();
    global::get_text_map_propagator(|propagator| propagator.inject_context(context, &mut trace));
    tx.query(
        "insert into outbox (event_id, topic, key, type, payload, traceparent, tracestate, baggage, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(Uuid::now_v7().to_string())
    .bind(topic)
    .bind(message.key())
    .bind(kind)
    .bind(message.encode_to_vec())
    .bind(trace.remove("traceparent"))
    .bind(trace.remove("tracestate").filter(|state| !state.is_empty()))
    .bind(trace.remove("baggage"))
    .bind(now())
    .execute()
    .await?;
    Ok(())
}
