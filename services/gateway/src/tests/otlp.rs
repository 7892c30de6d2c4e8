//! Telemetry of browsers: everybody can send it, so most of these requests are hostile.

mod records;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use chassis::telemetry::otlp::common::{KeyValue, any_value::Value as Any};
use serde_json::{Value, json};

use super::gateway::{Answer, FORWARDED, TestGateway, json as request};

const TRACES: &str = "/api/otlp/v1/traces";
const LOGS: &str = "/api/otlp/v1/logs";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Nanoseconds since the Unix epoch, this far from now.
fn at(seconds: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let at = now.as_secs().saturating_add_signed(seconds);
    Duration::from_secs(at).as_nanos().to_string()
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn click() -> Value {
    json!({
        "traceId": TRACE, "spanId": "00f067aa0ba902b7", "name": "click \"Place an order\"", "kind": 1,
        "startTimeUnixNano": at(-2), "endTimeUnixNano": at(-1), "attributes": [text("app.widget.name", "Place an order")],
    })
}

fn vital() -> Value {
    json!({
        "timeUnixNano": at(-1), "eventName": "browser.web_vital", "body": { "stringValue": "LCP 812 ms, good" },
        "attributes": [{ "key": "browser.web_vital.value", "value": { "doubleValue": 812.5 } }],
    })
}

fn with(mut record: Value, fields: &Value) -> Value {
    for (name, value) in fields.as_object().unwrap() {
        record[name] = value.clone();
    }
    record
}

fn traces(spans: &[Value]) -> Value {
    let attributes = [text("service.name", "payments"), text("browser.language", "de")];
    let resource = json!({ "attributes": attributes });
    json!({ "resourceSpans": [{ "resource": resource, "scopeSpans": [{ "spans": spans }] }] })
}

fn logs(records: &[Value]) -> Value {
    json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": records }] }] })
}

impl TestGateway {
    async fn export(&self, path: &str, body: &Value) -> Answer {
        self.post(path, body.to_string()).await
    }

    async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.send(request(path).body(body.into()).unwrap()).await
    }
}

fn pairs(attributes: &[KeyValue]) -> Vec<(&str, String)> {
    let value = |pair: &KeyValue| match pair.value.clone().unwrap().value.unwrap() {
        Any::StringValue(text) => text,
        other => format!("{other:?}"),
    };
    attributes.iter().map(|pair| (pair.key.as_str(), value(pair))).collect()
}

#[tokio::test]
async fn spans_and_events_of_a_page_are_forwarded_as_those_of_browser() {
    let mut gateway = TestGateway::new().await;
    let answer = gateway.export(TRACES, &traces(&[click()])).await;
    assert_eq!((answer.status.as_u16(), answer.body), (200, json!({})));
    let sent = gateway.forwarded.spans.recv().await.unwrap();
    let resource = sent.resource.unwrap();
    assert_eq!(
        pairs(&resource.attributes),
        [
            ("service.name", "browser".to_owned()),
            ("service.namespace", "glassmesh".to_owned()),
            ("telemetry.sdk.language", "webjs".to_owned()),
            ("telemetry.sdk.name", "console".to_owned()),
            ("browser.language", "de".to_owned()),
        ]
    );
    assert_eq!(sent.scope_spans[0].scope.as_ref().unwrap().name, "console");
    assert_eq!(sent.scope_spans[0].spans[0].name, "click \"Place an order\"");

    let answer = gateway.export(LOGS, &logs(&[vital()])).await;
    assert_eq!((answer.status.as_u16(), answer.body), (200, json!({})));
    let sent = gateway.forwarded.logs.recv().await.unwrap();
    assert_eq!(sent.scope_logs[0].log_records[0].event_name, "browser.web_vital");
    assert_eq!(
        pairs(&sent.resource.unwrap().attributes)[0],
        ("service.name", "browser".to_owned())
    );
    assert_eq!(gateway.metric("mesh_forwarded_taken_total{signal=\"log_records\"}"), 1.0);
    let numbers = gateway.registry.text();
    assert!(!numbers.contains("/api/otlp"), "telemetry counts as load:\n{numbers}");
}

