//! What every service can be told.

use std::{net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{cache, http, kafka, nats, outbox, telemetry};

/// The settings of the chassis: the same for every service.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Settings {
    /// The port for operators.
    pub admin: Admin,
    /// How a service stops.
    pub drain: Drain,
    /// Who may ask the HTTP ports.
    pub http: http::GuardSettings,
    /// Durable events.
    pub kafka: kafka::Settings,
    /// Log lines on standard output.
    pub log: Log,
    /// Live messages.
    pub nats: nats::Settings,
    /// The table between a service's database and Kafka.
    pub outbox: outbox::Settings,
    /// Caches that replicas share.
    pub redis: cache::Settings,
    /// The async runtime.
    pub runtime: Runtime,
    /// Traces and logs over OTLP.
    pub telemetry: telemetry::Settings,
}

impl Settings {
    /// Values that can be read, but not be run with: the setting, and what was expected.
    pub(super) fn check(&self) -> Vec<(String, String)> {
        let mut wrong = telemetry::check(&self.telemetry, &self.log);
        if let Err(what) = nats::check(self.nats.url.expose()) {
            wrong.push(("nats.url".into(), what));
        }
        if let Err(what) = kafka::check(&self.kafka.brokers) {
            wrong.push(("kafka.brokers".into(), what));
        }
        wrong
    }
}

/// The port for operators: health, metrics, log level, configuration, profiles.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Admin {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 0)) }
    }
}

/// How a service stops.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Drain {
    /// How long to go on accepting after readiness was taken back: load balancers notice, and clients that keep a
    /// connection are told with each answer to leave it.
    #[serde(with = "humantime_serde")]
    pub settle: Duration,
    /// When to give up waiting for work in flight.
    #[serde(with = "humantime_serde")]
    pub deadline: Duration,
}

impl Default for Drain {
    /// The deadline is longer than one rebalance (3 s), shorter than a pod's grace period (30 s).
    fn default() -> Self {
        Self { settle: Duration::ZERO, deadline: Duration::from_secs(20) }
    }
}

/// Log lines on standard output.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Log {
    /// `json`, `pretty`, or `auto`: pretty on a terminal.
    pub format: LogFormat,
    /// Which lines: directives as `info,chassis=debug`; see `PUT /log-level` to change it at run time.
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Auto, filter: "info".into() }
    }
}

/// What a log line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Pretty on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

/// The async runtime.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Runtime {
    /// Worker threads; 1 runs everything on the main thread, which is enough for most services and costs least.
    pub workers: usize,
}

impl Default for Runtime {
    fn default() -> Self {
        Self { workers: 1 }
    }
}
