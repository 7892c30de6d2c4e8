//! What `payments` can be told.

use std::{net::SocketAddr, time::Duration};

use chassis::{config::SecretUrl, database, http};
use serde::{Deserialize, Serialize};

/// The settings of `payments`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Config {
    /// Where to serve gRPC.
    pub listen: SocketAddr,
    /// Where the payments are kept.
    pub database: database::Config,
    /// Base URL of the third party that charges and refunds.
    #[serde(deserialize_with = "http::base_url")]
    pub provider: SecretUrl,
    /// How long the third party may take over one request: longer than its `tok_slow`, 3 s.
    #[serde(with = "humantime_serde")]
    pub provider_timeout: Duration,
    /// How often the third party is asked before the outcome of a charge counts as unknown, the first time included.
    pub provider_attempts: u32,
    /// How long after its answer was lost a charge is voided; this wait doubles from attempt to attempt.
    #[serde(with = "humantime_serde")]
    pub resolve_after: Duration,
    /// The longest wait between two attempts to void a charge.
    #[serde(with = "humantime_serde")]
    pub resolve_at_least_every: Duration,
    /// Whether to be the third party, too; not if `provider` is somewhere else.
    pub simulate_provider: bool,
    /// Where the simulated third party listens.
    pub provider_listen: SocketAddr,
    /// How long the simulated third party thinks about a charge.
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