/// A page may say what browser it is, in few words, and nothing else.
#[tokio::test]
async fn a_foreign_resource_is_replaced() {
    let mut gateway = TestGateway::new().await;
    let list = |values: &[Value]| json!({ "key": "browser.brands", "value": { "arrayValue": { "values": values } } });
    let text_value = |text: &str| json!({ "stringValue": text });
    for (sent, kept) in [
        (
            json!([
                text("service.name", "orders"),
                text("host.name", "db"),
                text("k8s.pod.name", "x")
            ]),
            4,
        ),
        (json!([list(&[text_value("Chromium 140")]), text("session.id", "8f14e45f")]), 6),
        (
            json!([
                list(&vec![text_value("x"); 9]),
                text("user_agent.original", &"x".repeat(3000))
            ]),
            4,
        ),
        (json!([list(&[json!({ "intValue": "1" })])]), 4),
    ] {
        let mut body = traces(&[click()]);
        body["resourceSpans"][0]["resource"]["attributes"] = sent.clone();
        assert_eq!(gateway.export(TRACES, &body).await.body, json!({}), "{sent}");
        let resource = gateway.forwarded.spans.recv().await.unwrap().resource.unwrap();
        assert_eq!(resource.attributes.len(), kept, "{sent}");
        assert_eq!(pairs(&resource.attributes)[0].1, "browser");
    }
}

