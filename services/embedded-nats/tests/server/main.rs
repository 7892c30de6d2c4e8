//! The server against clients that send damaged operations. What it answers to each operation of the protocol is tested by the
//! stories in `tests/nats`, which run against nats-server, too.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fuzz;
