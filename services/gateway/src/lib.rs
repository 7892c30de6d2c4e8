//! The edge: REST, live streams, and the front door.
//!
//! ```text
//!  HTTP  /api/products ──▶ Products ──▶ gRPC catalog.v1, inventory.v1
//!        /api/orders   ──▶ Orders   ──▶ gRPC orders.v1
//!        …/{id}/live   ──▶ Live     ──▶ NATS live.orders.<customer>.<order>, gRPC orders.v1/Get
//!        /api/otlp     ──▶ Browser  ──▶ OTLP, to where the gateway's own telemetry goes
//!        /api/live     ──▶ Hub      ──▶ NATS live.orders.>
//!        /  /assets/   ──▶ the console, embedded
//!        /docs/  /openapi.json
//!        /grafana/ /jaeger/ /prometheus/ /alertmanager/ ──▶ HTTP, passed on as it is, where configured
//!        /loki/     ──▶ HTTP, queries only, where configured
//! ```

mod browser;
mod config;
mod console;
mod domain;
mod hub;
mod inbound;
mod limits;
mod live;
mod metrics;
mod outbound;
mod products;
mod requests;
mod resources;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;

use chassis::{App, OnError, http};

use browser::Browser;
pub use config::{Config, ConsoleFiles, FrontDoor, TraceUrl, Upstream, WebSockets};
use console::Console;
use hub::Hub;
use inbound::rest::{self, AppState, Sockets};
use live::{Live, ReadIntervals};
use metrics::Metrics;
use outbound::{Catalog, Inventory, Nats, Orders, Updates};
use products::Products;

/// Wires the gateway.
///
/// # Errors
/// A port is taken, or a metric is declared twice.
pub async fn wire(app: &mut App, config: Config) -> anyhow::Result<()> {
    // Outbound: the services it calls.
    let catalog = Catalog::new(app.channel(&config.catalog)?);
    let inventory = Inventory::new(app.channel(&config.inventory)?);
    let orders = Orders::new(app.channel(&config.orders)?);
    let metrics = Metrics::register(app.registry())?;
    let updates = Nats::new(app.nats().await?, metrics.live_malformed_total.clone());
    let updates: Arc<dyn Updates> = Arc::new(updates);

    // Core: what it makes of their answers.
    let products = Products::new(catalog, inventory, metrics.clone());
    let live = Live::new(
        orders.clone(),
        Arc::clone(&updates),
        app.draining(),
        metrics.clone(),
        ReadIntervals::default(),
        config.live_streams,
    );
    let sockets = sockets(app, &config.websocket, updates, &orders, &metrics);
    let browser = Browser::new(app.forwarder()?, config.browser_requests, metrics.clone());

    // Inbound: what can reach it.
    let Config { listen, customer, trace_url, front_door, deadline, console, .. } = config;
    let options =
        http::Options { limit: deadline, guard: Some(app.guard()), ..rest::options(&front_door) };
    let console = Console::new(&console.folder);
    let state = AppState {
        products,
        orders,
        live,
        browser,
        sockets,
        customer,
        trace_url,
        front_door,
        console,
        metrics,
    };
    app.serve_http(listen, rest::router(state)?, options).await?;
    Ok(())
}

/// What WebSockets need, with the task that receives their updates.
fn sockets(
    app: &mut App,
    config: &WebSockets,
    updates: Arc<dyn Updates>,
    orders: &Orders,
    metrics: &Metrics,
) -> Sockets {
    let hub = Hub::new(config.updates);
    let filled = hub::fill(Arc::clone(&hub), updates, config.grace);
    app.spawn("receive live updates", OnError::Shutdown, filled);
    Sockets {
        hub,
        orders: orders.clone(),
        draining: app.draining(),
        metrics: metrics.clone(),
        config: config.clone(),
    }
}
