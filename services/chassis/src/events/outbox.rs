//! The outbox: the table between a service's database and Kafka. A transaction writes its events together with its changes; the
//! relay sends them after the commit.
//!
//! ```text
//!  Publish::publish ─▶ outbox row ─ commit ─▶ wake ─▶ relay: oldest first ─▶ Kafka, acks=all ─▶ marked as sent ─▶ purged after a while
//! ```
//!
//! An event that no broker ever takes is set aside for the operator (`mesh outbox`), and the later events of its key are sent, as
//! they are after a dead letter. An event whose refusal may pass holds up the later events of its key; if its topic does not
//! exist, it holds up all events of that topic. All other events are sent.
//!
//! Sent rows are kept for a while, each with the id of the log that it was sent to. A broker that lost its records (the embedded
//! one, restarted) has a new log: the relay sends these rows to it again, oldest first, and the consumers' inboxes drop the
//! events that they have handled before.

mod held;
mod leader;
mod relay;
mod replay;
mod round;
mod send;
mod set_aside;
mod table;
mod unmarked;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use relay::Relay;
pub use set_aside::{SetAside, list, purge, retry};

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
