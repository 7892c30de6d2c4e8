//! Serves the products: reads them from its database and caches them for a while.
//!
//! ```text
//!  gRPC  catalog.v1/GetProduct, GetProducts ──▶ Products::get, get_all ─┬▶ Cache (hit): memory, or Redis
//!  gRPC  catalog.v1/ListProducts            ──▶ Products::list ─────────┴▶ Store (miss)
//!  products.toml ──▶ seed, at the start ──▶ Store
//! ```

mod config;
mod domain;
mod error;
mod inbound;
mod products;
mod seed;
mod store;
mod wire;

use std::sync::Arc;

use chassis::App;

pub use config::Config;

use crate::{products::Products, store::Store};

/// Wires `catalog`.
///
/// # Errors
/// The port is taken, or the database cannot be used.
pub async fn wire(app: &mut App, config: Config) -> anyhow::Result<()> {
    // Outbound: what this service talks to.
    let migrations = chassis::migrations!["0001_products"];
    let store = Store::open(app.database(&config.database, migrations).await?);
    seed::fill(&store).await?;

    // Core: what it decides.
    let products = Arc::new(Products::new(store, &config.cache, &app.caches()?));

    // Inbound: what can reach it.
    app.serve_grpc(config.listen, inbound::grpc::services(&products)).await?;
    Ok(())
}
