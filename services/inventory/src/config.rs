//! The settings of `inventory`.

use std::{net::SocketAddr, time::Duration};

use chassis::database;
use serde::{Deserialize, Serialize};

/// The settings of `inventory`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Config {
    /// Where to serve gRPC.
    pub listen: SocketAddr,
    /// The database of stock and reservations.
    pub database: database::Config,
    /// How long stock is held for an order that is not paid for. Longer than a payment may take with all its retries: an order
    /// is cancelled if its hold expires first.
    #[serde(with = "humantime_serde")]
    pub reservation_ttl: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8102)),
            database: database::Config::local("inventory"),
            reservation_ttl: Duration::from_secs(15 * 60),
        }
    }
}
