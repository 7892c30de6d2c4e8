//! Ships orders that are paid for, and calls back parcels of orders that are cancelled.
//!
//! ```text
//!  Kafka orders.events ═batch═▶ Shipments::schedule, cancel ──▶ row: state, timer, trace
//!  timers::fire ◀── due ── rows
//!        └──▶ Shipments::fire: dispatch, deliver ──▶ outbox ─▶ Kafka shipments.events
//!  gRPC  shipping.v1/ListShipments ──▶ the ledger
//! ```
//!
//! A timer is a column of its shipment's row, so it survives a restart, and the first replica that finds it due fires it. It
//! continues the trace in which it was set: paid, scheduled, dispatched and delivered are one trace.

mod config;
mod domain;
mod inbound;
mod metrics;
mod outbound;
mod shipments;
mod store;
#[cfg(test)]
mod tests;
mod timers;

use std::sync::Arc;

use chassis::{App, OnError};

pub use config::Config;

/// Wires the service.
///
/// # Errors
/// A port is taken, or the database cannot be used.
pub async fn wire(app: &mut App, config: Config) -> anyhow::Result<()> {
    // Outbound: what this service talks to.
    let store = store::Store::new(
        app.database(&config.database, chassis::migrations!["0001_shipments", "0002_trace"])
            .await?,
    );

    // Core: what it decides.
    let pace =
        domain::Pace { dispatch_after: config.dispatch_after, deliver_after: config.deliver_after };
    let metrics = metrics::Metrics::register(app.registry())?;
    let shipments = Arc::new(shipments::Shipments::new(store.clone(), pace, metrics));

    // Inbound: what can reach it.
    app.spawn("fire timers", OnError::Shutdown, timers::fire(Arc::clone(&shipments)));
    app.spawn("count timers", OnError::Shutdown, timers::count(Arc::clone(&shipments)));
    app.serve_grpc(config.listen, inbound::grpc::routes(store)).await?;
    app.consume_batches(inbound::orders::OnOrders::new(&shipments))
}
