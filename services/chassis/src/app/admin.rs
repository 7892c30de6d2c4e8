//! The port for operators: health, metrics, log level, configuration, profiles. Never reachable through the gateway.

mod log_level;
mod profile;

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::json;

use crate::{
    config::Effective,
    http::{Guard, Problem},
    metrics::{OPENMETRICS, Registry, TEXT, prefers_openmetrics},
    readiness::Readiness,
};

pub(crate) use log_level::LogSwitch;

/// The state of the admin port.
pub(crate) struct Admin {
    pub(crate) service: &'static str,
    pub(crate) registry: Registry,
    pub(crate) readiness: Readiness,
    pub(crate) level: LogSwitch,
    pub(crate) effective: Vec<Effective>,
}

impl Admin {
    pub(crate) fn router(self, guard: Guard) -> Router {
        let router = Router::new()
            .route("/livez", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .route("/metrics/families", get(families))
            .route("/config", get(config))
            .route("/log-level", get(log_level::get).put(log_level::put))
            .route(PROFILE, get(profile::profile))
            .route("/debug/pprof/heap", get(heap))
            .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "not-found", PATHS) })
            .with_state(Arc::new(self));
        guard.costly(&[PROFILE]).around(router)
    }
}

const PROFILE: &str = "/debug/pprof/profile";

const PATHS: &str = "no such path; there are /livez /readyz /metrics /metrics/families /config /log-level /debug/pprof/profile";

async fn ready(State(admin): State<Arc<Admin>>) -> Response {
    let missing = admin.readiness.missing();
    let status = if missing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "service": admin.service,
        "ready": missing.is_empty(),
        "missing": missing,
        "degraded": admin.readiness.degraded(),
        "checks": admin.readiness.checks(),
    });
    (status, axum::Json(body)).into_response()
}

async fn metrics(State(admin): State<Arc<Admin>>, headers: HeaderMap) -> Response {
    let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let accepts: Vec<_> = accepts.collect();
    let (kind, text) = if prefers_openmetrics(&accepts.join(",")) {
        (OPENMETRICS, admin.registry.openmetrics())
    } else {
        (TEXT, admin.registry.text())
    };
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], text).into_response()
}

/// Every metric of this process, one per line: name, type and labels.
async fn families(State(admin): State<Arc<Admin>>) -> String {
    admin.registry.families().iter().map(|family| format!("{family}\n")).collect()
}

async fn config(State(admin): State<Arc<Admin>>) -> Response {
    axum::Json(&admin.effective).into_response()
}

/// There is no heap profile: recording allocations needs another allocator, which costs time permanently.
async fn heap() -> Problem {
    Problem::new(
        StatusCode::NOT_IMPLEMENTED,
        "no-heap-profile",
        "the allocator is glibc's, which keeps no record of who allocates what; \
         process_resident_memory_bytes in /metrics tells how much there is, `heaptrack --pid` who asked for it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn there_is_no_heap_profile_and_it_says_why() {
        let problem = heap().await;
        assert_eq!(problem.status, 501);
        assert!(problem.detail.contains("glibc"), "{}", problem.detail);
    }
}
