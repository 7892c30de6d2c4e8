//! What a list of traces is drawn from, and how links are walked backwards.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::inbound::tests::{START, TRACE, TestLens, an_order, span, text, with};

/// A trace other than that of the order.
const BATCH: &str = "000000000000000000000000000000ba";

fn ids(answer: &Value) -> Vec<&str> {
    answer["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

async fn found(server: &TestLens, query: &str) -> Vec<String> {
    let answer = server.answer(&format!("/lens/v1/traces?{query}")).await;
    ids(&answer).into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_trace_is_listed_with_its_services_and_when_they_worked() {
    let server = TestLens::new();
    an_order(&server).await;
    let answer = server.answer("/lens/v1/traces").await;
    let expected = json!({ "items": [{
        "id": TRACE, "service": "gateway", "name": "POST /api/orders", "order": "o-1",
        "start": START / 1_000_000, "duration": 11_500, "spans": 7, "errors": 1,
        "services": [
            { "service": "gateway", "spans": 2, "errors": 0, "times": [[0, 3_500]] },
            { "service": "orders", "spans": 3, "errors": 0, "times": [[1_000, 5_500], [9_000, 11_500]] },
            { "service": "payments", "spans": 2, "errors": 1, "times": [[5_000, 9_500]] },
        ],
    }]});
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn a_search_needs_no_service_and_combines_conditions() {
    let server = TestLens::new();
    an_order(&server).await;
    for matching in [
        "",
        "tag=error:true",
        "service=orders&tag=order.id:o-1",
        "minDuration=2ms",
        "minTotal=11ms&maxTotal=12ms",
    ] {
        assert_eq!(found(&server, matching).await, [TRACE], "{matching}");
    }
    for other in [
        "service=lens",
        "service=gateway&tag=error:true",
        "minDuration=3ms",
        "minTotal=12ms",
        "maxTotal=11ms",
        "end=1",
    ] {
        assert_eq!(found(&server, other).await, [""; 0], "{other}");
    }
    let (status, problem) = server.get("/lens/v1/traces?minDuration=fast").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("minDuration") && detail.contains("100ms"), "{detail}");
    assert_eq!(server.get("/lens/v1/traces?probes=maybe").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(server.get("/lens/api/traces").await.0, StatusCode::BAD_REQUEST, "as in Jaeger");
}

#[tokio::test]
async fn probes_are_listed_only_on_request() {
    let server = TestLens::new();
    an_order(&server).await;
    let of_other = |span: Value| with(span, &json!({ "traceId": BATCH }));
    server.sends("gateway", &[of_other(span(1, 0, 2, "GET /livez", 1, &[]))]).await;
    server.sends("browser", &[of_other(span(2, 0, 3, "GET /lens/v1/flows", 1, &[]))]).await;
    server.sends("lens", &[of_other(span(3, 2, 2, "GET", 1, &[]))]).await;
    assert_eq!(found(&server, "").await, [TRACE]);
    assert_eq!(found(&server, "probes=true").await, [BATCH, TRACE]);
    assert_eq!(found(&server, "service=lens").await, [BATCH], "asked for by name");
    server.sends("gateway", &[of_other(span(4, 1, 3, "get order", 1, &[]))]).await;
    assert_eq!(found(&server, "").await, [BATCH, TRACE], "a trace with something else, too");
}

#[tokio::test]
async fn a_span_is_found_from_the_span_that_it_links_to() {
    let server = TestLens::new();
    an_order(&server).await;
    let links = json!({
        "traceId": BATCH,
        "links": [
            { "traceId": TRACE, "spanId": "0000000000000004" },
            { "traceId": "000000000000000000000000000000ff", "spanId": "0000000000000001" },
        ],
        // What precedes links in a record.
        "events": [{ "timeUnixNano": START.to_string(), "name": "begun", "attributes": [text("a", "b")] }],
    });
    server
        .sends("shipping", &[with(span(9, 0, 5, "process orders.events", 20, &[]), &links)])
        .await;
    let (sent, handled) = ("0000000000000004", "0000000000000009");
    let links = server.answer(&format!("/lens/v1/traces/{TRACE}/linked")).await;
    let batch = json!({
        "here": sent, "trace": BATCH, "span": handled, "service": "shipping", "name": "process orders.events",
    });
    assert_eq!(
        links,
        json!({ "from": [batch], "to": [] }),
        "links within the trace are not among them"
    );
    let links = server.answer(&format!("/lens/v1/traces/{BATCH}/linked")).await;
    let record = json!({
        "here": handled, "trace": TRACE, "span": sent, "service": "orders", "name": "send orders.events",
    });
    assert_eq!(
        links,
        json!({ "from": [], "to": [record] }),
        "the span of a trace that is not kept is not among them"
    );
    assert_eq!(server.get("/lens/v1/traces/xyz/linked").await.0, StatusCode::BAD_REQUEST);
}
