//! The settings that all services have.

use std::{net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{cache, events::outbox, http, kafka, nats, telemetry};

/// The settings of the chassis: the same for every service.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Settings {
    /// The port for operators.
    pub admin: Admin,
    /// How a service stops.
    pub drain: Drain,
    /// The host names of the HTTP ports, and the web pages that may use them.
    pub http: http::GuardSettings,
    /// Durable events.
    pub kafka: kafka::Settings,
    /// Log lines on standard output.
    pub log: Log,
    /// Live messages.
    pub nats: nats::Settings,
    /// The outbox, the table between a service's database and Kafka.
    pub outbox: outbox::Settings,
    /// Caches that replicas share.
    pub redis: cache::Settings,
    /// The async runtime.
    pub runtime: Runtime,
    /// Traces and logs over OTLP.
    pub telemetry: telemetry::Settings,
}

impl Settings {
    /// Checks values that are well-formed, but cannot be used: the setting, and what was expected.
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
    /// The address to listen on; with port 0 the system chooses a free port.
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
    /// How long to accept connections after readiness was withdrawn: load balancers notice it, and HTTP responses carry
    /// `Connection: close`, so that no request is lost on an idle connection.
    #[serde(with = "humantime_serde")]
    pub settle: Duration,
    /// How long to wait at most for work in flight.
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
    /// `json`, `pretty`, or `auto`: pretty on a terminal, else JSON.
    pub format: LogFormat,
    /// The filter: directives as `info,chassis=debug`; `PUT /log-level` changes it at run time.
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Auto, filter: "info".into() }
    }
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Pretty on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object per line.
    Json,
    /// For people to read.
    Pretty,
}

/// The async runtime.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Runtime {
    /// The number of worker threads. With 1, everything runs on the main thread, which is enough for most services and costs
    /// least.
    pub workers: usize,
}

impl Default for Runtime {
    fn default() -> Self {
        Self { workers: 1 }
    }
}
