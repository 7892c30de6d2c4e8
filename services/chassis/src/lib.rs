//! Everything a service needs that is not its business: its lifecycle, configuration, telemetry, servers and clients.
//!
//! ```text
//!  run ─▶ config ─▶ telemetry ─▶ admin port ─▶ wire(app, config) ─▶ ready ─▶ drain ─▶ flush ─▶ exit status
//!                                                  │
//!            App ── serve_grpc, serve_http ── channel, http_client ── consume, observe ── database ── nats ── spawn
//! ```

#![cfg_attr(
    test,
    allow(clippy::let_underscore_must_use, reason = "tests may drop what they do not ask for")
)]

pub mod app;
pub mod breaker;
pub mod cache;
pub mod config;
pub mod contract;
pub mod database;
pub mod deadline;
pub mod error;
pub mod events;
pub mod grpc;
pub mod http;
pub mod identity;
pub mod kafka;
pub mod messaging;
pub mod metrics;
pub mod nats;
pub mod readiness;
pub mod retry;
mod server;
pub mod telemetry;
pub mod text;

pub use app::{App, OnError, run};
pub use error::{Error, Kind};
pub use identity::Identity;
