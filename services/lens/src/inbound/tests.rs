//! A lens for tests, without ports.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{export, jaeger, lens, operate::Operate, otlp_http, services, traces as own};
use crate::{
    clock::Clock,
    config::{self, Flow, Scrape},
    intake::Intake,
    metrics::Metrics,
    scrape::Scraper,
    store::Store,
    topology::Topology,
};

pub(super) struct TestLens {
    pub(super) router: Router,
    pub(super) scraper: Arc<Scraper>,
    pub(super) series: Arc<timeseries::Store>,
    pub(super) registry: chassis::metrics::Registry,
}

/// The trace that most tests use.
pub(super) const TRACE: &str = "5b8efff798038103d269b633813fc60c";

/// The time of most tests, in nanoseconds: 2026-01-02T03:04:05Z.
pub(super) const START: u64 = 1_767_323_045_000_000_000;

impl TestLens {
    pub(super) fn new() -> Self {
        Self::asking(&BTreeMap::new())
    }

    pub(super) fn asking(targets: &BTreeMap<String, String>) -> Self {
        // The data of the tests is that of this minute.
        let clock = "2026-01-02T03:04:15Z".parse::<Clock>().unwrap();
        let memory = 16 << 20;
        let store = Arc::new(Store::new(memory, Flow::default().into()));
        let topology = Arc::new(Topology::new(memory));
        let series = Arc::new(timeseries::Store::new(timeseries::Options::default()));
        let scraper = Arc::new(
            Scraper::new(&Scrape { targets: targets.clone(), ..Scrape::default() }, &series)
                .unwrap(),
        );
        let registry = chassis::metrics::Registry::new();
        let intake = Arc::new(Intake::new(
            &store,
            &topology,
            &scraper,
            Metrics::register(&registry).unwrap(),
            clock,
        ));
        let guard = chassis::http::Guard::new("lens", &chassis::http::GuardSettings::default());
        let operate = Operate::new(&config::Operate { enabled: true }, guard);
        let router = otlp_http::routes(&intake)
            .merge(services::routes(&scraper, &operate).unwrap())
            .merge(jaeger::routes(&store, &topology, &scraper, clock))
            .nest("/lens", jaeger::routes(&store, &topology, &scraper, clock))
            .merge(lens::routes(&store, &topology, &scraper, clock))
            .merge(own::routes(&store, clock))
            .merge(export::routes(&store, &series));
        Self { router, scraper, series, registry }
    }

    pub(super) async fn ask(&self, request: Request<Body>) -> (StatusCode, Vec<u8>) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        (status, to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec())
    }

    pub(super) async fn get(&self, path: &str) -> (StatusCode, Value) {
        let (status, body) = self.ask(Request::get(path).body(Body::empty()).unwrap()).await;
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// The JSON body of a request that must succeed.
    pub(super) async fn answer(&self, path: &str) -> Value {
        let (status, body) = self.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        let (status, body) = self.ask(request.body(body.to_string().into()).unwrap()).await;
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// Sends spans as `service`.
    pub(super) async fn sends(&self, service: &str, spans: &[Value]) {
        let sent = self.post("/v1/traces", &traces(service, spans)).await;
        assert_eq!(sent, (StatusCode::OK, json!({})));
    }
}

pub(super) fn traces(service: &str, spans: &[Value]) -> Value {
    json!({ "resourceSpans": [{
        "resource": resource(service),
        "scopeSpans": [{ "scope": { "name": "chassis", "version": "0.1.0" }, "spans": spans }],
    }]})
}

pub(super) fn resource(service: &str) -> Value {
    json!({ "attributes": [text("service.name", service), text("service.version", "0.1.0")] })
}

pub(super) fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// A span of [`TRACE`] that starts `at_ms` after [`START`].
pub(super) fn span(
    id: u64,
    parent: u64,
    kind: u8,
    name: &str,
    at_ms: u64,
    attributes: &[Value],
) -> Value {
    let hex = |id: u64| if id == 0 { String::new() } else { format!("{id:016x}") };
    let start = START + at_ms * 1_000_000;
    json!({
        "traceId": TRACE, "spanId": hex(id), "parentSpanId": hex(parent), "kind": kind, "name": name,
        "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 2_500_000).to_string(),
        "attributes": attributes,
    })
}

/// The span with fields added or replaced.
pub(super) fn with(mut span: Value, fields: &Value) -> Value {
    for (name, value) in fields.as_object().unwrap() {
        span[name] = value.clone();
    }
    span
}

/// Sends the spans of an order that is placed, paid for through Kafka, and completed.
pub(super) async fn an_order(server: &TestLens) {
    let grpc = || text("rpc.system.name", "grpc");
    let kafka = |topic: &str| {
        [text("messaging.system", "kafka"), text("messaging.destination.name", topic)]
    };
    let order = |status: &str| [text("order.id", "o-1"), text("order.status", status)];
    let post = span(
        1,
        0,
        2,
        "POST /api/orders",
        0,
        &[text("http.request.method", "POST"), text("order.id", "o-1")],
    );
    let link = |id: u64| json!({ "links": [{ "traceId": TRACE, "spanId": format!("{id:016x}") }] });
    server
        .sends("gateway", &[post, span(2, 1, 3, "mesh.orders.v1.Orders/Place", 1, &[grpc()])])
        .await;
    let place = [&[grpc()][..], &order("placed")].concat();
    let paid = [&kafka("payments.events")[..], &order("completed")].concat();
    server
        .sends(
            "orders",
            &[
                span(3, 2, 2, "mesh.orders.v1.Orders/Place", 1, &place),
                span(4, 3, 4, "send orders.events", 3, &kafka("orders.events")),
                with(span(7, 6, 5, "process payments.events", 9, &paid), &link(6)),
            ],
        )
        .await;
    let declined = json!({
        "status": { "code": 2, "message": "provider is down" },
        "events": [{ "timeUnixNano": (START + 5_500_000).to_string(), "name": "retry", "attributes": [
            { "key": "attempt", "value": { "intValue": "2" } },
        ]}],
        "links": link(4)["links"],
    });
    server
        .sends(
            "payments",
            &[
                with(span(5, 4, 5, "process orders.events", 5, &kafka("orders.events")), &declined),
                span(6, 5, 4, "send payments.events", 7, &kafka("payments.events")),
            ],
        )
        .await;
}
