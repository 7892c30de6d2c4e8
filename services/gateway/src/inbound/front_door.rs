//! The front door: pages of other servers, each below its own path of the gateway.

use axum::Router;
use chassis::http::{Proxy, Requests};

use crate::config::FrontDoor;

/// A server whose pages the gateway proxies.
pub(crate) struct Door<'a> {
    pub(crate) path: &'static str,
    /// What the server shows, in a few words.
    pub(crate) purpose: &'static str,
    base: &'a str,
}

/// Loki has no pages and no login: the gateway passes on its queries, and nothing that stores or deletes log lines.
const LOKI: &str = "/loki";

/// Queries of Loki: <https://grafana.com/docs/loki/latest/reference/loki-http-api/>
const QUERIES: [&str; 5] = [
    "/api/v1/query_range",
    "/api/v1/query",
    "/api/v1/labels",
    "/api/v1/label/{name}/values",
    "/api/v1/series",
];

/// The servers that are configured, the most useful first.
pub(crate) fn doors(config: &FrontDoor) -> Vec<Door<'_>> {
    // Lens has Prometheus' API at the same path, so that a URL below it works with and without a Prometheus.
    let prometheus = config.prometheus.base().or(config.lens.base());
    let all = [
        ("/grafana", "dashboards, alerts, logs", config.grafana.base()),
        ("/jaeger", "traces", config.jaeger.base()),
        ("/prometheus", "metrics, rules, targets", prometheus),
        ("/alertmanager", "notifications of alerts", config.alertmanager.base()),
        ("/lens", "the topology of the services, recent orders, log lines", config.lens.base()),
    ];
    let configured = all
        .into_iter()
        .filter_map(|(path, purpose, base)| Some(Door { path, purpose, base: base? }));
    configured.collect()
}

/// The requests for these servers.
pub(crate) fn passed_on(config: &FrontDoor) -> Vec<Requests> {
    let paths = doors(config).into_iter().map(|door| door.path);
    let all = paths.chain(config.loki.base().map(|_| LOKI));
    all.map(|path| Requests::below(format!("{path}/"))).collect()
}

/// The routes of the servers that are configured.
pub(crate) fn router(config: &FrontDoor) -> anyhow::Result<Router> {
    let router = match config.loki.base() {
        Some(base) => Proxy::new(base)?.reader(LOKI, &QUERIES),
        None => Router::new(),
    };
    doors(config)
        .into_iter()
        .try_fold(router, |router, door| Ok(router.merge(Proxy::new(door.base)?.router(door.path))))
}
