//! What Jaeger's clients receive.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::inbound::tests::{START, TRACE, TestLens, an_order, span, text, with};

/// Formats JSON with indentation; values without nested values stay on one line.
fn pretty(value: &Value, indent: &str) -> String {
    let inner = format!("{indent}  ");
    let is_flat = |value: &Value| !value.is_array() && !value.is_object();
    let (open, parts, close) = match value {
        Value::Object(fields) if !fields.values().all(is_flat) => {
            let field = |(name, value)| format!("{name:?}: {}", pretty(value, &inner));
            ('{', fields.iter().map(field).collect::<Vec<_>>(), '}')
        }
        Value::Array(items) if !items.is_empty() => {
            ('[', items.iter().map(|item| pretty(item, &inner)).collect(), ']')
        }
        flat => return flat.to_string(),
    };
    format!("{open}\n{inner}{}\n{indent}{close}", parts.join(&format!(",\n{inner}")))
}

/// A message that could not be handled, in a span that has everything a span can have.
async fn a_failed_delivery(server: &TestLens) -> Value {
    let details = json!({
        "links": [
            { "traceId": TRACE, "spanId": "0000000000000001" },
            { "traceId": "000000000000000000000000000000ff", "spanId": "00000000000000ff" },
        ],
        "events": [{ "timeUnixNano": (START + 1_000_000).to_string(), "name": "retry", "attributes": [
            { "key": "attempt", "value": { "intValue": "2" } },
        ]}],
        "status": { "code": 2, "message": "provider is down" },
        "traceState": "a=b",
    });
    let attributes = [
        text("messaging.system", "kafka"),
        json!({ "key": "offset", "value": { "intValue": "9007199254740993" } }),
        json!({ "key": "ratio", "value": { "doubleValue": 0.5 } }),
        json!({ "key": "redelivered", "value": { "boolValue": false } }),
    ];
    let process = span(2, 1, 5, "process orders.events", 1, &attributes);
    server.sends("payments", &[with(process, &details)]).await;
    server.answer(&format!("/api/traces/{TRACE}")).await
}

