//! What lens' own API answers.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
    routing::get,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};

use crate::inbound::tests::{START, TRACE, TestLens, an_order, resource, text};

#[tokio::test]
async fn an_order_is_a_picture_with_its_topics() {
    let server = TestLens::new();
    an_order(&server).await;
    let snapshot = server.answer("/lens/v1/topology?window=60s").await;
    let edge = |edge: &Value| {
        format!(
            "{} -{}-> {}  calls {} errors {}",
            edge["source"].as_str().unwrap(),
            edge["protocol"].as_str().unwrap(),
            edge["target"].as_str().unwrap(),
            edge["calls"],
            edge["errors"]
        )
    };
    let mut edges: Vec<_> = snapshot["edges"].as_array().unwrap().iter().map(edge).collect();
    edges.sort();
    insta::assert_snapshot!(edges.join("\n"), @"
    service:gateway -grpc-> service:orders  calls 1 errors 0
    service:orders -kafka-> topic:orders.events  calls 1 errors 0
    service:payments -kafka-> topic:payments.events  calls 1 errors 0
    topic:orders.events -kafka-> service:payments  calls 1 errors 1
    topic:payments.events -kafka-> service:orders  calls 1 errors 0
    ");
    let payments = snapshot["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|node| node["name"] == "payments")
        .unwrap();
    assert_eq!(
        (&payments["kind"], &payments["calls"], &payments["errors"]),
        (&json!("service"), &json!(1), &json!(1))
    );
    let p99 = payments["p99_ms"].as_f64().unwrap();
    assert!((2.2..2.8).contains(&p99), "{p99}");
}

#[tokio::test]
async fn a_window_has_an_end() {
    let server = TestLens::new();
    for bad in ["6m", "1s", "60", "long"] {
        let (status, problem) = server.get(&format!("/lens/v1/topology?window={bad}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(problem["errors"][0]["field"], "window");
        assert!(
            problem["detail"].as_str().unwrap().contains("a duration from 5s to 300s"),
            "{problem}"
        );
    }
}

/// A list whose coverage is unknown: there are no metrics to compare the spans with.
fn of_unknown_share(items: Value) -> Value {
    json!({ "items": items, "sampled": null, "coverage": null })
}

#[tokio::test]
async fn an_order_is_a_flow() {
    let server = TestLens::new();
    an_order(&server).await;
    let flow = json!({
        "id": "o-1", "trace_id": TRACE, "state": "completed", "started_at": "2026-01-02T03:04:05.000000Z",
        "duration_ms": 11.5, "spans": 7, "errors": 1, "services": ["gateway", "orders", "payments"],
    });
    assert_eq!(server.answer("/lens/v1/flows").await, of_unknown_share(json!([flow])));
    let placed = server.answer("/lens/v1/flows?state=placed&limit=5").await;
    assert_eq!(placed, of_unknown_share(json!([])));
    assert_eq!(server.get("/lens/v1/flows?limit=9999").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_lines_of_a_trace_are_read_in_order() {
    let server = TestLens::new();
    let line = |at: u64, severity: u8, body: &str| {
        json!({
            "timeUnixNano": (START + at).to_string(), "severityNumber": severity, "body": { "stringValue": body },
            "traceId": TRACE, "spanId": "00000000000000aa",
            "attributes": [text("order.id", "o-1"), { "key": "attempt", "value": { "intValue": "2" } }],
        })
    };
    let lines = json!({ "resourceLogs": [{
        "resource": resource("payments"),
        "scopeLogs": [{ "scope": { "name": "payments::charge" }, "logRecords": [
            line(2_000, 17, "payment failed"), line(1_000, 9, "asking the provider"),
        ]}],
    }]});
    assert_eq!(server.post("/v1/logs", &lines).await, (StatusCode::OK, json!({})));
    let all = server.answer(&format!("/lens/v1/logs?trace_id={TRACE}")).await;
    let failed = json!({
        "at": "2026-01-02T03:04:05.000002Z", "severity": "error", "service": "payments", "target": "payments::charge",
        "body": "payment failed", "trace_id": TRACE, "span_id": "00000000000000aa",
        "attributes": { "order.id": "o-1", "attempt": 2 },
    });
    assert_eq!(all["items"][0]["body"], "asking the provider");
    assert_eq!(all["items"][1], failed);
    assert_eq!(
        server.answer("/lens/v1/logs?severity=warn&service=payments").await,
        json!({ "items": [failed], "next": 2 })
    );
    assert_eq!(server.answer("/lens/v1/logs?trace_id=ff").await, json!({ "items": [], "next": 2 }));
    assert_eq!(server.answer("/lens/v1/logs?since=5s").await["items"], json!([]));
    for bad in ["trace_id=x", "severity=loud", "limit=0", "since=5", "from=-1"] {
        assert_eq!(
            server.get(&format!("/lens/v1/logs?{bad}")).await.0,
            StatusCode::BAD_REQUEST,
            "{bad}"
        );
    }
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_down() {
    let server =
        TestLens::asking(&BTreeMap::from([("orders".into(), "http://127.0.0.1:1/metrics".into())]));
    server.scraper.scrape().await;
    let services = server.answer("/lens/v1/services").await;
    assert_eq!(services["items"][0]["service"], "orders");
    assert_eq!(
        (&services["items"][0]["up"], &services["items"][0]["requests"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(server.get("/lens/v1/services/nobody/metrics").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_lens_counts_what_it_took() {
    let server = TestLens::new();
    an_order(&server).await;
    let text = server.registry.text();
    for line in [
        "mesh_lens_spans_received_total 7",
        "mesh_lens_traces 1",
        "mesh_lens_memory_limit_bytes 16777216",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

/// With a tenth of the traces, rates of edges are a tenth: the answer says so, and shows the services' own counts beside them.
#[tokio::test]
async fn a_sampled_picture_says_so() {
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    let metrics = move || async move {
        let calls = counted.fetch_add(100_000, Relaxed);
        format!(
            "rpc_server_call_duration_seconds_count{{rpc_response_status_code=\"OK\"}} {calls}\n"
        )
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/metrics", listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(axum::serve(listener, Router::new().route("/metrics", get(metrics))).into_future());
    let server = TestLens::asking(&BTreeMap::from([("orders".into(), url)]));
    an_order(&server).await;
    let before = server.answer("/lens/v1/topology").await;
    assert_eq!((&before["sampled"], &before["coverage"]), (&Value::Null, &Value::Null));
    for _ in 0..2 {
        server.scraper.scrape().await;
    }
    let snapshot = server.answer("/lens/v1/topology").await;
    assert_eq!(snapshot["sampled"], true, "{snapshot}");
    for counted in ["/lens/v1/flows", "/api/dependencies"] {
        let answer = server.answer(counted).await;
        assert_eq!(answer["sampled"], true, "{counted}: {answer}");
        assert!(answer["coverage"].is_number(), "{counted}: {answer}");
    }
    let orders = snapshot["nodes"].as_array().unwrap().iter().find(|node| node["name"] == "orders");
    let orders = orders.unwrap();
    assert!(orders["measured"]["rate"].as_f64() > orders["rate"].as_f64(), "{orders}");
}

#[tokio::test]
async fn everything_for_people_is_below_one_path_for_the_front_door() {
    let server = TestLens::new();
    an_order(&server).await;
    for path in
        ["/lens/", "/lens/v1/flows", "/lens/api/services", &format!("/lens/api/traces/{TRACE}")]
    {
        let request = Request::get(path).body(Body::empty()).unwrap();
        assert_eq!(server.ask(request).await.0, StatusCode::OK, "{path}");
    }
    let request = Request::post("/lens/v1/traces").body(Body::empty()).unwrap();
    assert_eq!(
        server.ask(request).await.0,
        StatusCode::METHOD_NOT_ALLOWED,
        "spans are not taken there"
    );
}
