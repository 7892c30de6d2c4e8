//! What an export has: enough to be read by lens again, and by others.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use promql::Labels;
use serde_json::{Value, json};

use crate::inbound::tests::{START, TRACE, TestLens, an_order, resource, span, text, with};

async fn exported(server: &TestLens, what: &str) -> Vec<Value> {
    let request = Request::get(format!("/lens/v1/export/{what}")).body(Body::empty()).unwrap();
    let (status, body) = server.ask(request).await;
    assert_eq!(status, StatusCode::OK);
    let lines = std::str::from_utf8(&body).unwrap().lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Attributes of every kind, events, links, states: nothing is lost on the way out and in again.
#[tokio::test]
async fn a_trace_that_was_exported_can_be_imported() {
    let (before, after) = (TestLens::new(), TestLens::new());
    an_order(&before).await;
    let all = json!({ "traceState": "a=b", "attributes": [
        { "key": "int", "value": { "intValue": "-7" } },
        { "key": "double", "value": { "doubleValue": 0.5 } },
        { "key": "bool", "value": { "boolValue": true } },
        { "key": "bytes", "value": { "bytesValue": "AQI=" } },
        { "key": "list", "value": { "arrayValue": { "values": [{ "intValue": "1" }, { "stringValue": "b" }] } } },
        { "key": "map", "value": { "kvlistValue": { "values": [{ "key": "k", "value": { "intValue": "1" } }] } } },
    ]});
    before.sends("shipping", &[with(span(70, 6, 5, "process", 10, &[]), &all)]).await;
    let lines = exported(&before, "traces").await;
    assert_eq!(lines.len(), 1, "one trace");
    for line in &lines {
        assert_eq!(after.post("/v1/traces", line).await, (StatusCode::OK, json!({})));
    }
    for path in [&format!("/api/traces/{TRACE}"), "/lens/v1/flows", "/lens/v1/topology?window=60s"]
    {
        assert_eq!(after.answer(path).await, before.answer(path).await, "{path}");
    }
}

#[tokio::test]
async fn a_long_trace_is_several_requests() {
    let server = TestLens::new();
    let spans: Vec<_> = (1..=1_200).map(|id| span(id, 0, 1, "work", id, &[])).collect();
    server.sends("orders", &spans).await;
    let lines = exported(&server, "traces").await;
    let spans =
        |line: &Value| line["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().len();
    assert_eq!(lines.iter().map(spans).collect::<Vec<_>>(), [500, 500, 200]);
}

#[tokio::test]
async fn log_lines_that_were_exported_can_be_imported() {
    let (before, after) = (TestLens::new(), TestLens::new());
    let record = |number: u64| {
        json!({
            "timeUnixNano": (START + number).to_string(), "severityNumber": 13, "traceId": TRACE, "spanId": "00000000000000aa",
            "body": { "stringValue": format!("line {number}") }, "attributes": [text("order.id", "o-1")],
        })
    };
    for service in ["orders", "payments"] {
        let scope = |name: &str, records: Vec<Value>| json!({ "scope": { "name": name }, "logRecords": records });
        let scopes = [
            scope("a", (0..400).map(record).collect()),
            scope("b", (400..700).map(record).collect()),
        ];
        let request =
            json!({ "resourceLogs": [{ "resource": resource(service), "scopeLogs": scopes }] });
        assert_eq!(before.post("/v1/logs", &request).await.0, StatusCode::OK);
    }
    let lines = exported(&before, "logs").await;
    assert_eq!(lines.len(), 3, "1,400 log lines, 500 in each request");
    for line in &lines {
        assert_eq!(after.post("/v1/logs", line).await, (StatusCode::OK, json!({})));
    }
    for service in ["orders", "payments"] {
        let path = format!("/lens/v1/logs?limit=1000&service={service}");
        assert_eq!(after.answer(&path).await, before.answer(&path).await);
    }
}

/// A counter and a histogram are sums, a gauge is a gauge; there is one point each fifteen seconds.
#[tokio::test]
async fn metrics_are_gauges_and_sums_with_a_point_each_fifteen_seconds() {
    let server = TestLens::new();
    let target = Labels::new(
        [("job", "orders"), ("instance", "orders:1")].map(|(n, v)| (n.into(), v.into())),
    );
    for scrape in 0..=30_i64 {
        let text = format!(
            "# HELP placed_total Orders placed.\n# TYPE placed_total counter\nplaced_total{{outcome=\"ok\"}} {scrape}\n\
             # TYPE waiting gauge\nwaiting NaN\n\
             # TYPE took_seconds histogram\ntook_seconds_bucket{{le=\"+Inf\"}} {scrape}\ntook_seconds_sum 1\ntook_seconds_count {scrape}\n"
        );
        let at_ms = (START / 1_000_000) as i64 + scrape * 2_000;
        server.series.scrape(&target, at_ms, Duration::from_millis(1), &text).unwrap();
    }
    let lines = exported(&server, "metrics").await;
    let metric = |name: &str| {
        let found = lines.iter().find(|line| {
            line["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["name"] == name
        });
        found.unwrap_or_else(|| panic!("no {name} in {lines:?}"))["resourceMetrics"][0].clone()
    };
    let placed = metric("placed_total");
    assert_eq!(
        placed["resource"]["attributes"],
        json!([text("service.name", "orders"), text("service.instance.id", "orders:1")])
    );
    let placed = &placed["scopeMetrics"][0]["metrics"][0];
    assert_eq!(
        (&placed["description"], &placed["sum"]["isMonotonic"]),
        (&json!("Orders placed."), &json!(true))
    );
    let points = placed["sum"]["dataPoints"].as_array().unwrap();
    let values: Vec<_> = points.iter().map(|point| point["asDouble"].as_f64().unwrap()).collect();
    assert_eq!(values, [4.0, 12.0, 19.0, 27.0, 30.0], "START is five seconds after a step");
    assert_eq!(points[0]["attributes"], json!([text("outcome", "ok")]));
    assert_eq!(points[0]["timeUnixNano"], (START + 8_000_000_000).to_string());
    assert_eq!(
        metric("waiting")["scopeMetrics"][0]["metrics"][0]["gauge"]["dataPoints"][0]["asDouble"],
        "NaN"
    );
    assert_eq!(
        metric("took_seconds_bucket")["scopeMetrics"][0]["metrics"][0]["sum"]["aggregationTemporality"],
        2
    );
}
