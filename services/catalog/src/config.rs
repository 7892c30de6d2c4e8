//! What `catalog` can be told.

use std::{net::SocketAddr, time::Duration};

use chassis::database;
use serde::{Deserialize, Serialize};

/// The settings of `catalog`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Config {
    /// Where to serve gRPC.
    pub listen: SocketAddr,
    /// Where the products are kept.
    pub database: database::Config,
    /// What is remembered of them.
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

/// What is remembered of the products, in memory or, with `redis.url`, in Redis.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cache {
    /// Most products in memory; also those that were asked for and do not exist.
    pub products: u64,
    /// Most pages in memory of lists and searches, up to 100 products each.
    pub pages: u64,
    /// For how long: a change in the database shows after this time at the latest.
    #[serde(with = "humantime_serde")]
    pub ttl: Duration,
}

impl Default for Cache {
    /// A few MiB when full, and short enough that whoever changed a price sees it while still looking.
    fn default() -> Self {
        Self { products: 10_000, pages: 200, ttl: Duration::from_secs(30) }
    }
}
