//! Carries events from the durable bus, Kafka, to the live one, NATS.
//!
//! ```text
//!  Kafka orders.events, payments.events, shipments.events, inventory.events
//!    └──▶ News::update ──▶ Bridge::tell ──▶ NATS live.orders.<customer>.<order>
//! ```
//!
//! Updates are sent at least once and in order while NATS is reachable; during an outage they are lost. A subscriber that sees
//! a gap in the revisions can query `orders`.

mod bridge;
mod config;
mod inbound;
mod metrics;
mod update;

use std::sync::Arc;

use chassis::App;
use proto::{
    inventory::v1::InventoryEvent, orders::v1::OrderEvent, payments::v1::PaymentEvent,
    shipping::v1::ShipmentEvent,
};

use inbound::OnNews;

pub use config::Config;

/// Wires the service.
///
/// # Errors
/// `nats.url` is invalid.
pub async fn wire(app: &mut App, Config {}: Config) -> anyhow::Result<()> {
    let metrics = metrics::Metrics::register(app.registry())?;
    let bridge = Arc::new(bridge::Bridge::new(app.nats().await?, metrics));
    app.observe(OnNews::<OrderEvent>::new(&bridge))?;
    app.observe(OnNews::<PaymentEvent>::new(&bridge))?;
    app.observe(OnNews::<ShipmentEvent>::new(&bridge))?;
    app.observe(OnNews::<InventoryEvent>::new(&bridge))
}
