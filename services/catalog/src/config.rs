//! The settings of `catalog`.

use std::{net::SocketAddr, time::Duration};

use chassis::database;
use serde::{Deserialize, Serialize};

/// The settings of `catalog`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Config {
    /// The address to serve gRPC on.
    pub listen: SocketAddr,
    /// The database of the products.
    pub database: database::Config,
    /// The cache of the products.
    pub cache: Cache,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8101)),
            database: database::Config::local("catalog"),
            cache: Cache::default(),
        }
    }
}

/// The cache of the products: in memory, or in Redis if `redis.url` is set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cache {
    /// The most products in memory, including those that were requested and do not exist.
    pub products: u64,
    /// The most pages of lists and searches in memory, of up to 100 products each.
    pub pages: u64,
    /// How long a value is cached: a change in the database is visible after this time at the latest.
    #[serde(with = "humantime_serde")]
    pub ttl: Duration,
}

impl Default for Cache {
    /// A few MiB when full. The time is short enough that the person who changed a price soon sees it.
    fn default() -> Self {
        Self { products: 10_000, pages: 200, ttl: Duration::from_secs(30) }
    }
}