#[tokio::test]
async fn a_trace_has_jaegers_shape() {
    let mut answer = a_failed_delivery(&TestLens::new()).await;
    answer["data"][0]["spans"] = "(see below)".into();
    insta::assert_snapshot!(pretty(&answer, ""), @r#"
    {
      "data": [
        {
          "processes": {
            "p1": {
              "serviceName": "payments",
              "tags": [
                {"key":"service.version","type":"string","value":"0.1.0"}
              ]
            }
          },
          "spans": "(see below)",
          "traceID": "5b8efff798038103d269b633813fc60c",
          "warnings": null
        }
      ],
      "errors": null,
      "limit": 0,
      "offset": 0,
      "total": 0
    }
    "#);
}

#[tokio::test]
async fn a_span_has_jaegers_shape() {
    let answer = a_failed_delivery(&TestLens::new()).await;
    insta::assert_snapshot!(pretty(&answer["data"][0]["spans"][0], ""), @r#"
    {
      "duration": 2500,
      "logs": [
        {
          "fields": [
            {"key":"event","type":"string","value":"retry"},
            {"key":"attempt","type":"int64","value":2}
          ],
          "timestamp": 1767323045001000
        }
      ],
      "operationName": "process orders.events",
      "processID": "p1",
      "references": [
        {"refType":"CHILD_OF","spanID":"0000000000000001","traceID":"5b8efff798038103d269b633813fc60c"},
        {"refType":"FOLLOWS_FROM","spanID":"0000000000000001","traceID":"5b8efff798038103d269b633813fc60c"},
        {"refType":"FOLLOWS_FROM","spanID":"00000000000000ff","traceID":"000000000000000000000000000000ff"}
      ],
      "spanID": "0000000000000002",
      "startTime": 1767323045001000,
      "tags": [
        {"key":"otel.scope.name","type":"string","value":"chassis"},
        {"key":"otel.scope.version","type":"string","value":"0.1.0"},
        {"key":"messaging.system","type":"string","value":"kafka"},
        {"key":"offset","type":"int64","value":"9007199254740993"},
        {"key":"ratio","type":"float64","value":0.5},
        {"key":"redelivered","type":"bool","value":false},
        {"key":"span.kind","type":"string","value":"consumer"},
        {"key":"otel.status_code","type":"string","value":"ERROR"},
        {"key":"error","type":"bool","value":true},
        {"key":"otel.status_description","type":"string","value":"provider is down"},
        {"key":"w3c.tracestate","type":"string","value":"a=b"}
      ],
      "traceID": "5b8efff798038103d269b633813fc60c",
      "warnings": null
    }
    "#);
}

#[tokio::test]
async fn an_unknown_trace_gets_the_answer_of_jaeger() {
    let server = TestLens::new();
    let (status, body) = server.get(&format!("/api/traces/{TRACE}")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let errors = json!([{ "code": 404, "msg": "trace not found" }]);
    assert_eq!(
        body,
        json!({ "data": null, "total": 0, "limit": 0, "offset": 0, "errors": errors })
    );
}

#[tokio::test]
async fn forms_are_filled_from_services_and_operations() {
    let server = TestLens::new();
    an_order(&server).await;
    let services = server.answer("/api/services").await;
    assert_eq!(
        (&services["data"], &services["total"]),
        (&json!(["gateway", "orders", "payments"]), &json!(3))
    );
    let names = server.answer("/api/services/payments/operations").await;
    assert_eq!(names["data"], json!(["process orders.events", "send payments.events"]));
    let operations = server.answer("/api/operations?service=payments&spanKind=producer").await;
    assert_eq!(
        operations["data"],
        json!([{ "name": "send payments.events", "spanKind": "producer" }])
    );
    assert_eq!(server.answer("/api/operations?service=nobody").await["data"], json!([]));
}

/// The number of traces that a search finds.
async fn found(server: &TestLens, query: &str) -> usize {
    server.answer(&format!("/api/traces?{query}")).await["data"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_search_takes_what_jaegers_page_and_grafana_send() {
    let server = TestLens::new();
    an_order(&server).await;
    let micros = START / 1_000;
    let from_page = format!(
        "end={}&limit=20&lookback=custom&maxDuration&minDuration=1ms&service=payments&start={micros}\
         &operation=process%20orders.events&tags=%7B%22error%22%3A%22true%22%7D",
        micros + 1_000_000
    );
    assert_eq!(found(&server, &from_page).await, 1);
    assert_eq!(
        found(&server, "service=payments&tag=error:true&tag=messaging.system:kafka").await,
        1
    );
    assert_eq!(
        found(&server, "service=payments&tags=%7B%22attempt%22:2%7D").await,
        1,
        "in an event"
    );
    assert_eq!(found(&server, "service=orders&tag=error:true").await, 0, "another service's error");
    assert_eq!(found(&server, "service=payments&minDuration=3ms").await, 0);
    assert_eq!(found(&server, "service=payments&maxDuration=1ms").await, 0);
    for (lookback, traces) in [("5s", 0), ("1h", 1), ("2d", 1), ("1w", 1)] {
        let query = format!("service=payments&lookback={lookback}");
        assert_eq!(found(&server, &query).await, traces, "{lookback}: it was ten seconds ago");
    }
    assert_eq!(found(&server, "service=payments&lookback=custom").await, 1);
    assert_eq!(found(&server, "service=payments&limit=100000").await, 1);
    assert_eq!(found(&server, &format!("service=payments&start={}", micros + 1_000_000)).await, 0);
}

#[tokio::test]
async fn traces_asked_for_by_id_come_with_word_of_those_that_are_not_there() {
    let server = TestLens::new();
    an_order(&server).await;
    let answer = server.answer(&format!("/api/traces?traceID={TRACE}&traceID=ff")).await;
    assert_eq!(answer["data"].as_array().unwrap().len(), 1);
    let missing = "000000000000000000000000000000ff";
    assert_eq!(answer["errors"], json!([{ "msg": "trace not found", "traceID": missing }]));
}

#[tokio::test]
async fn dependencies_go_through_the_broker() {
    let server = TestLens::new();
    an_order(&server).await;
    let link =
        |parent: &str, child: &str| json!({ "parent": parent, "child": child, "callCount": 1 });
    let all = [link("gateway", "orders"), link("orders", "payments"), link("payments", "orders")];
    let now = (START / 1_000_000) + 10_000;
    let answer = server.answer(&format!("/api/dependencies?endTs={now}&lookback=3600000")).await;
    assert_eq!(answer["data"], json!(all));
    assert_eq!(server.answer("/api/dependencies?service=gateway").await["data"], json!(all[..1]));
    assert_eq!(server.answer("/api/dependencies?endTs=1000").await["data"], json!([]));
}

#[tokio::test]
async fn an_invalid_parameter_is_an_error_with_its_name() {
    let server = TestLens::new();
    let cases = [
        ("/api/traces", "service", "the name of a service"),
        ("/api/traces?service=a&limit=0", "limit", "a whole number from 1 to 1500"),
        ("/api/traces?service=a&minDuration=5", "minDuration", "a duration with its unit"),
        (
            "/api/traces?service=a&minDuration=5s&maxDuration=1s",
            "maxDuration",
            "no less than minDuration",
        ),
        ("/api/traces?service=a&start=yesterday", "start", "microseconds"),
        ("/api/traces?service=a&tag=error", "tag", "key:value"),
        ("/api/traces?service=a&tags=error", "tags", "a JSON object"),
        ("/api/traces?traceID=xyz", "traceID", "32 hexadecimal digits"),
        ("/api/traces/xyz", "traceID", "32 hexadecimal digits"),
        ("/api/operations", "service", "the name of a service"),
        ("/api/operations?service=a&spanKind=odd", "spanKind", "one of internal, server"),
        ("/api/dependencies?endTs=now", "endTs", "milliseconds"),
        ("/api/dependencies?lookback=1h", "lookback", "milliseconds"),
    ];
    for (path, name, expected) in cases {
        let (status, body) = server.get(path).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
        let message = body["errors"][0]["msg"].as_str().unwrap();
        assert!(
            message.contains(&format!("{name:?}")) && message.contains(expected),
            "{path}: {message}"
        );
    }
}
