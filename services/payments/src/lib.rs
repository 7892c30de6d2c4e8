//! Charges orders when they are placed, and refunds them when they are cancelled.
//!
//! ```text
//!  Kafka orders.events ──▶ Payments::call_provider ──▶ HTTP provider: POST /charges, /refunds   (no transaction is open)
//!                      └─▶ Payments::settle        ──▶ outbox ─▶ Kafka payments.events
//!  clock: unknown charges ─▶ Payments::resolve_due ──▶ HTTP provider: POST /voids; outbox ─▶ Kafka payments.events
//!  gRPC  payments.v1/ListPayments ──▶ Store
//!        payments.v1/ListCharges  ──▶ HTTP provider: POST /charges/search, its ledger
//! ```
//!
//! `domain.rs` decides whether to call the third party, and what follows from its response. The event's id is the idempotency
//! key, so an event that is handled again does not charge the order twice. A charge whose response was lost is `unknown` until
//! the third party has voided it.

mod config;
mod domain;
mod error;
mod events;
mod inbound;
mod metrics;
mod outbound;
mod payments;
mod simulator;
mod store;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;

use anyhow::{Context, ensure};
use chassis::{App, OnError};
use tokio::net::TcpListener;

pub use config::Config;

use crate::{
    domain::Delays, metrics::Metrics, outbound::Provider, payments::Payments, store::Store,
};

/// Wires `payments`.
///
/// # Errors
/// A port is taken, the database cannot be used, or the third party's time limits exceed that of one attempt to handle an
/// event.
pub async fn wire(app: &mut App, config: Config) -> anyhow::Result<()> {
    // Outbound: what this service talks to.
    let (timeout, attempts) = (config.provider_timeout, config.provider_attempts);
    let (longest, limit) =
        (Provider::longest(timeout, attempts), app.settings().kafka.attempt_timeout);
    ensure!(
        longest < limit,
        "provider_timeout × provider_attempts may take {longest:?}: kafka.attempt_timeout is {limit:?}"
    );
    if config.simulate_provider {
        simulate_provider(app, &config).await?;
    }
    let metrics = Metrics::register(app.registry())?;
    let client = app.http_client("provider", &config.provider, timeout)?;
    let provider = Provider::new(client, timeout, attempts, metrics.clone());
    let migrations = chassis::migrations!["0001_payments", "0002_unknown"];
    let store = Store::open(app.database(&config.database, migrations).await?);

    // Core: what it decides.
    let delays = Delays { first: config.resolve_after, longest: config.resolve_at_least_every };
    let payments = Arc::new(Payments::new(store, provider, delays, metrics));

    // Inbound: what can reach it.
    app.serve_grpc(config.listen, inbound::grpc::services(&payments)).await?;
    app.consume_with_side_effect(inbound::orders::OnOrder::new(&payments))?;
    app.spawn("resolve unknown charges", OnError::Shutdown, inbound::clock::resolve(payments));
    Ok(())
}

/// Serves the simulated third party. It has no spans and metrics, since it stands for a server of another company. It is a
/// task, because tasks stop after the consumer, which still needs it to finish its events during the drain.
async fn simulate_provider(app: &mut App, config: &Config) -> anyhow::Result<()> {
    let listen = config.provider_listen;
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("listen on {listen} (provider); another process may have the port: `provider_listen` moves it")
    })?;
    app.spawn(
        "simulate the provider",
        OnError::Shutdown,
        simulator::serve(listener, config.provider_delay),
    );
    Ok(())
}
