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
mod events;
mod inbound;
mod metrics;
mod orders;
mod outbound;
mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use chassis::{App, OnError, grpc::Services};

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
    let store = Store::open(
        app.database(
            &config.database,
            chassis::migrations!["0001_orders", "0002_open", "0003_story"],
        )
        .await?,
    );

    // Core: what it decides.
    let metrics = Metrics::register(app.registry())?;
    let orders = Orders::new(store, catalog, inventory, metrics, app.detached(), orders::GRACE);

    // Inbound: what can reach it.
    app.serve_grpc(config.listen, Services::new(inbound::grpc::service(&orders))).await?;
    app.consume(inbound::facts::OnPayment(Arc::clone(&orders)))?;
    app.consume(inbound::facts::OnShipment(Arc::clone(&orders)))?;
    app.consume(inbound::facts::OnReservation(Arc::clone(&orders)))?;
    app.spawn("measure open orders", OnError::Shutdown, inbound::clock::measure_open(orders));
    Ok(())
}
