//! Ships orders that are paid for, and returns parcels of orders that are cancelled.
//!
//! ```text
//!  Kafka orders.events: OrderPaid, OrderCancelled
//!                      ═batch═▶ Shipments::settle ──▶ outbox ─▶ Kafka shipments.events: ShipmentReturned
//!  clock: due timers   ──▶ Shipments::fire   ──▶ outbox ─▶ Kafka shipments.events: ShipmentDispatched, ShipmentDelivered
//!  gRPC  shipping.v1/ListShipments ──▶ Store
//! ```
//!
//! A timer is a column of its shipment's row, so it survives a restart, and the first replica that finds it due fires it. It
//! continues the trace in which it was set: paid, scheduled, dispatched and delivered are one trace.

mod config;
mod domain;
mod error;
mod events;
mod inbound;
mod metrics;
mod shipments;
mod store;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;

use chassis::{App, OnError};

pub use config::Config;

use crate::{domain::Delays, metrics::Metrics, shipments::Shipments, store::Store};

/// Wires `shipping`.
///
/// # Errors
/// The port is taken, or the database cannot be used.
pub async fn wire(app: &mut App, config: Config) -> anyhow::Result<()> {
    // Outbound: what this service talks to.
    let migrations = chassis::migrations!["0001_shipments", "0002_trace"];
    let store = Store::open(app.database(&config.database, migrations).await?);

    // Core: what it decides.
    let Config { listen, dispatch_after, deliver_after, .. } = config;
    let metrics = Metrics::register(app.registry())?;
    let shipments =
        Arc::new(Shipments::new(store, Delays { dispatch_after, deliver_after }, metrics));

    // Inbound: what can reach it.
    app.serve_grpc(listen, inbound::grpc::services(&shipments)).await?;
    app.consume_batches(inbound::orders::OnOrder::new(&shipments))?;
    app.spawn("fire timers", OnError::Shutdown, inbound::clock::fire(Arc::clone(&shipments)));
    app.spawn("count timers", OnError::Shutdown, inbound::clock::measure(shipments));
    Ok(())
}
