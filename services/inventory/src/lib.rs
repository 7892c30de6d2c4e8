//! Keeps the stock, holds some of it for orders, and commits or releases a hold when its order is paid for or cancelled.
//!
//! ```text
//!  gRPC  inventory.v1/Reserve ──▶ Reservations::reserve ──▶ Store
//!  Kafka orders.events: OrderPaid, OrderCancelled
//!                             ──▶ Reservations::settle  ──▶ outbox ─▶ Kafka inventory.events: ReservationCommitted, ReservationReleased
//!  clock: expired holds       ──▶ Reservations::expire  ──▶ outbox ─▶ Kafka inventory.events: ReservationExpired
//!  gRPC  inventory.v1/GetAvailability, ListReservations ──▶ Store
//!  stock.toml ──▶ seed, at the start ──▶ Store
//! ```
//!
//! An expired hold stays held, since the payment may be under way. `orders` decides, and publishes OrderPaid or OrderCancelled.

mod config;
mod domain;
mod error;
mod events;
mod inbound;
mod metrics;
mod reservations;
mod seed;
mod store;
mod wire;

use std::sync::Arc;

use chassis::{App, OnError};

pub use config::Config;

use crate::{metrics::Metrics, reservations::Reservations, store::Store};

/// Wires `inventory`.
///
/// # Errors
/// The port is taken, or the database cannot be used.
pub async fn wire(app: &mut App, config: Config) -> anyhow::Result<()> {
    // Outbound: what this service talks to.
    let migrations = chassis::migrations!["0001_stock", "0002_trace"];
    let store = Store::open(app.database(&config.database, migrations).await?);
    seed::fill(&store).await?;

    // Core: what it decides.
    let metrics = Metrics::register(app.registry())?;
    let reservations = Arc::new(Reservations::new(store, config.reservation_ttl, metrics));

    // Inbound: what can reach it.
    app.serve_grpc(config.listen, inbound::grpc::services(&reservations)).await?;
    app.consume(inbound::orders::OnOrder::new(&reservations))?;
    app.spawn("expire reservations", OnError::Shutdown, inbound::clock::expire(reservations));
    Ok(())
}