/// Each refusal of a whole request is a problem that names the input, the limit and what to do.
#[tokio::test]
async fn a_request_that_is_no_export_of_a_page_is_refused() {
    let gateway = TestGateway::new().await;
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let two = json!({ "resourceSpans": [{}, {}] }).to_string();
    let small = json!({ "spanId": "00f067aa0ba902b7" });
    let crowd = traces(&vec![small; 257]).to_string();
    let huge = traces(&[with(click(), &json!({ "name": "x".repeat(70_000) }))]).to_string();
    for (status, reason, says, body) in [
        (400, "invalid", "", ""),
        (400, "invalid", "", "{\"resourceSpans\": ["),
        (400, "invalid", "", "\u{0}\u{1}"),
        (422, "invalid", "no export of OTLP", "[]"),
        (422, "invalid", "no export of OTLP", "null"),
        (422, "invalid", "no export of OTLP", "5"),
        (422, "invalid", "no export of OTLP", r#"{"resourceSpans": 5}"#),
        (422, "invalid", "no export of OTLP", &deep),
        (422, "invalid", "the body has 2 resources; expected one", &two),
        (
            422,
            "invalid",
            "the body has 257 spans; expected at most 256: send them in several requests",
            &crowd,
        ),
        (413, "too_large", "larger than the 65536 bytes", &huge),
    ] {
        let series = format!("mesh_gateway_browser_requests_refused_total{{reason=\"{reason}\"}}");
        let before = gateway.metric(&series);
        let answer = gateway.post(TRACES, body.to_owned()).await;
        let shown = body.chars().take(60).collect::<String>();
        assert_eq!(answer.status, status, "{shown}: {}", answer.text);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert!(answer.text.contains(says), "{shown}: {}", answer.text);
        assert_eq!(gateway.metric(&series), before + 1.0, "{shown}");
    }
    let answer = gateway.post(TRACES, "x".repeat(70_000)).await;
    assert_eq!(answer.fields(), ["body"]);
    assert!(answer.text.contains("send fewer records in one request"), "{}", answer.text);
}

/// What is nested too deeply to be read takes neither stack nor time.
#[tokio::test]
async fn lists_in_the_place_of_a_resource_hold_nothing() {
    let gateway = TestGateway::new().await;
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let answer = gateway.post(TRACES, format!(r#"{{"resourceSpans": {deep}}}"#)).await;
    let partial = &answer.body["partialSuccess"];
    assert_eq!((answer.status.as_u16(), &partial["rejectedSpans"]), (200, &json!("0")));
    assert!(partial["errorMessage"].as_str().unwrap().contains("expected an object"), "{partial}");
}

#[tokio::test]
async fn an_empty_export_is_taken() {
    let gateway = TestGateway::new().await;
    for empty in [
        "{}",
        r#"{"resourceSpans": []}"#,
        r#"{"resourceSpans": [{}]}"#,
        r#"{"resourceLogs": [{}]}"#,
    ] {
        for path in [TRACES, LOGS] {
            let answer = gateway.post(path, empty).await;
            assert_eq!((answer.status.as_u16(), answer.body), (200, json!({})), "{path} {empty}");
        }
    }
}

#[tokio::test]
async fn what_is_not_said_to_be_json_is_refused() {
    let gateway = TestGateway::new().await;
    let body = || Body::from(traces(&[click()]).to_string());
    for kind in ["text/plain", "application/x-protobuf"] {
        let mut request = request(TRACES).body(body()).unwrap();
        request.headers_mut().insert("content-type", kind.parse().unwrap());
        assert_eq!(gateway.send(request).await.status, 415, "{kind}");
    }
    let packed = request(TRACES).header("content-encoding", "gzip").body(body()).unwrap();
    assert_eq!(gateway.send(packed).await.status, 415);
    assert_eq!(
        gateway.metric("mesh_gateway_browser_requests_refused_total{reason=\"not_json\"}"),
        3.0
    );
}

/// A page of another origin could otherwise write into the records of whoever visits it; programs send no `Origin`.
#[tokio::test]
async fn only_pages_of_the_same_origin_may_send() {
    let gateway = TestGateway::new().await;
    for (origin, status) in [
        (None, 200),
        (Some("http://127.0.0.1:8080"), 200),
        (Some("https://127.0.0.1:8080"), 200),
        (Some("http://evil.example"), 403),
        (Some("http://127.0.0.1:8081"), 403),
        (Some("null"), 403),
    ] {
        for path in [TRACES, LOGS] {
            let mut request = request(path);
            if let Some(origin) = origin {
                request = request.header("origin", origin);
            }
            let answer = gateway.send(request.body(Body::from("{}")).unwrap()).await;
            assert_eq!(answer.status, status, "{origin:?}: {}", answer.text);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn more_requests_than_the_rate_are_refused_until_later() {
    let gateway = TestGateway::new().await;
    let mut statuses = Vec::new();
    for _ in 0..45 {
        statuses.push(gateway.post(TRACES, "{}").await);
    }
    let refused: Vec<_> = statuses.iter().filter(|answer| answer.status == 429).collect();
    assert_eq!(refused.len(), 5, "two seconds' requests may come at once");
    assert_eq!(refused[0].header("retry-after"), "1");
    assert!(refused[0].text.contains("more than 20 requests a second; send larger batches"));
    assert_eq!(
        gateway.metric("mesh_gateway_browser_requests_refused_total{reason=\"too_often\"}"),
        5.0
    );
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(gateway.post(LOGS, "{}").await.status, 200);
}

#[tokio::test]
async fn what_the_collector_cannot_take_is_reported_as_rejected() {
    let gateway = TestGateway::new().await;
    for _ in 0..FORWARDED {
        assert_eq!(gateway.export(TRACES, &traces(&[click()])).await.body, json!({}));
    }
    let answer = gateway.export(TRACES, &traces(&[click(), click()])).await;
    let partial = &answer.body["partialSuccess"];
    assert_eq!((answer.status.as_u16(), &partial["rejectedSpans"]), (200, &json!("2")));
    assert!(partial["errorMessage"].as_str().unwrap().contains("more slowly"), "{partial}");
    let series = "mesh_forwarded_dropped_total{reason=\"queue_full\",signal=\"spans\"}";
    assert_eq!(gateway.metric(series), 2.0);
}
