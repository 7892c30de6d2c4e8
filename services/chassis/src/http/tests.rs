//! Tests of the edge around a router, over a real connection.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    routing::{get, post},
};
use http::{Version, header};
use opentelemetry::{
    Context, SpanId, TraceFlags, TraceId, global,
    trace::{FutureExt, SpanContext, TraceContextExt, TraceState},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use serde::Deserialize;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::*;
use crate::{Error, Kind, deadline, metrics::Registry};

/// The longest that a call may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cup {
    #[serde(rename = "tea")]
    _tea: String,
    #[serde(rename = "pieces")]
    _pieces: u8,
}

struct Setup {
    base: String,
    registry: Registry,
    _server: JoinSet<()>,
}

async fn panics() -> &'static str {
    panic!("on purpose")
}

/// The headers by which a caller names the trace and the idempotency key.
async fn echo(headers: http::HeaderMap) -> Json<[String; 2]> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Json(["traceparent", "idempotency-key"].map(|name| text(name).to_owned()))
}

async fn setup() -> Setup {
    setup_with(Options { limit: PATIENCE, body_limit: 100, ..Options::default() }).await
}

async fn setup_with(options: Options) -> Setup {
    let registry = Registry::new();
    let router = Router::new()
        .route("/cups/{id}", post(|Json(_): Json<Cup>| async { "poured" }))
        .route("/slow", post(std::future::pending::<()>))
        .route("/stuck", post(std::future::pending::<()>))
        .route("/span", post(|| async { Json(Context::current().has_active_span()) }))
        .route("/panics", post(panics))
        .route("/echo", post(echo))
        .route(
            "/refused",
            post(|| async { Problem::from(Error::new(Kind::Exhausted, "too many cups")) }),
        )
        .route(
            "/budget",
            post(|| async { deadline::remaining().map_or(0, |left| left.as_millis()).to_string() }),
        );
    let panics = registry.register("mesh_panics_total", "Panics.", &[]).unwrap();
    let edge = Edge::new(ServerMetrics::register(&registry).unwrap(), panics, options);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(listener, edge.around(router)).await.unwrap() });
    Setup { base, registry, _server: server }
}

