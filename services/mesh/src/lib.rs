//! The one binary, as a library: every service, and the operator's commands, one file each.
//!
//! ```text
//!  mesh up ──▶ embedded NATS and Kafka (this process)
//!     │  └───▶ .mesh/mesh.json: where everything is ◀── mesh status, load, logs, alerts, audit, dlq
//!     └──────▶ mesh gateway, mesh orders, … (a child process each) ──▶ chassis::run
//! ```

mod address;
mod alerts;
mod audit;
mod cli;
mod completions;
mod config;
mod dlq;
mod export;
mod health;
mod import;
mod load;
mod logs;
mod outbox;
mod output;
mod prometheus;
mod query;
mod recording;
mod running;
mod service;
mod services;
mod signals;
mod status;
mod topics;
mod trace;
mod up;

use std::process::ExitCode;

/// Parses the command line and runs the command.
pub fn main() -> ExitCode {
    cli::run()
}
