//! Charges orders when they are placed, and refunds them when they are cancelled.
//!
//! ```text
//!  Kafka orders.events ──▶ Payments::ask ────▶ HTTP provider: POST /charges, /refunds   (no transaction is open)
//!                      └─▶ Payments::settle ──▶ outbox ─▶ Kafka payments.events
//!  rows: state unknown, due ──▶ Resolver ──▶ HTTP provider: POST /voids ──▶ outbox ─▶ Kafka payments.events
//!  gRPC  payments.v1/ListPayments ──▶ our ledger;  Charges/ListCharges ──▶ HTTP provider: POST /charges/search, its ledger
//! ```
//!
//! `domain.rs` decides whether to call the third party, and what follows from its answer. The event's id is the idempotency
//! key, so an event that is handled again does not charge the order twice. A charge whose answer was lost is `unknown` until
//! the third party has voided it.

mod config;
mod domain;
mod inbound;
mod metrics;
mod outbound;
mod payments;
mod provider;
mod store;
#[cfg(test)]
mod tests;
mod unknown;

use std::sync::Arc;

use anyhow::{Context, ensure};
use chassis::{App, OnError};
use tokio::net::TcpListener;

pub use config::Config;

/// Wires the service.
///
/// # Errors
/// A port is taken, the database cannot be used, or the third party's time limits exceed that of one attempt to handle an
/// event.
pub async fn wire(app: &mut App, config: Config) -> anyhow::Result<()> {
    // Outbound: what this service talks to.
    let longest = outbound::Provider::longest(config.provider_timeout, config.provider_attempts);
    let limit = app.settings().kafka.attempt_timeout;
    ensure!(
        longest < limit,
        "provider_timeout × provider_attempts may take {longest:?}: kafka.attempt_timeout is {limit:?}"
    );
    if config.simulate_provider {
        simulate_provider(app, &config).await?;
    }
    let metrics = metrics::Metrics::register(app.registry())?;
    let client = app.http_client("provider", &config.provider, config.provider_timeout)?;
    let (timeout, attempts) = (config.provider_timeout, config.provider_attempts);
    let provider = outbound::Provider::new(client, timeout, attempts, metrics.clone());
    let store = store::Store::new(
        app.database(&config.database, chassis::migrations!["0001_payments", "0002_unknown"])
            .await?,
    );

    // Core: what it decides.
    let pace = domain::Pace { first: config.resolve_after, longest: config.resolve_at_least_every };
    let payments = payments::Payments::new(store.clone(), provider.clone(), pace, metrics.clone());
    let payments = Arc::new(payments);
    let resolver = unknown::Resolver::new(store.clone(), provider.clone(), pace, metrics);

    // Inbound: what can reach it.
    let resolve = unknown::resolve(Arc::new(resolver));
    app.spawn("resolve unknown charges", OnError::Shutdown, resolve);
    app.serve_grpc(config.listen, inbound::grpc::routes(store, provider)).await?;
    app.consume(inbound::orders::OnOrder::new(&payments))
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
        provider::serve(listener, config.provider_delay),
    );
    Ok(())
}
