//! The embedded observability backend: takes spans, log lines and metrics of the services, and answers queries about them, within
//! a fixed amount of memory.
//!
//! ```text
//!  OTLP gRPC ─┐             ┌─▶ Store: traces, log lines, flows ──▶ Jaeger's API  /api/…
//!  OTLP HTTP ─┴─▶ Intake ───┤                                   └─▶ /lens/v1/logs, /lens/v1/flows
//!                           └─▶ Topology: edges, rates ───────────▶ /lens/v1/topology, /api/dependencies
//!  /metrics of every service ─▶ Scraper ─┬─▶ series of samples ───▶ Prometheus' API  /prometheus/api/v1/…
//!                                        └─▶ rates, memory ───────▶ /lens/v1/services
//!  their admin ports ◀── AdminPorts ◀─ /lens/v1/services/{service}/config, /log-level, /profile, …
//!  Kafka, on request: topics, an order's records, dead letters ───▶ /lens/v1/events/…
//! ```
//!
//! Lens forgets: the oldest traces, log lines and samples are dropped when the memory is full. It keeps the rest over a restart if
//! it has a folder for that (`keep.folder`; `mesh up` sets it). It is for watching a mesh, not for storing its data; to keep data,
//! use a collector, with Jaeger, Loki and Prometheus behind it.

mod clock;
mod config;
mod cost;
mod coverage;
mod domain;
mod events;
mod inbound;
mod intake;
mod keep;
mod metrics;
mod outbound;
mod rules;
mod scrape;
mod store;
#[cfg(test)]
mod tests;
mod topology;

use std::sync::Arc;

use chassis::{
    App, OnError,
    http::{self, Requests},
};

pub use clock::Clock;
pub use config::{Config, Flow, Keep, Kept, Operate, Scrape, Size};
use events::Events;
use intake::Intake;
use keep::Keeper;
use metrics::{Metrics, RuleMetrics, SeriesMetrics};
use rules::Rules;
use scrape::Scraper;
use store::Store;
use topology::Topology;

/// The requests of OTLP, and those of Prometheus' API.
const OTLP: &str = "/v1/";
const PROMETHEUS: [&str; 2] = ["/prometheus/", "/api/v1/"];

/// How lens serves its requests: what delivers telemetry, and what only looks at it, is neither telemetry nor load of the mesh. A
/// request that changes something is traced, such as one that replays an event.
fn options() -> http::Options {
    let (otlp, metrics) = (Requests::below(OTLP), PROMETHEUS.map(Requests::below));
    let polls = Requests::below("/lens/").that_read();
    // A profile takes longer than other requests may; a query answers in Prometheus' own words when its time is over.
    let services = Requests::below("/lens/v1/services/");
    http::Options {
        untraced: [&metrics[..], &[otlp.clone(), polls]].concat(),
        unmeasured: [&metrics[..], &[otlp.clone(), services.clone()]].concat(),
        unhurried: [&metrics[..], &[services]].concat(),
        reserved: vec![otlp],
        body_limit: inbound::otlp_http::BODY_LIMIT,
        ..http::Options::default()
    }
}

/// Wires lens.
///
/// # Errors
/// A port is taken.
pub async fn wire(app: &mut App, config: Config) -> anyhow::Result<()> {
    let clock = config.clock;

    // Core: what it keeps.
    let store = Arc::new(Store::new(config.memory.bytes(), config.flow.into()));
    let topology = Arc::new(Topology::new(config.memory.bytes()));
    let series = Arc::new(timeseries::Store::new(config.metrics.into()));
    let scraper = Arc::new(Scraper::new(&config.scrape, &series)?);
    let metrics = Metrics::register(app.registry())?;
    let intake = Arc::new(Intake::new(&store, &topology, &scraper, metrics, clock));
    let series_metrics = SeriesMetrics::register(app.registry())?;

    let rules = Rules::new(&series, &config.rules, RuleMetrics::register(app.registry())?, clock)?;
    let rules = Arc::new(rules);

    if let Some(keeper) = Keeper::new(&config.keep, &store, &series, &intake, clock) {
        keep(app, keeper, clock).await?;
    }

    let events = Events::new(&app.settings().kafka, &series, clock);

    // Inbound: what can reach it.
    app.serve_grpc(config.otlp_listen, inbound::otlp_grpc::routes(&intake)).await?;
    let operate = inbound::operate::Operate::new(&config.operate, app.guard());
    let router = inbound::otlp_http::routes(&intake)
        .merge(inbound::operate::routes(&operate))
        .merge(inbound::events::routes(events, &operate))
        .merge(inbound::jaeger::routes(&store, &topology, &scraper, clock))
        .nest("/lens", inbound::jaeger::routes(&store, &topology, &scraper, clock))
        .merge(inbound::lens::routes(&store, &topology, &scraper, clock))
        .merge(inbound::traces::routes(&store, clock))
        .merge(inbound::services::routes(&scraper, &operate)?)
        .merge(inbound::export::routes(&store, &series))
        .merge(inbound::prometheus::routes(&series, rules.groups(), &scraper, clock));
    let options = http::Options { guard: Some(app.guard()), ..options() };
    app.serve_http(config.listen, router, options).await?;
    // Without metrics, the alerts about what is absent would fire.
    if !config.scrape.targets.is_empty() {
        app.spawn("evaluate rules", OnError::Shutdown, async move {
            rules.run().await;
            Ok(())
        });
    }
    app.spawn("scrape metrics", OnError::Shutdown, async move {
        let each_round = || {
            intake.settle();
            series_metrics.set(&series.usage());
        };
        scraper.run(each_round).await;
        Ok(())
    });
    Ok(())
}

/// Restores what an earlier process has kept, and saves from then on.
async fn keep(app: &mut App, keeper: Arc<Keeper>, clock: Clock) -> anyhow::Result<()> {
    let restored = keeper.restore().await?;
    if clock.is_fixed() {
        restored.await?; // a recorded run is whole when it is shown
    } else {
        app.spawn("restore traces", OnError::Shutdown, restored);
    }
    app.spawn("keep data", OnError::Shutdown, Arc::clone(&keeper).run());
    app.after_drain(keeper.finish());
    Ok(())
}
