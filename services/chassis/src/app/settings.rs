//! The settings that all services have: the sum of what the rooms of the chassis can be set to.

use std::{net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    cache,
    config::{self, Config, ConfigError, ConfigErrors, Layer, Sources},
    events::outbox,
    http,
    identity::Identity,
    kafka, nats, telemetry,
};

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
    pub log: telemetry::Log,
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

/// A service's configuration without errors.
pub type Loaded<C> = config::Loaded<Settings, C>;

/// Reads the configuration of a service: the settings that all services have, and its own.
///
/// # Errors
/// All errors: unknown keys, values of the wrong type or form, files that cannot be read.
pub fn load<C: Config>(identity: Identity, sources: &Sources) -> Result<Loaded<C>, ConfigErrors> {
    config::load(identity, sources)
}

impl config::Shared for Settings {
    fn standard_variables(variables: &[(String, String)], errors: &mut Vec<ConfigError>) -> Layer {
        telemetry::variables::layer(variables, errors)
    }

    fn check(&self) -> Vec<(String, String)> {
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

#[cfg(test)]
mod tests;
