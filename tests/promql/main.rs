//! The evaluation of PromQL is held to Prometheus: the same samples and the same queries must have the same results.
//!
//! The lane sets `PROMETHEUS_BIN` to a prometheus binary and `PROMETHEUS_SOURCE` to the folder of its source, and runs the tests
//! that are ignored here: `cargo test -p promql --test promql -- --ignored`.

#![expect(clippy::unwrap_used, reason = "a comparison that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "the log of the lane has the figures")]

mod answers;
mod data;
mod expressions;
mod prometheus;
mod published;
mod questions;
mod random;
mod real;
mod remote_write;
