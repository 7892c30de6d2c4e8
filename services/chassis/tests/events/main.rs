//! Events from one service's database to another's, over librdkafka's mock cluster, with SQLite files.

#![allow(
    clippy::unwrap_used,
    clippy::let_underscore_must_use,
    reason = "a test fails where it stands"
)]

mod batches;
mod broker;
mod contract;
mod dead_letters;
mod hand_over;
mod inbox;
mod order;
mod outages;
mod poison;
mod relay;
mod service;
mod set_aside;
mod speed;
mod traces;
