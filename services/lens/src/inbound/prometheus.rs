//! Prometheus' HTTP API, so that Grafana, `promtool query` and scripts can use lens as a Prometheus:
//! <https://prometheus.io/docs/prometheus/latest/querying/api/>

mod answer;
mod evaluation;
mod json;
mod params;
mod query;
mod rules;
mod series;
mod status;
mod targets;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::{Router, extract::DefaultBodyLimit, routing::get};
use promrules::GroupState;
use timeseries::Store;

use self::{evaluation::Evaluator, params::BODY_LIMIT};
use crate::{clock::Clock, scrape::Scraper};

const INDEX: &str = "\
lens of glassmesh, as a Prometheus: the last half hour of metrics; an address for Grafana, promtool and scripts

  /prometheus/api/v1/query?query=up                   PromQL, now or at time=
  /prometheus/api/v1/query_range?query=up&start=&end=&step=15s
  /prometheus/api/v1/series /labels /label/{name}/values /metadata /query_exemplars
  /prometheus/api/v1/rules /alerts                    the rules of grafana/rules, and the alerts that are pending or firing
  /prometheus/api/v1/targets                          what is scraped, when, and with what result
  /prometheus/api/v1/status/buildinfo

https://prometheus.io/docs/prometheus/latest/querying/api/ describes the parameters. Lens has no pages for metrics: `mesh query`
and `mesh alerts` print them.
";

/// Returns the state of each group of rules after its last evaluation.
pub(crate) type Groups = Arc<dyn Fn() -> Vec<Arc<GroupState>> + Send + Sync>;

/// What the API answers from.
struct Prometheus {
    store: Arc<Store>,
    groups: Groups,
    scraper: Arc<Scraper>,
    evaluator: Evaluator,
    clock: Clock,
}

type Shared = axum::extract::State<Arc<Prometheus>>;

/// The paths of the API, at `/api/v1` as Prometheus has them, and below `/prometheus` as the front door of the mesh has them.
pub(crate) fn routes(
    store: &Arc<Store>,
    groups: Groups,
    scraper: &Arc<Scraper>,
    clock: Clock,
) -> Router {
    let prometheus = Prometheus {
        store: Arc::clone(store),
        groups,
        scraper: Arc::clone(scraper),
        evaluator: Evaluator::new(Arc::clone(store)),
        clock,
    };
    let api = Router::new()
        .route("/query", get(query::instant).post(query::instant))
        .route("/query_range", get(query::range).post(query::range))
        .route("/query_exemplars", get(query::exemplars).post(query::exemplars))
        .route("/format_query", get(query::format).post(query::format))
        .route("/series", get(series::series).post(series::series))
        .route("/labels", get(series::names).post(series::names))
        .route("/label/{name}/values", get(series::values))
        .route("/metadata", get(series::metadata))
        .route("/rules", get(rules::rules))
        .route("/alerts", get(rules::alerts))
        .route("/targets", get(targets::targets))
        .route("/status/buildinfo", get(status::build));
    let all = Router::new()
        .nest("/api/v1", api)
        .route("/-/healthy", get(status::is_up))
        .route("/-/ready", get(status::is_up));
    Router::new()
        .route("/prometheus/", get(|| async { INDEX }))
        .nest("/prometheus", all.clone())
        .merge(all)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(Arc::new(prometheus))
}
