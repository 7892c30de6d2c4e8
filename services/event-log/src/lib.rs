//! What people want to know of the topics on Kafka: how full they are, the records of one order as JSON, and the dead letters,
//! which it replays or gives up. `mesh dlq` and the console's page Events are made of it.
//!
//! ```text
//!             ┌─▶ Reader ─▶ topics: watermarks, groups        ─▶ Topic, Group
//!  Client ────┤          ─▶ records of a key, newest backwards ─▶ Record ─▶ Decoder ─▶ JSON
//!             │          ─▶ dead letters                      ─▶ Queue of Letter
//!             └─▶ Sender ─▶ replay, give up, poison
//! ```
//!
//! Every call blocks its thread or takes as long as the brokers do, so servers call it from a thread that may block. A [`Reader`]
//! and a [`Sender`] have connections of their own, which end when they are dropped: between two calls nothing is left.

mod client;
mod connection;
mod json;
mod keyed;
mod letter;
mod letters;
mod record;
mod scan;
mod sender;
#[cfg(test)]
mod tests;
mod topics;

pub use client::{Client, Reader};
pub use connection::{ConnectionErrors, metadata};
pub use json::{Decoder, hexadecimal, text};
pub use keyed::{Found, Part};
pub use letter::{Handled, Letter, Queue, Summary};
pub use letters::Letters;
pub use record::{Place, Record};
pub use scan::Limits;
pub use sender::Sender;
pub use topics::{Group, Member, Partition, Topic};