impl Setup {
    async fn post(&self, path: &str, body: &str) -> (u16, http::HeaderMap, Value) {
        let request =
            reqwest::Client::new().post(format!("{}{path}", self.base)).body(body.to_owned());
        let response = request.header("content-type", "application/json").send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        (status, headers, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }
}

#[tokio::test]
async fn every_wrong_body_has_its_own_problem() {
    let setup = setup().await;
    for (body, status, kind, field) in [
        ("{", 400, "/problems/malformed-json", ""),
        (r#"{"tea":"assam","pieces":"two"}"#, 422, "/problems/invalid-argument", "pieces"),
        (r#"{"tea":"assam","pieces":2,"milk":true}"#, 422, "/problems/invalid-argument", "milk"),
        (
            &format!(r#"{{"tea":"{}","pieces":2}}"#, "x".repeat(200)),
            413,
            "/problems/payload-too-large",
            "",
        ),
    ] {
        let (code, headers, problem) = setup.post("/cups/1", body).await;
        assert_eq!((code, problem["type"].as_str()), (status, Some(kind)), "{problem}");
        assert_eq!(headers["content-type"], PROBLEM);
        if !field.is_empty() {
            let errors = problem["errors"].to_string();
            assert!(errors.contains(field), "{errors}");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_not_plain_json_is_refused_by_what_it_is_said_to_be() {
    let setup = setup().await;
    let cup = r#"{"tea":"assam","pieces":2}"#;
    let send = async |headers: &[(&str, &str)], body: &str| {
        let request = reqwest::Client::new().post(format!("{}/cups/1", setup.base));
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.body(body.to_owned()).send().await.unwrap()
    };
    for headers in [
        &[][..],
        &[("content-type", "text/plain")],
        &[("content-type", "application/x-www-form-urlencoded")],
        &[("content-type", "application/json; charset=utf-16")],
        &[("content-type", "application/json"), ("content-encoding", "gzip")],
        &[("content-type", "application/json"), ("content-encoding", "br")],
    ] {
        let answer = send(headers, cup).await;
        assert_eq!(answer.status(), 415, "{headers:?}");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["type"], "/problems/unsupported-media-type", "{headers:?}");
        let value = headers.last().map_or("not said", |(_, value)| *value);
        assert!(problem["detail"].as_str().unwrap().contains(value), "{problem}");
    }
    for (kind, body) in [
        ("application/json;charset=UTF-8", cup.to_owned()),
        ("application/json", format!("\u{feff}{cup}")),
        ("application/vnd.cup+json", cup.to_owned()),
    ] {
        assert_eq!(send(&[("content-type", kind)], &body).await.status(), 200, "{kind}");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let setup = setup().await;
    let (status, _, problem) = setup.post("/saucers", "{}").await;
    assert_eq!((status, problem["type"].as_str()), (404, Some("/problems/not-found")));
    let response = reqwest::get(format!("{}/slow", setup.base)).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.headers()["allow"].to_str().unwrap()),
        (405, "POST")
    );
    assert_eq!(response.headers()["content-type"], PROBLEM);
}

#[tokio::test]
async fn a_request_has_a_deadline_that_its_calls_inherit() {
    let setup = setup().await;
    let (_, _, left) = setup.post("/budget", "").await;
    let left = left.as_i64().or_else(|| left.as_str()?.parse().ok()).unwrap();
    assert!((1..=PATIENCE.as_millis() as i64).contains(&left), "{left}");
    let limit = Duration::from_millis(300);
    let setup = setup_with(Options { limit, ..Options::default() }).await;
    let (status, _, problem) = setup.post("/slow", "").await;
    assert_eq!((status, problem["type"].as_str()), (504, Some("/problems/deadline-exceeded")));
    assert!(setup.registry.text().contains("mesh_deadline_exceeded_total 1"));
}

#[tokio::test]
async fn panics_are_answers_and_refusals_say_when_to_come_back() {
    let setup = setup().await;
    let (status, _, problem) = setup.post("/panics", "").await;
    assert_eq!((status, problem["type"].as_str()), (500, Some("/problems/internal")));
    assert!(setup.registry.text().contains("mesh_panics_total 1"));
    let (status, headers, _) = setup.post("/refused", "").await;
    assert_eq!((status, headers["retry-after"].to_str().unwrap()), (429, "1"));
}

/// Without the limit, too many concurrent requests would exhaust the memory of the process.
#[tokio::test]
async fn what_does_not_fit_in_is_refused_at_once() {
    let setup = Arc::new(setup_with(Options { in_flight: 2, ..Options::default() }).await);
    let mut waiting = JoinSet::new();
    for _ in 0..2 {
        let setup = Arc::clone(&setup);
        waiting.spawn(async move { setup.post("/slow", "").await });
    }
    let active = |count| format!("http_server_active_requests {count}\n");
    until(|| setup.registry.text().contains(&active(2))).await;
    let (status, headers, problem) = setup.post("/budget", "").await;
    assert_eq!((status, problem["type"].as_str()), (503, Some("/problems/overloaded")));
    assert_eq!(headers["retry-after"], "1");
    assert!(
        setup.registry.text().contains(r#"http_response_status_code="503",http_route="/budget""#)
    );
    waiting.shutdown().await;
    until(|| setup.registry.text().contains(&active(0))).await;
    assert_eq!(setup.post("/budget", "").await.0, 200);
}

#[tokio::test]
async fn an_untraced_request_is_measured_and_limited_as_others_are() {
    let limit = Duration::from_millis(300);
    let untraced = vec![Requests::at("/span"), Requests::at("/slow")];
    let plain = setup().await;
    let setup = setup_with(Options { untraced, limit, in_flight: 1, ..Options::default() }).await;
    assert_eq!(plain.post("/span", "").await.2, true);
    assert_eq!(setup.post("/span", "").await.2, false);
    let setup = Arc::new(setup);
    let mut waiting = JoinSet::new();
    let slow = Arc::clone(&setup);
    waiting.spawn(async move { slow.post("/slow", "").await.0 });
    until(|| setup.registry.text().contains("http_server_active_requests 1\n")).await;
    assert_eq!(setup.post("/span", "").await.0, 503);
    assert_eq!(waiting.join_next().await.unwrap().unwrap(), 504);
    let counted = r#"http_response_status_code="504",http_route="/slow"} 1"#;
    assert!(setup.registry.text().contains(counted), "{}", setup.registry.text());
}

#[tokio::test]
async fn a_request_that_is_not_measured_has_a_span_and_no_series() {
    let unmeasured = vec![Requests::below("/sp")];
    let setup = setup_with(Options { unmeasured, ..Options::default() }).await;
    assert_eq!(setup.post("/span", "").await.2, true);
    assert!(!setup.registry.text().contains("/span"), "{}", setup.registry.text());
}

#[tokio::test]
async fn an_unhurried_request_outlives_the_limit() {
    let unhurried = vec![Requests::at("/slow")];
    let limit = Duration::from_millis(20);
    let setup = setup_with(Options { unhurried, limit, ..Options::default() }).await;
    assert_eq!(setup.post("/stuck", "").await.0, 504);
    let slow = timeout(10 * limit, setup.post("/slow", "")).await;
    assert!(slow.is_err(), "{slow:?}");
}

/// Neither kind of request takes the other's places.
#[tokio::test]
async fn reserved_places_are_for_reserved_requests_alone() {
    let reserved = vec![Requests::at("/span"), Requests::at("/slow")];
    let options = Options { reserved, reserved_in_flight: 1, in_flight: 1, ..Options::default() };
    let setup = Arc::new(setup_with(options).await);
    let mut waiting = JoinSet::new();
    for (path, refused, answered) in [("/stuck", "/echo", "/span"), ("/slow", "/span", "/echo")] {
        let held = Arc::clone(&setup);
        waiting.spawn(async move { held.post(path, "").await });
        until(|| setup.registry.text().contains("http_server_active_requests 1\n")).await;
        let (status, _, problem) = setup.post(refused, "").await;
        assert_eq!((status, &problem["type"]), (503, &"/problems/overloaded".into()), "{path}");
        assert_eq!(setup.post(answered, "").await.0, 200, "{path}");
        waiting.shutdown().await;
        until(|| setup.registry.text().contains("http_server_active_requests 0\n")).await;
    }
}

async fn until(condition: impl Fn() -> bool) {
    let condition = async {
        while !condition() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, condition).await.expect("waited in vain");
}

/// The client learns from the last answer on the connection that it ends, not from its end.
#[tokio::test]
async fn who_keeps_a_connection_is_told_to_leave() {
    let draining = CancellationToken::new();
    let router = connection_close(Router::new().route("/", get(|| async {})), draining.clone());
    let connection = async |version| {
        let request = http::Request::builder().version(version).body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        answer.headers().get(header::CONNECTION).cloned()
    };
    assert_eq!(connection(Version::HTTP_11).await, None);
    draining.cancel();
    assert_eq!(connection(Version::HTTP_11).await.unwrap(), "close");
    assert_eq!(connection(Version::HTTP_2).await, None, "it has other words for it");
}

/// The third party needs the trace of a request, and the key by which it recognizes a repeated one.
#[tokio::test]
async fn a_third_party_is_told_the_trace_and_the_key() {
    global::set_text_map_propagator(TraceContextPropagator::new());
    let trace = TraceId::from_bytes([7; 16]);
    let origin = SpanContext::new(
        trace,
        SpanId::from_bytes([9; 8]),
        TraceFlags::SAMPLED,
        true,
        TraceState::NONE,
    );
    let setup = setup().await;
    let client = Client::for_tests("third party", &setup.base, PATIENCE, &setup.registry).unwrap();
    let context = Context::new().with_remote_span_context(origin);
    let answer = client.post("/echo", "k-1", &"tea").with_context(context).await.unwrap();
    let [traceparent, key] = answer.json::<[String; 2]>().unwrap();
    assert!(traceparent.contains(&trace.to_string()), "{traceparent}");
    assert_eq!(key, "k-1");
}

#[tokio::test]
async fn the_label_is_the_route_and_never_the_path() {
    let setup = setup().await;
    setup.post("/cups/secret", r#"{"tea":"assam","pieces":2}"#).await;
    setup.post("/no/such/path", "").await;
    let text = setup.registry.text();
    let counted = r#"http_server_request_duration_seconds_count{http_request_method="POST",http_response_status_code="200",http_route="/cups/{id}"} 1"#;
    assert!(text.contains(counted), "{text}");
    assert!(!text.contains("secret") && !text.contains("no/such"));
}

/// A body that does not arrive takes no place from those that do, and is refused with a reason.
#[tokio::test]
async fn slow_bodies_cost_others_nothing() {
    let setup = setup_with(Options { in_flight: 2, ..Options::default() }).await;
    let address = setup.base.trim_start_matches("http://");
    let begin = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nslow";
    let mut slow = Vec::new();
    for _ in 0..130 {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(begin.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    until(|| setup.registry.text().contains("http_server_active_requests 130\n")).await;
    assert_eq!(setup.post("/budget", "").await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_is_answered_with_408() {
    let setup = setup_with(Options::default()).await;
    let address = setup.base.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let begin = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nslow";
    stream.write_all(begin.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("connection: close") && answer.contains("/problems/request-timeout"));
}

#[tokio::test]
async fn a_path_that_is_too_long_is_refused_without_being_repeated() {
    let setup = setup().await;
    let (status, _, problem) = setup.post(&format!("/echo?{}", "a".repeat(9000)), "").await;
    assert_eq!((status, problem["type"].as_str()), (414, Some("/problems/uri-too-long")));
    assert!(problem.to_string().len() < 500, "{problem}");
}
