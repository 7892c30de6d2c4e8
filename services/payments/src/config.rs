//! The settings of `payments`.

use std::{net::SocketAddr, time::Duration};

use chassis::{config::SecretUrl, database, http};
use serde::{Deserialize, Serialize};

/// The settings of `payments`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Config {
    /// Where to serve gRPC.
    pub listen: SocketAddr,
    /// The database of the payments.
    pub database: database::Config,
    /// The base URL of the third party that charges and refunds.
    #[serde(deserialize_with = "http::base_url")]
    pub provider: SecretUrl,
    /// The time limit of one request to the third party: longer than its `tok_slow`, 3 s.
    #[serde(with = "humantime_serde")]
    pub provider_timeout: Duration,
    /// The most attempts of a charge, the first included, before its outcome counts as unknown.
    pub provider_attempts: u32,
    /// How long after its response was lost a charge is voided; this wait doubles with each attempt.
    #[serde(with = "humantime_serde")]
    pub resolve_after: Duration,
    /// The longest wait between two attempts to void a charge.
    #[serde(with = "humantime_serde")]
    pub resolve_at_least_every: Duration,
    /// Whether to simulate the third party; set it to false if `provider` is another server.
    pub simulate_provider: bool,
    /// The address on which the simulated third party listens.
    pub provider_listen: SocketAddr,
    /// The time that the simulated third party takes for a charge.
    #[serde(with = "humantime_serde")]
    pub provider_delay: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8104)),
            database: database::Config::local("payments"),
            provider: "http://127.0.0.1:8114".into(),
            provider_timeout: Duration::from_secs(4),
            provider_attempts: 3,
            resolve_after: Duration::from_secs(1),
            resolve_at_least_every: Duration::from_secs(5 * 60),
            simulate_provider: true,
            provider_listen: SocketAddr::from(([127, 0, 0, 1], 8114)),
            provider_delay: Duration::from_millis(20),
        }
    }
}
