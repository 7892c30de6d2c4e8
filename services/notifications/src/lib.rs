//! Publishes an update on NATS, the bus of live messages, for every event on Kafka, the durable bus.
//!
//! ```text
//!  Kafka orders.events, payments.events, shipments.events, inventory.events
//!    └──▶ Bridge::publish ──▶ NATS live.orders.<customer>.<order>
//! ```
//!
//! While NATS is reachable, updates are sent at least once and in order; during an outage they are lost. A subscriber that sees
//! a gap in the revisions can query `orders`.

mod bridge;
mod config;
mod inbound;
mod metrics;
mod wire;

use std::sync::Arc;

use chassis::App;
use proto::{
    inventory::v1::InventoryEvent, orders::v1::OrderEvent, payments::v1::PaymentEvent,
    shipping::v1::ShipmentEvent,
};

pub use config::Config;

use crate::{bridge::Bridge, inbound::events::OnEvent, metrics::Metrics};

/// Wires `notifications`.
///
/// # Errors
/// `nats.url` is invalid.
pub async fn wire(app: &mut App, Config {}: Config) -> anyhow::Result<()> {
    // Outbound: what this service talks to.
    let nats = app.nats().await?;

    // Core: what it decides.
    let metrics = Metrics::register(app.registry())?;
    let bridge = Arc::new(Bridge::new(nats, metrics));

    // Inbound: what can reach it.
    app.observe(OnEvent::<OrderEvent>::new(&bridge))?;
    app.observe(OnEvent::<PaymentEvent>::new(&bridge))?;
    app.observe(OnEvent::<ShipmentEvent>::new(&bridge))?;
    app.observe(OnEvent::<InventoryEvent>::new(&bridge))
}
