//! The broker as a process uses it: its life, and clients that send damaged requests. What it answers to each request of the
//! protocol is tested by the stories in `tests/kafka`, which run against Apache Kafka, too.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fuzz;
mod life;
mod wire;
