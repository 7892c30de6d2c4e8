//! Takes orders over gRPC, reserves their stock, and settles them by the results of payments, shipments and reservations.
//!
//! ```text
//!  gRPC  orders.v1/Place   ──▶ Orders::place  ──▶ gRPC catalog.v1/GetProducts, inventory.v1/Reserve
//!                                              └─▶ outbox ─▶ Kafka orders.events: OrderPlaced
//!  Kafka payments.events   ─┐
//!  Kafka shipments.events  ─┼▶ Orders::settle ──▶ outbox ─▶ Kafka orders.events: OrderPaid … OrderCompleted, OrderCancelled
//!  Kafka inventory.events  ─┘
//!  gRPC  orders.v1/Cancel  ──▶ Orders::cancel ──▶ outbox ─▶ Kafka orders.events: OrderCancelled
//!  clock                   ──▶ Orders::measure_open ──▶ Store
//!  gRPC  orders.v1/Get, List, ListAll ──▶ Store
//! ```

mod config;
mod domain;
mod error;
mod events;
mod inbound;
mod metrics;
mod orders;
mod outbound;
mod store;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;

use chassis::{App, OnError};

pub use config::Config;

use crate::{metrics::Metrics, orders::Orders, store::Store};

/// Wires `orders`.
///
/// # Errors
/// A port is taken, or the database cannot be used.
pub async fn wire(app: &mut App, config: Config) -> anyhow::Result<()> {
    // Outbound: what this service talks to.
    let catalog = outbound::Catalog::new(app.channel(&config.catalog)?);
    let inventory = outbound::Inventory::new(app.channel(&config.inventory)?);
    let migrations = chassis::migrations!["0001_orders", "0002_open", "0003_story"];
    let store = Store::open(app.database(&config.database, migrations).await?);

    // Core: what it decides.
    let metrics = Metrics::register(app.registry())?;
    let (detached, grace) = (app.detached(), orders::GRACE);
    let orders = Arc::new(Orders::new(store, catalog, inventory, metrics, detached, grace));

    // Inbound: what can reach it.
    app.serve_grpc(config.listen, inbound::grpc::services(&orders)).await?;
    app.consume(inbound::payments::OnPayment::new(&orders))?;
    app.consume(inbound::shipments::OnShipment::new(&orders))?;
    app.consume(inbound::inventory::OnReservation::new(&orders))?;
    app.spawn("measure open orders", OnError::Shutdown, inbound::clock::measure_open(orders));
    Ok(())
}
