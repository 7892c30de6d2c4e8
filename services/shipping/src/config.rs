//! The settings of `shipping`.

use std::{net::SocketAddr, time::Duration};

use chassis::database;
use serde::{Deserialize, Serialize};

/// The settings of `shipping`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Config {
    /// The address to serve gRPC on.
    pub listen: SocketAddr,
    /// The database of the shipments.
    pub database: database::Config,
    /// How long a parcel waits in the warehouse.
    #[serde(with = "humantime_serde")]
    pub dispatch_after: Duration,
    /// How long a parcel is on its way.
    #[serde(with = "humantime_serde")]
    pub deliver_after: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8105)),
            database: database::Config::local("shipping"),
            dispatch_after: Duration::from_millis(500),
            deliver_after: Duration::from_millis(500),
        }
    }
}
