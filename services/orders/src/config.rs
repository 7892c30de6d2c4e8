//! The settings of `orders`.

use std::net::SocketAddr;

use chassis::{database, grpc::Endpoints};
use serde::{Deserialize, Serialize};

/// The settings of `orders`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Config {
    /// Where to serve gRPC.
    pub listen: SocketAddr,
    /// The address of `catalog`, for the prices.
    pub catalog: Endpoints,
    /// The address of `inventory`, for the stock.
    pub inventory: Endpoints,
    /// The database of the orders.
    pub database: database::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8103)),
            catalog: Endpoints::local(8101),
            inventory: Endpoints::local(8102),
            database: database::Config::local("orders"),
        }
    }
}
